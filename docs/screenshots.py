"""Make the pictures of the documents: start page, chapter, gallery, slides, site, light and dark.

    python docs/screenshots.py [FOLDER]

Runs the notebooks in a JupyterLab of their own, writes slides and site, and takes the pictures with
a Chromium from the PATH. It needs the ``test`` and ``site`` extras, and a clone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.lab_server import EXECUTE, run_all_cells, running_lab  # noqa: E402
from vtbook.course.publish.chromium import find_browser  # noqa: E402
from vtbook.course.publish.site import build_site  # noqa: E402
from vtbook.course.publish.slides import slides_page  # noqa: E402

SWITCHES = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TIMEOUT = 120_000  # milliseconds; on the first run the machine is compiled
STEP = 14  # of the recording in chapter 00: puts has printed one character and reads the next
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
GALLERY = {"timeline": 4, "pagewalk": 0, "bytegrid": 4}  # widget -> steps from where it opens
LARGEST = 300_000  # bytes of a picture
WINDOW = {"width": 1180, "height": 900}
SLIDE = {"width": 1280, "height": 720}


def command(page: Page, name: str, **options: Any) -> None:
    """Execute a command of JupyterLab."""
    page.evaluate(EXECUTE, [name, options])


def open_and_run(page: Page, address: str) -> None:
    """A notebook in a window without side bars, after all its cells have run."""
    page.goto(address)
    run_all_cells(page, TIMEOUT)
    command(page, "application:toggle-left-area")
    command(page, "notebook:move-cursor-up")


def set_theme(page: Page, name: str) -> None:
    """Switch JupyterLab to its ``light`` or ``dark`` theme."""
    command(page, "apputils:change-theme", theme=THEMES[name])
    wanted = "true" if name == "light" else "false"
    page.wait_for_selector(f"body[data-jp-theme-light={wanted}]", state="attached", timeout=TIMEOUT)
    page.wait_for_timeout(800)


def keep(path: Path, take: Callable[[Path], Any]) -> None:
    """Take a picture with at most 256 colours; end the script if it is too large."""
    take(path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path}: {size / 1000:.0f} kB", flush=True)
    if size >= LARGEST:
        sys.exit(f"screenshots: {path} has {size:,} bytes; keep it below {LARGEST:,}")


def both_themes(page: Page, folder: Path, name: str, target: Any = None) -> None:
    """Pictures of the window, or of one element, in JupyterLab's two themes."""
    for theme in THEMES:
        set_theme(page, theme)
        what = page if target is None else target
        keep(folder / f"{name}-{theme}.png", lambda path, what=what: what.screenshot(path=path))


def in_the_lab(browser: Any, at: Callable[[str], str], folder: Path) -> None:
    """Chapter and stepper; the start page, which knows that the chapter was run; gallery."""
    page = browser.new_page(viewport=WINDOW)
    open_and_run(page, at("lab/tree/chapters/00-start.ipynb?reset"))
    stepper = page.locator(".vtb-stepper").first
    stepper.scroll_into_view_if_needed()
    stepper.locator(".vtb-title").click()
    for _ in range(STEP):
        page.keyboard.press("ArrowRight")
    both_themes(page, folder, "stepper", stepper)
    page.get_by_role("heading", name="What the processor sees").scroll_into_view_if_needed()
    both_themes(page, folder, "chapter")

    page = browser.new_page(viewport={**WINDOW, "height": 1150})
    open_and_run(page, at("lab/tree/chapters/home.ipynb?reset"))
    page.locator(".jp-Notebook .jp-Cell").first.scroll_into_view_if_needed()
    both_themes(page, folder, "start")

    page = browser.new_page(viewport={**WINDOW, "height": 1000})
    open_and_run(page, at("lab/tree/docs/widget-gallery.ipynb?reset"))
    for name in GALLERY:
        widget = page.locator(f".vtb-{name}").first
        widget.scroll_into_view_if_needed()
        widget.locator(".vtb-title").first.click()
        for _ in range(GALLERY[name]):
            page.keyboard.press("ArrowRight")
        both_themes(page, folder, f"gallery-{name}", widget)


def of_slides(browser: Any, folder: Path, scratch: Path) -> None:
    """A slide of chapter 05 that has a widget or code on it."""
    for theme in THEMES:
        path = scratch / f"slides-{theme}.html"
        path.write_text(slides_page(ROOT / "chapters" / "05-full-emulation.ipynb", theme=theme))
        page = browser.new_page(viewport=SLIDE)
        page.goto(path.as_uri())
        page.wait_for_timeout(2000)
        for _ in range(9):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(150)
        page.wait_for_timeout(800)
        keep(folder / f"slides-{theme}.png", lambda path, page=page: page.screenshot(path=path))


def of_the_site(browser: Any, folder: Path, scratch: Path) -> None:
    """Start page and a chapter of the web site."""
    made = build_site(ROOT, scratch / "site")
    for theme in THEMES:
        context = browser.new_context(viewport=WINDOW, color_scheme=theme)
        context.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
        )
        page = context.new_page()
        for name, file in (("site", "index.html"), ("site-chapter", "chapters/00-start.html")):
            page.goto((made.folder / file).as_uri())
            page.wait_for_timeout(1500)
            take: Callable[[Path], Any] = lambda path, page=page: page.screenshot(path=path)  # noqa: E731
            keep(folder / f"{name}-{theme}.png", take)


def main(folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vtbook-pictures-") as scratch:
        book = Path(scratch, "book")
        for name in ("chapters", "exercises"):
            shutil.copytree(ROOT / name, book / name)
        (book / "docs").mkdir()
        for notebook in (ROOT / "docs").glob("*.ipynb"):
            shutil.copy(notebook, book / "docs")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=SWITCHES)
            with running_lab(book, home=Path(scratch, "own")) as at:
                in_the_lab(browser, at, folder)
            of_slides(browser, folder, Path(scratch))
            of_the_site(browser, folder, Path(scratch))
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
