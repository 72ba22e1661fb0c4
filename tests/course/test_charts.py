"""Charts of the chapters: pictures, with a text that says the same."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib")

from vtbook.course import classroom


@pytest.fixture
def shown(monkeypatch):
    """What is displayed."""
    import IPython.display

    found: list[dict[str, str]] = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: found.append(data))
    return found


def test_stacked_bars_say_each_part_and_have_a_legend(shown):
    values = {"boot": {"kernel": 700, "firmware": 300}, "ls": {"kernel": 90, "programs": 10}}
    classroom.stacked_chart(values, label="instructions (counted)")
    (data,) = shown
    assert data["text/plain"] == (
        "instructions (counted). boot: kernel 700, firmware 300; ls: kernel 90, programs 10"
    )
    assert "<svg" in data["image/svg+xml"]
    for part, colour in zip(("kernel", "firmware", "programs"), classroom.STACK, strict=False):
        assert f"<!-- {part} -->" in data["image/svg+xml"]
        assert colour in data["image/svg+xml"]


def test_the_length_of_a_stacked_bar_is_the_sum_of_its_parts(shown):
    classroom.stacked_chart({"a": {"x": 1200, "y": 34}}, label="things")
    assert "<!--  1,234 -->" in shown[0]["image/svg+xml"]
