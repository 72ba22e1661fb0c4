"""Files that several processes write."""

import os
import subprocess
import sys

import platformdirs
import pytest

from vtbook.files import cache_folder, locked, replace_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a"]


def test_what_was_there_stays_if_it_cannot_be_replaced(tmp_path):
    folder = tmp_path / "a"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        replace_file(folder, b"one")
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "a", b"one")


@pytest.mark.skipif(os.name == "nt", reason="needs a system with file modes, such as Linux")
@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
def test_who_may_read_it_is_the_umasks_or_the_users_own_matter(tmp_path, private, mode):
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "a", b"", private=private)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_a_lock_is_one_processs_at_a_time(tmp_path):
    """The other process says that it waits, and gets on only when the lock is free."""
    script = (
        "import sys; from pathlib import Path; from vtbook.files import locked\n"
        "print('waits', flush=True)\n"
        f"with locked(Path({str(tmp_path / 'lock')!r})):\n"
        f"    print(Path({str(tmp_path / 'a')!r}).read_text())"
    )
    with locked(tmp_path / "lock"):
        other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1)
        (tmp_path / "a").write_text("done")
    assert other.communicate(timeout=30)[0] == "done\n"


def test_what_can_be_made_again_is_kept_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("VTBOOK_CACHE", str(tmp_path))
    assert cache_folder("guests") == tmp_path / "guests"
    monkeypatch.delenv("VTBOOK_CACHE")
    assert cache_folder("guests").parent == platformdirs.user_cache_path("vtbook")
