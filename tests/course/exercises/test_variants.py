"""Seeds, choices and placeholders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbook.course.exercises import Draw
from vtbook.course.exercises.variants import fill, parameters


def test_the_generator_is_splitmix64():
    """The first numbers for these seeds, from Vigna's C program and the Java library's tests."""
    draw = Draw(1234567)
    assert [draw.bits() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert Draw(0).bits() == 0xE220A8397B1DCDAF


@given(st.integers(0, 2**64), st.integers(-50, 50), st.integers(0, 50), st.integers(1, 9))
def test_integers_are_in_range_and_on_the_step(seed, low, span, step):
    drawn = Draw(seed).integer(low, low + span, step=step)
    assert low <= drawn <= low + span
    assert (drawn - low) % step == 0


def test_a_range_is_reached_to_both_ends():
    draw = Draw(9)
    assert {draw.integer(1, 6) for _ in range(200)} == {1, 2, 3, 4, 5, 6}


def test_the_published_choice_is_that_of_seed_0_alone_and_shifts_nothing():
    first, second = Draw(0), Draw(0)
    assert first.integer(1, 10**9, published=5) == 5
    second.integer(1, 10**9)
    assert first.bits() == second.bits()
    assert Draw(1).integer(1, 10**9, published=5) != 5


def test_what_cannot_be_chosen_is_refused():
    with pytest.raises(ValueError, match="nothing to choose"):
        Draw(0).integer(3, 2)
    with pytest.raises(ValueError, match="published=7 is none"):
        Draw(4).choice([1, 2], published=7)


def test_a_cell_draws_with_the_seed_that_it_is_run_with():
    source = "from vtbook.course.exercises import Draw\nd = Draw()\nn = d.integer(0, 10**9)\n_m = n"
    values = parameters(source, 3)
    assert values == {"n": Draw(3).integer(0, 10**9)}
    assert Draw().seed == 0


def test_placeholders_take_a_format():
    values = {"limit": 10_000, "name": "Ana", "x": 0.12345}
    filled = fill("{{ limit:,}}, {{limit}}, {{ name }}: {{ x:.2f }}; {one} {{}}", values)
    assert filled == "10,000, 10000, Ana: 0.12; {one} {{}}"
    with pytest.raises(LookupError, match="other"):
        fill("{{ other }}", values)
