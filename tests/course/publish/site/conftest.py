"""The book as a site, built once for all tests of a run, whichever process they are in."""

from __future__ import annotations

import os
import pickle
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def one_at_a_time(lock: Path):
    """Let one process in at a time, where the system has locks."""
    fcntl = pytest.importorskip("fcntl", reason="needs fcntl, which Windows does not have")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def site_packages():
    """Skip without the packages of the extra ``site``."""
    from vtbook.course.publish.site import NEEDED

    for name in NEEDED:
        pytest.importorskip(name, reason=f"needs {name}: pip install 'vtbook[site]'")


@pytest.fixture(scope="session")
def site(tmp_path_factory, site_packages, kernel_path):
    """The site of this tree's book: ``site.folder`` and ``site.warnings``."""
    from vtbook.course.publish.site import build_site

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    result = shared / "site.pickle"
    with one_at_a_time(shared / "site.lock"):
        if not result.is_file():
            built = build_site(ROOT, shared / "site")
            result.write_bytes(pickle.dumps(built))
    return pickle.loads(result.read_bytes())
