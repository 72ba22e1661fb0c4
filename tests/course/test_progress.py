"""The progress file: joining, damage, several writers; what counts; the command."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.course.conftest import ROOT, environment
from vtbook.course import progress, recording
from vtbook.course.book import chapters
from vtbook.course.progress import ProgressError, cell_run, join, nothing, record, sound_part
from vtbook.course.reading import reading_of

TIMES = st.sampled_from([f"2026-03-{day:02}T10:00:00Z" for day in (1, 2, 3)])
CELLS = st.sampled_from(["title", "stepper", "ex1-check", "zelle-ä"])
RUNS = st.builds(
    cell_run,
    st.sampled_from(["00-start", "05-full-emulation"]),
    st.sampled_from(["chapters/00-start.ipynb", "exercises/05-full-emulation.ipynb"]),
    CELLS,
    passed=st.booleans(),
    time=TIMES,
)


def all_of(runs):
    made = nothing()
    for run in runs:
        made = join(made, run)
    return made


PROGRESS = st.lists(RUNS, max_size=6).map(all_of)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(PROGRESS, PROGRESS, PROGRESS)
def test_joining_is_a_union(a, b, c):
    """In whatever order and how often kernels join, the file comes out the same."""
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a == join(a, nothing())
    for name, entry in a["chapters"].items():
        both = join(a, b)["chapters"][name]
        assert set(entry["cells"]) <= set(both["cells"])
        assert entry["checks"].keys() <= both["checks"].keys()
    assert sound_part(json.loads(json.dumps(join(a, b)))) == (join(a, b), True)


@given(JSON, st.dictionaries(st.text(max_size=5), JSON), JSON, PROGRESS)
def test_of_any_data_the_sound_part_is_progress(junk, chapters, last, good):
    whole = {**nothing(), "chapters": chapters, "last": last}
    mixed = {**good, "chapters": {**good["chapters"], "x": junk}}
    for data in (junk, whole, mixed):
        made, sound = sound_part(data)
        assert sound_part(made) == (made, True)
        assert sound == (made == data)
        assert join(made, good) == join(good, made)
    kept = sound_part(mixed)[0]["chapters"]
    assert {name: kept[name] for name in good["chapters"]} == good["chapters"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(good=PROGRESS, at=st.integers(0, 10_000), junk=st.binary(max_size=20))
def test_a_damaged_file_is_set_aside_whole(tmp_path_factory, good, at, junk):
    path = tmp_path_factory.mktemp("p") / "progress.json"
    text = json.dumps(good).encode()
    damaged = text[: at % len(text)] + junk
    path.write_bytes(damaged)
    said = []
    new = cell_run("00-start", "chapters/00-start.ipynb", "new")
    after = record(new, path, said.append)
    assert "new" in after["chapters"]["00-start"]["cells"]
    assert progress.read(path) == after
    others = [p for p in path.parent.iterdir() if p != path and p.suffix != ".lock"]
    if said:
        assert [p.read_bytes() for p in others] == [damaged]
        assert others[0].name in said[0]
    else:
        assert others == []


def test_a_file_of_a_later_version_is_left_alone(tmp_path):
    path = tmp_path / "progress.json"
    path.write_text(text := json.dumps({**nothing(), "version": 2, "chapters": [1]}))
    with pytest.raises(ProgressError, match="later version"):
        record(cell_run("00-start", "chapters/00-start.ipynb", "a"), path)
    assert path.read_text() == text
    with pytest.raises(ProgressError, match="update vtbook"):
        progress.read(path)


def test_a_folder_that_cannot_be_written_in_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProgressError, match="VTBOOK_PROGRESS"):
        record(nothing(), tmp_path / "file" / "progress.json")


def test_two_kernels_at_once_lose_nothing(tmp_path):
    path = tmp_path / "progress.json"
    code = """if 1:
        import sys
        from vtbook.course.progress import cell_run, record
        for n in range(60):
            record(cell_run("00-start", "chapters/00-start.ipynb", f"{sys.argv[1]}-{n}"))
    """
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, who], env=environment(VTBOOK_PROGRESS=str(path))
        )
        for who in ("a", "b")
    ]
    assert [process.wait(60) for process in both] == [0, 0]
    cells = progress.read(path)["chapters"]["00-start"]["cells"]
    assert set(cells) == {f"{who}-{n}" for who in "ab" for n in range(60)}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["progress.json", "progress.json.lock"]


def test_reset_keeps_the_old_file(tmp_path):
    path = tmp_path / "progress.json"
    record(cell_run("00-start", "chapters/00-start.ipynb", "a"), path)
    text = path.read_text()
    old = progress.reset(path)
    assert old.read_text() == text
    assert progress.read(path) == nothing()
    assert progress.reset(path) is None


def test_what_counts_is_what_the_chapter_has_now():
    start = chapters(ROOT)[0]
    data = nothing()
    for cell in ("hello-run", "stepper", "a-cell-that-was-deleted"):
        data = join(data, cell_run(start.name, f"chapters/{start.path.name}", cell))
    where = f"exercises/{start.path.name}"
    data = join(data, cell_run(start.name, where, "ex1-check", passed=True))
    data = join(data, cell_run(start.name, where, "ex2-check"))
    reading = reading_of(start, data)
    assert (reading.run, reading.solved) == (2, 1)
    assert reading.earned == start.tasks[0].points
    assert reading.state == "begun"
    assert reading_of(start, nothing()).state == "new"


class Events:
    """As much of IPython's events as an extension uses."""

    def __init__(self):
        self.callbacks = {"post_run_cell": []}

    def register(self, event, hook):
        self.callbacks[event].append(hook)

    def unregister(self, event, hook):
        self.callbacks[event].remove(hook)


def ran(cell, *, success=True, value=None, kept=True):
    info = SimpleNamespace(cell_id=cell, store_history=kept)
    return SimpleNamespace(info=info, success=success, result=value)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("VTBOOK_PROGRESS", str(path))
    return path


def recorder(monkeypatch, notebook):
    monkeypatch.setenv(recording.SESSION, str(notebook))
    shell = SimpleNamespace(events=Events())
    return recording.start_recording(shell), shell


def test_cells_that_ran_without_an_error_are_noted(kept, monkeypatch):
    note, shell = recorder(monkeypatch, ROOT / "chapters" / "00-start.ipynb")
    note(ran("hello-run"))
    note(ran("stepper", success=False))
    note(ran(None))
    note(ran("silent", kept=False))
    data = progress.read(kept)
    assert data["chapters"]["00-start"]["cells"] == ["hello-run"]
    assert data["last"]["path"] == "chapters/00-start.ipynb"
    assert recording.start_recording(shell) is not note
    assert len(shell.events.callbacks["post_run_cell"]) == 1
    recording.stop_recording(shell)
    assert shell.events.callbacks["post_run_cell"] == []


def test_a_check_counts_when_it_gives_all_its_points(kept, monkeypatch):
    path = ROOT / "exercises" / "00-start.ipynb"
    note, _ = recorder(monkeypatch, path)
    first, second, third = chapters(ROOT)[0].tasks[:3]
    note(ran(first.check))
    note(ran(second.check, value=second.points - 1))
    note(ran(third.check, value=third.points))
    note(ran("setup"))
    entry = progress.read(kept)["chapters"]["00-start"]
    assert list(entry["checks"]) == [first.check, third.check]
    assert (entry["cells"], entry["opened"]) == ([], None)


@pytest.mark.parametrize("name", [None, "elsewhere/00-start.ipynb", "chapters/mine.ipynb"])
def test_outside_the_book_nothing_is_noted(name, tmp_path, monkeypatch):
    monkeypatch.delenv(recording.SESSION, raising=False)
    shell = SimpleNamespace(events=Events())
    if name:
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("{}")
        monkeypatch.setenv(recording.SESSION, str(path))
    assert recording.start_recording(shell) is None
    assert shell.events.callbacks["post_run_cell"] == []


def test_what_goes_wrong_is_logged_once_and_breaks_no_cell(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VTBOOK_PROGRESS", str(tmp_path / "file" / "progress.json"))
    note, _ = recorder(monkeypatch, ROOT / "chapters" / "00-start.ipynb")
    note(ran("a"))
    note(ran("b"))
    note(SimpleNamespace())
    assert len(caplog.records) == 1
    assert "VTBOOK_PROGRESS" in caplog.text


def test_the_command_prints_and_resets(vtbook, tmp_path):
    path = tmp_path / "progress.json"
    record(cell_run("00-start", "chapters/00-start.ipynb", "hello-run"), path)
    where = ("--folder", ROOT)
    said = vtbook("progress", *where, VTBOOK_PROGRESS=str(path)).stdout.decode()
    assert "00 · Start here\n    1 of" in said
    assert str(path) in said
    done = vtbook("progress", "--json", *where, VTBOOK_PROGRESS=str(path))
    data = json.loads(done.stdout)
    assert data["chapters"][0]["run"] == 1
    assert data["last"]["cell"] == "hello-run"
    assert b"begun anew" in vtbook("progress", "--reset", VTBOOK_PROGRESS=str(path)).stdout
    assert b"no progress" in vtbook("progress", "--reset", VTBOOK_PROGRESS=str(path)).stdout
    assert vtbook("progress", "--reset", "--json").returncode == 2
