"""`vtbook lab`: which book it opens, and that JupyterLab really opens it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.course.conftest import COMMAND, environment
from vtbook.course import lab

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def make_book(folder):
    path = folder / lab.START
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(NOTEBOOK))
    return folder


def test_the_book_around_the_current_folder_is_found(tmp_path, monkeypatch):
    make_book(tmp_path)
    deep = tmp_path / "chapters" / "images"
    deep.mkdir()
    monkeypatch.chdir(deep)
    assert lab.find_book() == tmp_path


def test_a_folder_without_the_book_is_refused(vtbook, tmp_path):
    done = vtbook("lab", "--folder", tmp_path)
    assert done.returncode == 1
    assert "no chapters/00-start.ipynb in it" in done.stderr.decode()


def test_without_a_book_the_message_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "site" / "vtbook")
    monkeypatch.setattr(lab, "installed_book", lambda: None)
    with pytest.raises(lab.LabError, match=re.escape(str(tmp_path))):
        lab.find_book()


def test_an_installed_book_is_copied_and_the_readers_changes_stay(tmp_path, monkeypatch):
    installed = make_book(tmp_path / "share")
    documents = tmp_path / "documents"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "site" / "vtbook")
    monkeypatch.setattr(lab, "installed_book", lambda: installed)
    monkeypatch.setattr(lab, "documents_folder", lambda: documents)
    assert lab.find_book() == documents
    (documents / lab.START).write_text("changed")
    (installed / "chapters" / "01-next.ipynb").write_text("new")
    assert lab.find_book() == documents
    assert (documents / lab.START).read_text() == "changed"
    assert (documents / "chapters" / "01-next.ipynb").read_text() == "new"


def test_options_go_to_jupyterlab(tmp_path):
    command = lab.lab_command(tmp_path, browser=False, port=9999, options=["--ip=127.0.0.1"])
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert {"--no-browser", "--port=9999", "--ip=127.0.0.1"} <= set(command)
    assert f"--ServerApp.root_dir={tmp_path}" in command


def test_jupyterlab_serves_the_first_chapter(tmp_path):
    make_book(tmp_path)
    process = subprocess.Popen(
        [*COMMAND, "lab", "--no-browser", "--port=0", "--ServerApp.token=book"],
        cwd=tmp_path,
        env=environment(JUPYTER_CONFIG_DIR=str(tmp_path / "config")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        seen = ""
        while not (found := re.search(r"(http://(?:localhost|127\.0\.0\.1):\d+)(\S*)", seen)):
            line = process.stdout.readline()
            assert line, seen
            seen += line
        server, page = found.groups()
        assert page.startswith("/lab/tree/chapters/00-start.ipynb")
        wanted = f"{server}/api/contents/chapters/00-start.ipynb?token=book"
        with _patient_open(wanted) as answer:
            assert json.load(answer)["content"]["nbformat"] == 4
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _patient_open(address, tries=50):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for attempt in range(tries):
        try:
            return opener.open(address, timeout=10)
        except OSError:
            if attempt == tries - 1:
                raise
            time.sleep(0.2)
    raise AssertionError


@pytest.mark.skipif(os.name != "posix", reason="needs Unix, where a process can replace itself")
def test_the_command_becomes_jupyterlab(tmp_path, monkeypatch):
    make_book(tmp_path)
    became = []
    monkeypatch.setattr(os, "execv", lambda path, command: became.append((path, command)))
    monkeypatch.setattr(subprocess, "call", lambda command: 0)
    lab.open_lab(tmp_path, browser=True, port=None, options=())
    [(path, command)] = became
    assert path == sys.executable
    assert "--no-browser" not in command
