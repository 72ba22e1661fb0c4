"""vtbook bench boot: Linux to the end of a script, here and on QEMU."""

import json

import pytest

from vtbook.course import bench_boot
from vtbook.guests import linux

needs_image = pytest.mark.skipif(
    linux.find() is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}"
)


@needs_image
def test_all_contestants_run_the_script_and_their_times_make_a_ratio(vtbook):
    done = vtbook("bench", "boot", "seq 3", "--runs", "1", "--bios", "vtbook", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["instructions"] > 10_000_000
    assert data["version"] == linux.find().version
    assert {"machine", "process"} <= set(data["seconds"])
    assert all(len(turns) == 1 and turns[0] > 0 for turns in data["seconds"].values())
    if bench_boot.QEMU in data["seconds"]:
        seconds = {name: turns[0] for name, turns in data["seconds"].items()}
        ratio = seconds["machine"] / seconds[bench_boot.QEMU]
        assert data["times_qemu"]["machine"] == pytest.approx(ratio)


def test_without_linux_the_command_says_how_to_build_it(vtbook, tmp_path):
    done = vtbook("bench", "boot", VTBOOK_CACHE=str(tmp_path))
    assert done.returncode == 1
    assert "vtbook guests linux" in done.stderr.decode()


def test_a_contestant_that_does_not_come_to_the_end_is_an_error():
    with pytest.raises(bench_boot.BootBenchError, match=r"qemu: the script did not end.*panic"):
        bench_boot._of_script("qemu", "script begins\nKernel panic")
    with pytest.raises(bench_boot.BootBenchError, match="did not end"):
        bench_boot._of_script("qemu", "init: no beginning: the script ended")
    said = bench_boot._of_script("x", "OK\r\nscript begins\r\n1\r\ninit: the script ended with 0")
    assert said == "1\n"
    with pytest.raises(bench_boot.BootBenchError, match="printed"):
        bench_boot._check("x", "", "1\n")


def test_a_ratio_needs_a_qemu():
    result = bench_boot.Result("6.12", "true", "vtbook", 1, 100, {"machine": [2.0, 1.0]})
    assert result.ratio("machine") is None
    result.seconds["qemu-system-riscv64"] = [4.0, 5.0]
    assert result.ratio("machine") == 0.25
