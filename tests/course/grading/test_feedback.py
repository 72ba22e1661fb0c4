"""The page for a student: readable, accessible, and nothing in it runs."""

import pytest

from vtbook.course.bench_grade_set import EDITS, case
from vtbook.course.grading.feedback import file_name, page, shown
from vtbook.course.grading.one import digest

HOSTILE = "<script>document.title = 1</script><img src=x onerror='document.title = 1'>"


@pytest.fixture
def row(grade, given_out):
    wanted = case([e[0] for e in EDITS].index("script in the output"), given_out)
    outcome = grade(wanted.data)
    about = {"student": f"Ana {HOSTILE}", "assignment": "05-sample", "file": HOSTILE}
    return {**about, **outcome, "sha256": digest(wanted.data)}


def test_hostile_text_is_text(row, open_page, tmp_path):
    row["notes"] = [HOSTILE]
    row["parts"][0]["code"] = f"</pre>{HOSTILE}"
    row["parts"][1]["outputs"] = [
        {"output_type": "error", "ename": HOSTILE, "evalue": HOSTILE, "traceback": HOSTILE}
    ]
    path = tmp_path / "page.html"
    path.write_text(page(row), encoding="utf-8")
    opened = open_page(path, wait="main")
    assert opened.locator("script, img, iframe, object, link").count() == 0
    assert opened.title() == f"Ana {HOSTILE}: 05-sample"
    assert opened.left == []
    opened.locator("summary").first.click()
    assert "</pre><script>document.title = 1</script>" in opened.locator("details pre").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(row, open_page, axe, tmp_path, scheme):
    path = tmp_path / "page.html"
    path.write_text(page(row), encoding="utf-8")
    opened = open_page(path, wait="main", color_scheme=scheme, bypass_csp=True)
    assert axe(opened) == []


def test_it_says_points_and_what_the_check_says(row, open_page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page(row), encoding="utf-8")
    text = open_page(path, wait="main").inner_text("main")
    assert "9 of 10 points" in text
    assert "Not yet. another word" in text
    assert "def square(n):" in text


def test_signs_are_for_the_instructor_only(row):
    row["notes"] = ["ex1: look at it: imports gc", "ex1-check: the check was edited; restored"]
    assert "imports gc" not in page(row)
    assert "the check was edited" in page(row)


def test_long_and_invisible_text():
    assert len(shown("x" * 10**6)) < 7000
    assert shown("a\x00\u202eb\x1b[31m") == "a\ufffd\ufffdb"


def test_no_two_pages_have_one_name():
    names = {
        file_name({"student": student, "assignment": "a", "file": student})
        for student in ("..", "../x", "A", "a", "é", "è", "con/prn", "x" * 300)
    }
    assert len({name.lower() for name in names}) == 8
    assert all("/" not in name and not name.startswith(".") for name in names)
