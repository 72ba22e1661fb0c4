"""From a solution to what a student gets."""

from __future__ import annotations

import copy

import nbformat
import pytest

from tests.course.exercises.sample import cell, data, solution
from vtbook.course.exercises import (
    ExerciseError,
    instructor_version,
    load_solution,
    release,
    seed_of_student,
)


def test_the_students_notebook_has_no_solution_and_no_hidden_test():
    given = release(solution(2))
    text = nbformat.writes(given)
    assert "return 7 * n" not in text
    assert "HIDDEN" not in text
    assert "Only right for 1" not in text
    assert cell(given, "ex1").source == (
        "def times1(n):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    )
    assert cell(given, "ex1-check").source.endswith('f"times(1) is {times1(1)}."')
    nbformat.validate(given)


def test_a_solution_without_markers_is_cleared_as_a_whole():
    nb = solution()
    cell(nb, "ex1").source = "times1 = lambda n: 7 * n"
    assert cell(release(nb), "ex1").source == "# YOUR CODE HERE\nraise NotImplementedError()"


def test_the_seed_fills_text_and_code_alike_and_is_recorded():
    given, other = release(solution()), release(solution(), seed=5)
    assert cell(given, "ex1-task").source.startswith("## Exercise 1: Times 7 (2 points)")
    assert "== 7," in cell(given, "ex1-check").source
    assert (given.metadata.vtbook["seed"], other.metadata.vtbook["seed"]) == (0, 5)
    assert given.metadata.vtbook["points"] == 2
    factor = cell(other, "ex1-task").source.split()[4]
    assert factor != "7"
    assert f"== {factor}," in cell(other, "ex1-check").source
    assert "{{" not in nbformat.writes(other)


def test_the_variant_cell_is_not_given_out_and_the_solution_is_not_changed():
    nb = solution()
    before = copy.deepcopy(nb)
    made = instructor_version(nb, 3)
    release(nb, 3)
    assert nb == before
    assert "variant" not in [c.id for c in made.cells]
    assert "BEGIN SOLUTION" in cell(made, "ex1").source
    assert "BEGIN HIDDEN TESTS" in cell(made, "ex1-check").source


def test_outputs_are_cleared():
    nb = solution()
    shown = cell(nb, "ex1-check")
    shown.execution_count = 3
    shown.outputs = [nbformat.v4.new_output("stream", text="✓")]
    given = cell(release(nb), "ex1-check")
    assert (given.outputs, given.execution_count) == ([], None)


def test_a_placeholder_without_a_value_names_its_cell_and_what_there_is():
    nb = solution()
    cell(nb, "ex1-task").source += " {{ divisor }}"
    with pytest.raises(ExerciseError, match=r"90-sample, cell ex1-task: {{ divisor }} .* factor"):
        release(nb)


def test_a_format_that_does_not_suit_names_its_cell():
    nb = solution()
    cell(nb, "ex1-task").source += " {{ factor:zz }}"
    with pytest.raises(ExerciseError, match="cell ex1-task: a placeholder's format"):
        release(nb)


def test_a_variant_cell_that_raises_is_named_with_its_seed():
    nb = solution()
    cell(nb, "variant").source = "factor = 1 // 0"
    with pytest.raises(ExerciseError, match="cell variant: cannot be run with seed 4: ZeroDiv"):
        release(nb, 4)


def test_code_that_does_not_parse_once_it_is_cleared_is_refused():
    nb = solution()
    check = cell(nb, "ex1-check")
    check.source = "if True:\n    ### BEGIN HIDDEN TESTS\n    assert 1\n    ### END HIDDEN TESTS"
    with pytest.raises(ExerciseError, match=r"ex1-check: line 1: not Python when .* taken out"):
        release(nb)


def test_lines_of_magic_are_left_to_ipython():
    nb = solution()
    cell(nb, "ex1").source = "%load_ext vtbook\n" + cell(nb, "ex1").source
    assert cell(release(nb), "ex1").source.startswith("%load_ext")


def test_a_file_is_loaded_or_its_name_is_in_the_error(tmp_path):
    path = tmp_path / "90-sample.ipynb"
    nbformat.write(solution(), path)
    assert release(load_solution(path)) == release(solution())
    nb = solution()
    cell(nb, "ex1-check").metadata.update(data("ex1-check", grade=True, points=3))
    nbformat.write(nb, path)
    with pytest.raises(ExerciseError, match=r"90-sample\.ipynb: .* 3 points, the heading says 2"):
        load_solution(path)


def test_a_student_has_one_seed_wherever_it_is_computed():
    by_hand = 4_069_173_809  # printf "vtbook ana" | sha256sum: the first 32 bits, plus 1
    assert seed_of_student("ana") == seed_of_student(" ana ") == by_hand
    assert seed_of_student("Jose\u0301") == seed_of_student("Jos\u00e9")
    seeds = {seed_of_student(f"student{n}") for n in range(500)}
    assert len(seeds) == 500
    assert 0 not in seeds
