"""What all tests share: hypothesis without deadlines, since the first call of a thing compiles it;
a real browser with the network off; axe-core where it is installed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from vtbook.course.publish.chromium import BrowserError, find_browser

settings.register_profile("vtbook", deadline=None, print_blob=True)
settings.load_profile("vtbook")

ROOT = Path(__file__).parents[1]
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the playwright package")
    try:
        found = find_browser()
    except BrowserError as error:
        pytest.skip(f"needs a browser: {error}")
    with playwright.sync_playwright() as pw:
        browser = pw.chromium.launch(executable_path=found, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Return ``open(path_or_url, **options)``: a page that fails the test on a script error.

    ``page.left`` lists the requests for anything but files and data; a file page is offline.
    """
    contexts = []

    def open_at(address, *, online=False, wait=".vtb", **options):
        options.setdefault("viewport", {"width": 800, "height": 1000})
        context = browser.new_context(offline=not online, **options)
        contexts.append(context)
        page = context.new_page()
        page.left, page.errors = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("file:", "data:", "blob:")) or page.left.append(request.url)
            ),
        )
        page.goto(address.as_uri() if isinstance(address, Path) else address)
        if wait:
            page.wait_for_selector(wait)
        return page

    yield open_at
    errors = [error for context in contexts for page in context.pages for error in page.errors]
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="session")
def axe():
    """Return ``axe(page, selector, rules)``: what axe-core finds wrong, as readable lines."""
    package = pytest.importorskip(
        "axe_playwright_python", reason="needs axe-core, as the axe-playwright-python package"
    )
    script = (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    def violations(page, selector=None, rules=None):
        page.evaluate(script)
        options = {"runOnly": rules} if rules else {}
        run = "async ([where, options]) => await axe.run(where ?? document, options)"
        found = page.evaluate(run, [selector, options])
        assert found["passes"], "axe found nothing to check"
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return violations


@pytest.fixture(scope="session")
def kernel_path():
    """Let kernels started by a test import the package and the sample from this work tree."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
