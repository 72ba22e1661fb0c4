"""The live cards of the start page: what they say, and whether everybody can read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbook.course.book import chapters
from vtbook.course.home import cards_html
from vtbook.course.reading import Reading

ROOT = Path(__file__).parents[2]


def reading(chapter, run):
    return Reading(chapter.path.stem, chapter.title, None, run, 30, 2, 6, 6, 20)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The cards in a page of their own, for one theme."""
    known = chapters(ROOT)
    body = cards_html(known, [reading(one, 15 * n) for n, one in enumerate(known)], None)

    def write(scheme):
        path = tmp_path_factory.mktemp("home") / f"{scheme}.html"
        colours = "#111;color:#eee" if scheme == "dark" else "#fff;color:#111"
        links = "#7db3f7" if scheme == "dark" else "#0b4aa2"
        path.write_text(
            f'<!DOCTYPE html><html lang="en"><title>Home</title><style>body{{background:{colours}}}'
            f"a{{color:{links}}}</style><main><h1>Home</h1>{body}</main></html>"
        )
        return path

    return write


def test_each_card_tells_how_far_the_reader_is():
    known = chapters(ROOT)
    text = cards_html(known, [reading(one, 15) for one in known], None)
    assert text.count("15 of 30 cells run") == len(known)
    for chapter in known:
        assert f'href="{chapter.path.name}"' in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_cards_are_accessible(page, open_page, axe, scheme):
    shown = open_page(page(scheme), wait=".vtb-home", color_scheme=scheme)
    assert axe(shown) == []
    assert shown.locator(".vtb-home li").count() == len(chapters(ROOT))
