"""``vtbook bench``: every contestant's result is checked, and ratios are of the same run."""

import json

import pytest

from vtbook.course import bench_programs
from vtbook.course.bench import bench_command
from vtbook.guests.suite import Run, benchmark_suite


def test_results_of_all_contestants_are_compared_with_the_checksum(capsys, monkeypatch):
    monkeypatch.setattr(bench_programs, "LEAST_NATIVE_SECONDS", 0)
    assert bench_command(["programs", "sieve", "--small", "--runs", "1", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (program,) = data["programs"]
    assert program["name"] == "sieve"
    assert program["seconds"]["interpreter"][0] > 0
    if "native" in program["seconds"]:
        ratio = program["seconds"]["interpreter"][0] / program["seconds"]["native"][0]
        assert program["times_native"]["interpreter"] == pytest.approx(ratio)
        mean = data["geometric_mean_times_native"]["integer"]["interpreter"]
        assert mean == pytest.approx(ratio)


def test_the_table_names_every_contestant_and_what_is_missing(capsys):
    sieve = next(b for b in benchmark_suite() if b.name == "sieve")
    seconds = {"interpreter": [2.0], "python": [90.0], "ir": [120.0], "native": [0.5, 0.25]}
    bench_programs.print_table([bench_programs.Result(sieve, sieve.usual, seconds)])
    out = capsys.readouterr().out
    assert "2.000 (8.0)" in out
    assert "120.000 (480.0)" in out
    assert "interpreter 8.0" in out
    assert "qemu: not here" in out


def test_a_wrong_result_is_an_error(monkeypatch):
    sieve = next(b for b in benchmark_suite() if b.name == "sieve")
    wrong = Run(sieve.small.size, "0" * 16, sieve.small.instructions)
    runner = bench_programs._machine(sieve, wrong, "interpreter")
    output, _ = runner()
    with pytest.raises(bench_programs.BenchError, match="expected"):
        bench_programs.check("interpreter", sieve, wrong, output)


def test_an_unknown_program_is_an_error(capsys):
    assert bench_command(["programs", "frobnicate"]) == 1
    assert "there is no benchmark 'frobnicate'" in capsys.readouterr().err


def test_a_native_run_that_is_all_process_start_makes_no_ratio():
    sieve = next(b for b in benchmark_suite() if b.name == "sieve")
    short = {"interpreter": [0.004], "native": [0.001]}
    assert bench_programs.Result(sieve, sieve.small, short).times_native("interpreter") is None
    long = {"interpreter": [4.0], "native": [1.0]}
    assert bench_programs.Result(sieve, sieve.usual, long).times_native("interpreter") == 4.0


def test_the_geometric_mean():
    assert bench_programs.geometric_mean([1.0, 100.0]) == pytest.approx(10)
