"""The built site: whole, offline, alive, readable in both themes, with search and index."""

from __future__ import annotations

import json
import re
from threading import Thread

import pytest

from tests.course.publish.site.site_checks import broken_links, left_addresses, pages_of
from vtbook import RV64GC
from vtbook.course.publish.site_instructions import anchor_of, file_of
from vtbook.course.publish.site_server import server_of

START, FULL = "chapters/00-start.html", "chapters/05-full-emulation.html"
SECOND = "chapters/02-the-machine.html"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 840}


@pytest.fixture(scope="session")
def pages(site):
    return pages_of(site.folder)


def html(site, name):
    return (site.folder / name).read_text(encoding="utf-8")


def test_nothing_is_warned_of(site):
    assert not site.warnings, "\n".join(site.warnings)


def test_every_link_and_anchor_leads_somewhere(site, pages):
    assert len(pages) > 30
    assert not broken_links(site.folder, pages)


def test_nothing_is_fetched_from_elsewhere(site, pages):
    assert not left_addresses(site.folder, pages)


def test_every_chapter_and_exercise_has_a_page(site):
    from tests.course.publish.site.conftest import ROOT

    for folder in ("chapters", "exercises"):
        for path in (ROOT / folder).glob("[0-9][0-9]-*.ipynb"):
            assert (site.folder / folder / f"{path.stem}.html").is_file(), path.name


def test_chapters_have_outputs_and_exercises_have_none(site):
    assert "Hello from a machine that does not exist!" in html(site, START)
    assert "cell_output" not in html(site, "exercises/00-start.html")
    assert "YOUR CODE HERE" in html(site, "exercises/00-start.html")


def test_speaker_notes_are_not_on_the_site(site, pages):
    assert not [path for path in pages if "Speaker notes" in path.read_text(encoding="utf-8")]


def test_charts_are_in_the_page_and_described(site):
    drawn = re.findall(r'<svg role="img" aria-label="([^"]+)"', html(site, FULL))
    assert len(drawn) >= 3
    assert all(len(text) > 20 for text in drawn)


def test_the_front_page_has_a_card_for_each_chapter(open_page, site):
    page = open_page(site.folder / "index.html", wait=".vtb-card")
    titles = page.locator(".vtb-card-title").all_inner_texts()
    assert titles[:3] == ["00 · Start here", "02 · The machine", "05 · Full emulation"]
    page.click(".vtb-card >> nth=0")
    page.wait_for_url(f"**/{START}")


def test_next_and_previous_lead_through_the_book(open_page, site):
    page = open_page(site.folder / START, wait=".prev-next-footer")
    page.click(".prev-next-footer a.right-next")
    page.wait_for_url(f"**/{SECOND}")
    page.click(".prev-next-footer a.left-prev")
    page.wait_for_url(f"**/{START}")


@pytest.mark.parametrize("name", [START, FULL])
def test_widgets_are_alive_and_pages_ask_nobody(open_page, site, name):
    page = open_page(site.folder / name, wait=".vtbook-widget .vtb")
    widget = page.locator(".vtbook-widget").first
    slider = widget.locator("input[type=range]").first
    before = int(slider.input_value())
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert int(slider.input_value()) == before + 1
    assert page.left == []


def test_the_first_use_of_a_term_is_a_quiet_link_with_its_meaning(open_page, site):
    page = open_page(site.folder / START, wait="a.vtb-term")
    terms = page.locator("a.vtb-term")
    words = [text.lower() for text in terms.all_inner_texts()]
    assert {"guest", "host", "breakpoint", "trap"} <= set(words)
    assert len(words) == len(set(words))
    assert page.locator(":is(h1, h2, h3, pre, code) a.vtb-term").count() == 0
    guest = terms.filter(has_text=re.compile("^guest$"))
    assert guest.get_attribute("title") == "what runs inside the machine."
    guest.click()
    page.wait_for_url("**/glossary.html#term-guest")


def test_citations_lead_to_the_bibliography(open_page, site):
    page = open_page(site.folder / FULL, wait="article")
    page.get_by_role("link", name="Bell, 1973").click()
    page.wait_for_url("**/references.html#*")
    entry = page.locator(":target")
    assert "Threaded code" in page.locator(".citation", has=entry).or_(entry).first.inner_text()


def test_every_instruction_is_in_the_reference_with_its_source(site):
    for extension in RV64GC.extensions:
        page = html(site, f"instructions/{file_of(extension)}.html")
        for item in extension.instructions:
            assert f'id="{anchor_of(item)}"' in page, item.name
        assert page.count('class="vtb-encoding"') == len(extension.instructions)
    text = re.sub(r"<[^>]+>", "", html(site, "instructions/i.html"))
    assert "h.x[d.rd] = sext32(h.x[d.rs1] + h.x[d.rs2])" in text


def test_the_list_of_instructions_can_be_filtered(open_page, site):
    page = open_page(site.folder / "instructions" / "index.html", wait="#vtb-filter")
    page.get_by_label("Find an instruction").fill("branch unsigned")
    shown = page.locator("table.vtb-instructions tbody tr:visible td:first-child")
    names = {text.split()[0] for text in shown.all_inner_texts()}
    assert names == {"bltu", "bgeu"}


def test_the_index_has_terms_instructions_names_and_keywords(site):
    text = re.sub(r"<[^>]+>", "", html(site, "genindex.html"))
    for entry in ("addw (instruction)", "threaded code", "decode cache", "Machine (class in"):
        assert entry in text, entry


def test_api_pages_show_types_and_link_to_source_on_the_site(site):
    page = html(site, "api/vtbook.machine.html")
    assert 'id="vtbook.machine.Machine.run"' in page
    assert 'href="../_modules/vtbook/machine/machine.html#Machine' in page
    assert "instructions" in page


def test_search_works_from_a_file(open_page, site):
    page = open_page(
        f"{(site.folder / 'search.html').as_uri()}?q=threaded+code", wait="#search-results li a"
    )
    found = page.locator("#search-results li a").all_inner_texts()
    assert any("Full emulation" in title or "Threaded code" in title for title in found), found
    assert page.left == []


def test_search_through_the_server_shows_excerpts(open_page, site):
    server = server_of(site.folder, 0)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        page = open_page(
            f"{address}/search.html?q=sieve", online=True, wait="#search-results li p.context"
        )
        assert "sieve" in page.locator("#search-results p.context").first.inner_text().lower()
        assert [url for url in page.left if not url.startswith(address)] == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_theme_switches_and_charts_and_widgets_follow(open_page, site):
    page = open_page(site.folder / FULL, wait=".vtbook-widget .vtb", color_scheme="light")
    colours = {}
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        page.wait_for_timeout(300)
        colours[theme] = page.evaluate(
            """() => ['.vtb-chart', '.vtbook-widget .vtb', '.bd-article'].map(
                 (where) => getComputedStyle(document.querySelector(where)).color)"""
        )
    assert all(a != b for a, b in zip(colours["light"], colours["dark"], strict=True)), colours


@pytest.mark.parametrize(
    "name", ["index.html", START, SECOND, FULL, "instructions/c.html", "genindex.html"]
)
def test_narrow_screens_do_not_scroll_sideways(open_page, site, name):
    page = open_page(site.folder / name, wait="article", viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


KNOWN_FAULTS: dict[str, str] = {}
"""Rule of axe-core -> why the theme breaks it and we leave it."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        START,
        SECOND,
        "api/vtbook.machine.html",
        "chapters/glossary.html",
        "instructions/i.html",
    ],
)
def test_pages_are_accessible(open_page, axe, site, name, theme):
    page = open_page(site.folder / name, wait="article", viewport=WIDE, color_scheme=theme)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    found = [fault for fault in axe(page) if fault.split(":")[0] not in KNOWN_FAULTS]
    assert not found, "\n".join(found)


def test_the_printed_page_is_the_article(open_page, site):
    page = open_page(site.folder / START, wait="article")
    page.emulate_media(media="print")
    for side in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".prev-next-footer"):
        assert not page.locator(side).first.is_visible(), side
    assert page.get_by_role("heading", name="00 · Start here").first.is_visible()


def test_the_inventory_names_what_other_sites_may_link_to(site):
    from sphinx.util.inventory import InventoryFile

    with (site.folder / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda a, b: b)
    assert "vtbook.machine.Machine" in json.dumps(list(inventory["py:class"]))
    assert "threaded code" in inventory["std:term"]
