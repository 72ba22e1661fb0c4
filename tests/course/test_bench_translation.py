"""vtbook bench translation: the same instructions with and without page tables."""

import json

import pytest

from vtbook.course.bench_translation import (
    Result,
    TranslationBenchError,
    mean_share,
    measure_translation,
)


def test_programs_retire_the_same_instructions_under_page_tables(vtbook):
    done = vtbook("bench", "translation", "sieve", "calls", "--small", "--runs", "1", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert [program["name"] for program in data["programs"]] == ["sieve", "calls"]
    for program in data["programs"]:
        assert program["instructions"] > 100_000
        physical, translated = (program["seconds"][way][0] for way in ("physical", "Sv39"))
        assert program["share"] == pytest.approx(physical / translated)


def test_an_unknown_program_is_named():
    with pytest.raises(TranslationBenchError, match="no program 'nothing'; there are"):
        measure_translation(["nothing"])


def test_the_mean_is_geometric_and_of_the_best_turns():
    results = [
        Result("a", 1, {"physical": [1.0, 3.0], "Sv39": [2.0, 5.0]}),
        Result("b", 1, {"physical": [4.0], "Sv39": [2.0]}),
    ]
    assert [result.share for result in results] == [0.5, 2.0]
    assert mean_share(results) == pytest.approx(1.0)
