"""``vtbook slides``: files, PDF, the check and the server, as an instructor uses them."""

import re
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.course.conftest import environment
from vtbook.course.publish import chromium
from vtbook.course.publish.slide_server import SlideServer
from vtbook.course.publish.slides import SlidesError
from vtbook.errors import VtbookError


def slides(*arguments, cwd, **more):
    return subprocess.run(
        [sys.executable, "-m", "vtbook", "slides", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**more),
        timeout=300,
    )


@pytest.fixture
def needs_browser():
    try:
        chromium.find_browser()
    except chromium.BrowserError as error:
        pytest.skip(str(error))


def test_writes_one_file_and_says_where(small, tmp_path):
    path = small(("markdown", "slide", "# One"), ("markdown", "notes", "Quietly."))
    done = slides(path, "--out", "talk", "--no-notes", "--theme", "dark", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["talk/small.html"]
    text = (tmp_path / "talk" / "small.html").read_text()
    assert 'data-theme="dark"' in text
    assert "Quietly." not in text
    assert [p.name for p in (tmp_path / "talk").iterdir()] == ["small.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["77"], "give one of: 00-start, 02-the-machine, 05-full-emulation"),
        (["none.ipynb"], "no such"),
        (["odd.ipynb"], "odd.ipynb: not a Jupyter notebook"),
        (["small.ipynb"], "cell c0 (0) failed"),
    ],
)
def test_what_an_instructor_gets_wrong_is_said_in_words(arguments, said, small, tmp_path):
    small(("code", "slide", "1 / 0"))
    (tmp_path / "odd.ipynb").write_text("# not JSON")
    done = slides(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback (most" not in done.stderr.partition("failed:")[0]
    assert done.stdout == ""
    assert not (tmp_path / "build").exists()


def test_check_names_the_slides_that_do_not_fit(needs_browser, small, tmp_path):
    path = small(
        ("markdown", "slide", "# Fits"), ("markdown", "slide", "## Tall\n\n" + "Text.\n\n" * 40)
    )
    done = slides(path, "--check", cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"Tall \(c1\): \d+ pixels too tall\n", done.stdout)
    assert "1 slides of small.ipynb do not fit" in done.stderr
    assert not (tmp_path / "build").exists()


def test_without_a_chromium_it_says_what_to_install(small, tmp_path):
    path = small(("markdown", "slide", "# One"))
    done = slides(path, "--pdf", "x.pdf", cwd=tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "needs a Chromium, and none is on the PATH" in done.stderr


def test_the_pdf_has_a_page_of_the_screens_size_for_each_slide(needs_browser, small, tmp_path):
    path = small(
        ("markdown", "slide", "# One"),
        ("markdown", "subslide", "Below, with a [link](https://example.org/kept)."),
        ("markdown", "fragment", "Later."),
        ("markdown", "slide", "## Two"),
    )
    done = slides(path, "--pdf", "talk.pdf", cwd=tmp_path)
    assert done.stdout.split() == ["talk.pdf"], done.stderr
    data = (tmp_path / "talk.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) == 3
    boxes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", data)
    assert {(round(float(w)), round(float(h))) for w, h in boxes} == {(960, 540)}  # points
    assert b"(https://example.org/kept)" in data  # a link of the second slide
    assert re.search(rb"/Type\s*/Font\b", data)  # text, not a picture of it


def test_serves_and_shows_a_change(small):
    path = small(("markdown", "slide", "# Before"))
    with SlideServer(path, lambda: f"<p>{path.read_text().count('After')}</p>", 0) as server:
        assert server.address.startswith("http://127.0.0.1:")
        first = server.version
        with pytest.raises(SlidesError, match="cannot be used"):
            SlideServer(path, lambda: "", server.server_address[1])
        small(("markdown", "slide", "# After"))
        import threading

        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Thread(target=server.watch, daemon=True).start()
        for _ in range(200):
            with urllib.request.urlopen(f"{server.address}version") as answer:
                if answer.read().decode() != first:
                    break
            time.sleep(0.1)
        with urllib.request.urlopen(server.address) as answer:
            assert answer.read() == b"<p>1</p>"
        server.shutdown()


def test_a_change_that_fails_keeps_the_slides(small, capsys, monkeypatch):
    path = small(("markdown", "slide", "# Before"))
    pages = iter(["good"])

    def build():
        try:
            return next(pages)
        except StopIteration:
            raise VtbookError("cell c9 failed") from None

    with SlideServer(path, build, 0) as server:
        server.stamp = (0, 0)
        turns = iter([False, True])
        monkeypatch.setattr(server._ended, "wait", lambda seconds: next(turns))
        server.watch()
        assert server.page == "good"
    assert "cell c9 failed" in capsys.readouterr().err


def test_served_slides_load_again_after_a_change(small, tmp_path, open_page):
    import threading

    from vtbook.course.publish.slide_server import VERSION
    from vtbook.course.publish.slides import slides_page

    path = small(("markdown", "slide", "# Before"))
    with SlideServer(path, lambda: slides_page(path, reload=VERSION), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Thread(target=server.watch, daemon=True).start()
        page = open_page(server.address, online=True, wait=".reveal.ready")
        page.wait_for_timeout(1500)  # the page has asked once which version it is
        small(("markdown", "slide", "# After"))
        page.get_by_role("heading", name="After").wait_for()
        with page.expect_popup() as opened:
            page.keyboard.press("s")
        opened.value.frame_locator("#current-slide iframe").get_by_role(
            "heading", name="After"
        ).wait_for()
        opened.value.close()
        server.shutdown()
