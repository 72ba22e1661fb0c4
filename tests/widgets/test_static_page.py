"""The stepper in a page exported from a notebook, opened from disk with the network off."""

from __future__ import annotations

import pytest

from tests.widgets.sample import long_trace, sample_trace
from vtbook.widgets import Stepper, export_notebook, static_html
from vtbook.widgets.static import ExportError

STEPS = 39
JUMP, READ, WRITE, FLOAT, PRINT, TRAP, EXIT = 8, 9, 24, 25, 29, 34, 39


@pytest.fixture(scope="module")
def exported(notebook, tmp_path_factory):
    """The notebook run and written as one HTML file."""
    target = tmp_path_factory.mktemp("exported") / "steps.html"
    return export_notebook(notebook, target, execute=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write one widget as a page of its own and return its path."""
    folder = tmp_path_factory.mktemp("pages")

    def write(widget, name="page.html"):
        path = folder / name
        path.write_text(static_html(widget, page=True), encoding="utf-8")
        return path

    return write


def seek(page, step):
    page.locator(".vtb-slider").first.fill(str(step))


def step_shown(page):
    return page.locator(".vtb-position").first.text_content()


def changed(page):
    """Names of the registers marked as changed, in the first widget of the page."""
    marked = page.locator(".vtb").first.locator(".vtb-register[data-changed]:visible")
    return [cell.get_attribute("data-register") for cell in marked.all()]


def words(page):
    return page.locator(".vtb-words").first.inner_text().split("\n")


# --- The exported notebook ----------------------------------------------------------------------


def test_the_page_needs_no_network(open_page, exported):
    page = open_page(exported)
    seek(page, 20)
    assert page.left == []
    assert "://" not in "".join(
        page.eval_on_selector_all("[src], link[href]", "all => all.map(n => n.src || n.href)")
    ).replace("data:image", "")


def test_the_page_keeps_the_prose_and_drops_the_widget_manager(open_page, exported):
    page = open_page(exported)
    assert page.locator("h1").inner_text().startswith("A program, step by step")
    text = exported.read_text(encoding="utf-8")
    assert "embed-amd" not in text
    assert "require.js" not in text
    assert text.count("data-vtbook-module=") == 1 + text.count('data-vtbook-module="${key}"')


def test_two_views_of_one_widget_move_together(open_page, exported):
    page = open_page(exported)
    page.wait_for_function("document.querySelectorAll('.vtb').length === 2")
    page.locator(".vtb").nth(1).locator("[data-action=next]").click()
    assert [node.text_content() for node in page.locator(".vtb-position").all()] == [
        f"Step 1 of {STEPS}"
    ] * 2


def test_without_scripts_the_table_is_there(open_page, exported):
    page = open_page(exported, java_script_enabled=False, wait="table")
    assert page.locator("table").count() == 2
    assert page.locator("table").first.locator("tbody tr").count() == STEPS
    assert page.locator("table").first.is_visible()


def test_a_notebook_whose_widget_state_was_not_saved_is_refused(notebook, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.read(notebook, as_version=4)
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "gone"}}
    book.cells[1].outputs = [nbformat.v4.new_output("display_data", data=view)]
    source = tmp_path / "stale.ipynb"
    nbformat.write(book, source)
    with pytest.raises(ExportError, match=r"stale\.ipynb: the state of the widget in cell 1"):
        export_notebook(source, tmp_path / "out.html")
    with pytest.raises(ExportError, match="no such notebook"):
        export_notebook(tmp_path / "none.ipynb", tmp_path / "out.html")


# --- Controls and keys --------------------------------------------------------------------------


def test_every_button_moves_as_it_says(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    for action, step in [
        ("next", 1),
        ("next", 2),
        ("previous", 1),
        ("last", STEPS),
        ("next", STEPS),
        ("first", 0),
        ("previous", 0),
    ]:
        # force: Playwright waits for ever on a button that says it is disabled.
        root.locator(f"[data-action={action}]").click(force=True)
        assert step_shown(page) == f"Step {step} of {STEPS}", action
        assert root.locator(".vtb-slider").input_value() == str(step)


def test_every_key_moves_as_the_help_says(open_page, exported):
    page = open_page(exported)
    page.locator(".vtb").first.focus()
    for key, step in [
        ("ArrowRight", 1),
        ("ArrowDown", 2),
        ("ArrowLeft", 1),
        ("ArrowUp", 0),
        ("PageDown", 10),
        ("PageDown", 20),
        ("PageUp", 10),
        ("End", STEPS),
        ("PageUp", STEPS - 10),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        assert step_shown(page) == f"Step {step} of {STEPS}", key


def test_keys_on_the_slider_do_what_sliders_do(open_page, exported):
    page = open_page(exported)
    page.locator(".vtb-slider").first.focus()
    for key, step in [("ArrowRight", 1), ("ArrowUp", 2), ("PageUp", 12), ("PageDown", 2)]:
        page.keyboard.press(key)
        assert step_shown(page) == f"Step {step} of {STEPS}", key


def test_used_keys_do_not_reach_the_host_and_others_do(open_page, exported):
    page = open_page(exported)
    page.evaluate("addEventListener('keydown', e => (window.seen ??= []).push(e.key))")
    page.locator(".vtb").first.focus()
    scrolled = page.evaluate("scrollY")
    for key in ["ArrowRight", "ArrowDown", "End", "PageUp", " ", "x", "Control+ArrowRight"]:
        page.keyboard.press(key)
    assert page.evaluate("window.seen") == ["x", "Control", "ArrowRight"]
    assert page.evaluate("scrollY") == scrolled
    assert page.locator(".vtb").first.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_space_plays_to_the_end_and_a_move_pauses(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    root.locator(".vtb-select").first.select_option("30")
    root.focus()
    page.keyboard.press(" ")
    button = root.locator(".vtb-primary")
    assert button.get_attribute("aria-label") == "Pause"
    page.wait_for_function("document.querySelector('.vtb-slider').value > 2")
    assert root.locator(".vtb-words").get_attribute("aria-live") == "off"
    page.keyboard.press("ArrowLeft")
    assert button.get_attribute("aria-label") == "Play"
    at = step_shown(page)
    page.wait_for_timeout(150)
    assert step_shown(page) == at
    assert root.locator(".vtb-words").get_attribute("aria-live") == "polite"
    button.click()
    page.wait_for_function(f"document.querySelector('.vtb-slider').value == {STEPS}")
    page.wait_for_function("document.querySelector('.vtb-primary').title === 'Play'")
    assert step_shown(page) == f"Step {STEPS} of {STEPS}"


# --- What a step shows --------------------------------------------------------------------------


def test_before_the_first_step_nothing_is_marked(open_page, exported):
    page = open_page(exported)
    assert changed(page) == []
    assert words(page) == ["Nothing has run yet.", "Next is auipc a0, 0x1 at 0x80000000."]
    assert page.locator("[data-executed]").count() == 0
    assert page.locator(".vtb").first.locator("[data-next]").count() == 1


def test_changed_registers_are_marked_with_more_than_colour(open_page, exported):
    page = open_page(exported)
    seek(page, 1)
    assert changed(page) == ["a0"]
    cell = page.locator("[data-register=a0]").first
    assert "x10" in cell.inner_text()
    assert "0000000080001000" in cell.inner_text()
    assert cell.locator(".vtb-mark").text_content() == "◆"
    assert int(cell.evaluate("n => getComputedStyle(n).fontWeight")) >= 700
    assert cell.text_content().endswith("changed")
    seek(page, 2)
    assert changed(page) == ["a1"]
    assert cell.locator(".vtb-mark").text_content() == ""


def test_a_jump_is_told_and_drawn(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    seek(page, JUMP)
    executed, following = root.locator("[data-executed]"), root.locator("[data-next]")
    assert "bnez a1, loop" in executed.inner_text()
    assert executed.get_attribute("aria-current") == "step"
    assert "ld a3, 0(a0)" in following.inner_text()
    assert words(page)[-1] == "jumps to loop (0x80000008)."
    assert root.locator(".vtb-jumps").is_visible()
    seek(page, READ)
    assert not root.locator(".vtb-jumps").is_visible()


def test_bytes_read_and_written_are_marked(open_page, exported):
    page = open_page(exported)
    bytes_ = page.locator(".vtb").first.locator(".vtb-byte[data-mark]")
    seek(page, READ)
    assert [b.get_attribute("data-mark") for b in bytes_.all()] == ["r"] * 8
    assert "reads 8 bytes at 0x80001008" in words(page)[-1]
    seek(page, WRITE)
    assert [b.get_attribute("data-mark") for b in bytes_.all()] == ["w"] * 8
    pairs = [b.text_content().split()[0] for b in bytes_.all()]
    assert bytes.fromhex("".join(pairs)) == (0x16F_6C6C_6544).to_bytes(8, "little")
    seek(page, WRITE - 1)
    row = page.locator(".vtb-bytes-row", has_text="80001020").first
    assert set(row.locator(".vtb-byte").all_text_contents()) == {"00"}


def test_another_region_can_be_chosen_and_scrolled(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    root.locator(".vtb-memory select").select_option(label="stack")
    row = root.locator(".vtb-bytes-row").first
    assert row.inner_text().startswith("80002000")
    root.locator(".vtb-bytes").evaluate("n => n.scrollTop = n.scrollHeight")
    last = root.locator(".vtb-bytes-row", has_text="800027f0")
    last.wait_for()
    assert last.locator(".vtb-byte").last.text_content() == "3f"
    seek(page, READ)  # follows the access back to the other region
    assert root.locator(".vtb-memory select").evaluate("n => n.selectedOptions[0].text") == "data"


def test_floating_point_registers_have_their_tab(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    seek(page, FLOAT)
    tab = root.get_by_role("button", name="Floating point")
    assert tab.get_attribute("data-changed") is not None
    assert changed(page) == ["mstatus"]
    tab.click()
    assert changed(page) == ["fa0", "mstatus"]
    cell = root.locator("[data-register=fa0]")
    cell.hover()
    total = 3 + (1 << 40) - 7 + 0x6F6C_6C65_48
    assert root.locator(".vtb-field-double").text_content() == str(total)


def test_console_output_grows_and_shrinks_with_the_steps(open_page, exported):
    page = open_page(exported)
    screen = page.locator(".vtb-screen").first
    assert screen.inner_text() == "Nothing printed yet."
    seek(page, PRINT + 2)
    assert screen.text_content().startswith("OK")
    assert screen.locator(".vtb-fresh").text_content() == "K"
    seek(page, PRINT)
    assert screen.locator(".vtb-fresh").text_content() == "O"


def test_a_trap_is_announced_in_words(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    seek(page, TRAP)
    event = root.locator(".vtb-event")
    assert event.inner_text() == (
        "Trap: environment call from U-mode (cause 8), epc 0x80000036, tval 0x0"
    ).replace("Trap:", "Trap")
    assert root.locator("[data-trapped]").count() == 1
    assert changed(page) == ["mcause", "mepc"]
    assert "M (machine)" in root.locator(".vtb-header").inner_text()
    assert root.locator(".vtb-readout").last.inner_text().endswith("33")
    seek(page, EXIT)
    assert "the machine was switched off" in event.inner_text()
    seek(page, EXIT - 1)
    assert not event.is_visible()


def test_a_register_can_be_read_in_every_form(open_page, exported):
    page = open_page(exported)
    root = page.locator(".vtb").first
    seek(page, 14)  # a3 has just been loaded with -7

    def forms():
        terms = root.locator(".vtb-term").all_text_contents()
        return dict(zip(terms, root.locator(".vtb-field").all_text_contents(), strict=True))

    root.locator("[data-register=a3]").hover()
    assert root.locator(".vtb-inspect-name").text_content() == "a3 (x13)"
    assert forms() == {
        "hex": "0xfffffffffffffff9",
        "signed": "−7",
        "unsigned": str((1 << 64) - 7),
        "characters": "········",
        "double": "NaN",
        "single": "NaN",
    }
    page.mouse.move(0, 0)
    assert root.locator(".vtb-inspect-name").text_content() == "a0 (x10)"
    seek(page, 19)
    root.locator("[data-register=zero]").focus()
    for _ in range(13):
        page.keyboard.press("ArrowDown")
    assert root.locator(".vtb-inspect-name").text_content() == "a3 (x13)"
    assert forms()["characters"] == "Hello···"
    page.keyboard.press("ArrowRight")
    assert step_shown(page) == f"Step 20 of {STEPS}"


def test_stepping_back_shows_what_stepping_forward_showed(open_page, files):
    page = open_page(files(Stepper(sample_trace())))
    texts = page.evaluate(
        """() => {
          const read = () => document.querySelector('.vtb').innerText;
          const click = (name) => document.querySelector(`[data-action=${name}]`).click();
          const forward = [read()];
          for (let i = 0; i < 39; i += 1) { click('next'); forward.push(read()); }
          const back = [read()];
          for (let i = 0; i < 39; i += 1) { click('previous'); back.unshift(read()); }
          return [forward, back];
        }"""
    )
    forward, back = texts
    assert len(set(forward)) == 40
    memory_aside = [[text.split("Memory")[0] for text in run] for run in (forward, back)]
    assert memory_aside[0] == memory_aside[1]


def test_modified_code_is_shown_from_its_step_on(open_page, files):
    from vtbook.widgets import TraceBuilder

    b = TraceBuilder(
        title="t", listing=[(0, "4505", "li a0, 1", "")], registers={"x": [0] * 32}, pc=0
    )
    b.step(pc=0, x={10: 1})
    b.line(0, "4509", "li a0, 2")
    b.step(pc=0, x={10: 2})
    page = open_page(files(Stepper(b.build()), "modified.html"))
    line = page.locator(".vtb-line .vtb-code")
    assert line.text_content() == "li a0, 1"
    seek(page, 2)
    assert line.text_content() == "li a0, 2"
    assert page.locator(".vtb-glyph", has_text="↻").count() == 1
    seek(page, 1)
    assert line.text_content() == "li a0, 1"


def test_the_least_trace_shows_a_widget_with_nothing_to_step(open_page, files):
    from vtbook.widgets import TraceBuilder

    b = TraceBuilder(title="empty", listing=[], registers={"x": [0] * 32}, pc=4)
    page = open_page(files(Stepper(b.build()), "empty.html"))
    assert step_shown(page) == "Step 0 of 0"
    assert words(page)[-1] == "Next is the instruction at 0x4."
    page.locator(".vtb").focus()
    for key in ["ArrowRight", " ", "End"]:
        page.keyboard.press(key)
    assert step_shown(page) == "Step 0 of 0"
    assert page.locator(".vtb-panel").count() == 1


def test_two_thousand_steps_move_at_once(open_page, files):
    page = open_page(files(Stepper(long_trace(2000)), "long.html"))
    took = page.evaluate(
        """() => {
          const slider = document.querySelector('.vtb-slider');
          const start = performance.now();
          slider.value = 2000;
          slider.dispatchEvent(new Event('input'));
          return performance.now() - start;
        }"""
    )
    assert step_shown(page) == "Step 2000 of 2000"
    assert took < 500
    value = page.locator("[data-register=a0]").inner_text()
    assert value.endswith(f"{667:016x}")


# --- Layout, themes, language -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "language"),
    [(1100, "en"), (750, "en"), (750, "pt"), (700, "en"), (520, "en"), (360, "pt")],
)
def test_panels_stay_in_place_and_nothing_is_cut(open_page, files, width, language):
    path = files(Stepper(sample_trace(), language=language), f"{language}.html")
    page = open_page(path, viewport={"width": width, "height": 1000})
    boxes = page.evaluate(
        """() => {
          const boxes = [];
          for (let i = 0; i < 40; i += 1) {
            const of = (n) => { const b = n.getBoundingClientRect(); return [b.x, b.y, b.width]; };
            boxes.push([...document.querySelectorAll('.vtb-panel, .vtb-transport')].map(of).flat());
            document.querySelector('[data-action=next]').click();
          }
          return boxes;
        }"""
    )
    if width >= 700:
        assert len({tuple(box) for box in boxes}) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = page.eval_on_selector_all(
        ".vtb-register, .vtb-inspect, .vtb-transport, .vtb-words, .vtb-bytes",
        "all => all.filter(n => n.offsetParent && n.scrollWidth > n.clientWidth + 1)"
        ".map(n => n.className + n.textContent)",
    )
    assert cut == []


def test_a_row_of_memory_has_as_many_bytes_as_fit(open_page, files):
    path = files(Stepper(sample_trace()))
    for width, columns in [(1100, 16), (750, 16), (360, 8), (250, 4)]:
        page = open_page(path, viewport={"width": width, "height": 900})
        page.wait_for_function(
            f"document.querySelector('.vtb-bytes-content').dataset.columns === '{columns}'"
        )


HOSTS = {
    "JupyterLab": "document.body.setAttribute('data-jp-theme-light', '{lab}')",
    "sphinx-book-theme": "document.documentElement.setAttribute('data-theme', '{name}')",
    "a page's background": "document.body.style.background = '{colour}'",
}


@pytest.mark.parametrize("host", HOSTS)
def test_the_widget_takes_the_theme_of_its_host(open_page, files, host):
    page = open_page(files(Stepper(sample_trace())), color_scheme="light")
    root = page.locator(".vtb")
    for name, lab, colour in [("dark", "false", "#111"), ("light", "true", "#fff")]:
        page.evaluate(HOSTS[host].format(lab=lab, name=name, colour=colour))
        page.wait_for_selector(f".vtb[data-vtb-theme={name}]")
        ground = root.evaluate("n => getComputedStyle(n).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (name == "light")


def test_the_widget_follows_the_system_where_the_host_says_nothing(open_page, files):
    page = open_page(files(Stepper(sample_trace())), color_scheme="dark")
    assert page.locator(".vtb").get_attribute("data-vtb-theme") == "dark"
    page.emulate_media(color_scheme="light")
    page.wait_for_selector(".vtb[data-vtb-theme=light]")


def test_nothing_moves_by_itself(open_page, files):
    page = open_page(files(Stepper(sample_trace())), reduced_motion="reduce")
    seek(page, TRAP)
    assert page.evaluate("document.getAnimations().length") == 0
    durations = page.eval_on_selector_all(
        ".vtb, .vtb *", "all => [...new Set(all.map(n => getComputedStyle(n).transitionDuration))]"
    )
    assert durations == ["0s"]


def test_the_widget_speaks_portuguese(open_page, files):
    page = open_page(files(Stepper(sample_trace(), language="pt"), "pt.html"))
    assert page.locator(".vtb").get_attribute("lang") == "pt"
    assert step_shown(page) == f"Passo 0 de {STEPS}"
    seek(page, TRAP)
    text = page.locator(".vtb").inner_text()
    assert "chamada de ambiente do modo U (causa 8)" in text
    assert "Registradores" in text


def test_only_the_chosen_panels_are_shown_in_the_given_order(open_page, files):
    stepper = Stepper(sample_trace(), panels=["csrs", "listing"], step=3)
    page = open_page(files(stepper, "panels.html"))
    names = page.eval_on_selector_all(".vtb-panel", "all => all.map(n => n.className)")
    assert names == ["vtb-panel vtb-csrs", "vtb-panel vtb-listing"]
    assert step_shown(page) == f"Step 3 of {STEPS}"
    page.locator("[data-register=mtvec]").hover()
    assert page.locator(".vtb-inspect").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(open_page, files, axe, theme):
    page = open_page(files(Stepper(sample_trace())), color_scheme=theme)
    seek(page, TRAP)
    assert axe(page) == []
    page.get_by_role("button", name="Floating point").click()
    for step, panel in [(READ, ".vtb-memory"), (WRITE, ".vtb-memory"), (FLOAT, ".vtb-registers")]:
        seek(page, step)
        assert axe(page, panel, rules=["color-contrast"]) == [], step
