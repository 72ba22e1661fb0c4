"""What check cells say."""

from __future__ import annotations

import numpy
import pytest
from IPython.core.interactiveshell import InteractiveShell

from vtbook.course.exercises import NotYet, Parts, checking
from vtbook.errors import VtbookError


@pytest.fixture
def cells():
    """``cells(answer, check)``: the error that the check raises after the answer has run."""
    shell = InteractiveShell()
    shell.run_cell("from vtbook.course.exercises import checking, Parts")

    def run(answer, check):
        shell.run_cell(answer)
        return shell.run_cell(check).error_in_exec

    return run


def test_a_check_that_holds_prints_a_tick(capsys):
    with checking("Well done."):
        assert True
    assert capsys.readouterr().out == "\N{CHECK MARK} Well done.\n"


def test_a_check_that_fails_raises_one_line():
    with pytest.raises(NotYet, match=r"^Not yet. a0 is 3, not 4.$") as caught, checking():
        raise AssertionError("a0 is 3, not 4.")
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, VtbookError)
    assert caught.value.__suppress_context__
    assert caught.value._render_traceback_() == ["\N{BALLOT X} Not yet. a0 is 3, not 4."]


def test_an_assert_without_a_message_shows_itself(cells):
    error = cells("x = 1", "with checking():\n    assert x == 2")
    assert str(error) == "Not yet. This does not hold: assert x == 2"


def test_code_that_is_missing_is_told_apart_from_code_that_was_not_run(cells):
    missing = cells("def f(): raise NotImplementedError()", "with checking():\n    f()")
    assert "where it says YOUR CODE HERE" in str(missing)
    not_run = cells("", "with checking():\n    g()")
    assert "There is no `g` yet. Complete the cell above" in str(not_run)


def test_an_error_in_the_students_code_is_shown_with_its_line(cells):
    answer = "def f(n):\n    a = n + 1\n    return a / 0"
    error = cells(answer, "with checking():\n    f(1)")
    assert "Your code stopped with ZeroDivisionError: division by zero" in str(error)
    assert "line 3 of your cell: return a / 0" in str(error)
    missing = cells("def f(): return undefined", "with checking():\n    f()")
    assert "name 'undefined' is not defined" in str(missing)
    assert "line 1 of your cell" in str(missing)


def test_an_assert_of_the_students_own_is_not_taken_for_the_checks(cells):
    error = cells("def f(): assert 1 == 2, 'mine'", "with checking():\n    f()")
    assert "Your code stopped with AssertionError: mine" in str(error)


def test_errors_of_this_library_say_what_they_say():
    with pytest.raises(NotYet, match=r"^Not yet. line 3: no instruction 'bnes'$"), checking():
        raise VtbookError("line 3: no instruction 'bnes'")


def test_an_interrupt_is_not_an_answer():
    with pytest.raises(KeyboardInterrupt), checking():
        raise KeyboardInterrupt
    parts = Parts()
    with pytest.raises(KeyboardInterrupt), parts.part("one", 1):
        raise KeyboardInterrupt


def test_parts_give_the_points_of_those_that_hold(capsys):
    parts = Parts("All of it.")
    with parts.part("one", 1):
        pass
    with parts.part("two", 2.5):
        raise AssertionError("2 is missing")
    assert parts.points() == 1
    said = capsys.readouterr().out
    assert "\N{CHECK MARK} one\n\N{BALLOT X} two: 2 is missing\n" in said
    assert "1 of 3.5 points" in said
    assert "All of it." not in said


def test_parts_that_all_hold_are_praised(capsys):
    parts = Parts("All of it.")
    with parts.part("one", 1):
        pass
    assert parts.points() == 1
    assert capsys.readouterr().out.endswith("\N{CHECK MARK} All of it.\n")


def test_no_part_is_an_error_and_not_a_number(capsys):
    parts = Parts()
    with parts.part("one", 1):
        assert numpy.all([False]), "no"
    with pytest.raises(NotYet, match="one: no"):
        parts.points()
    assert capsys.readouterr().out == ""
