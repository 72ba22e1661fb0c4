"""Notebooks run for publication, and kept: the same notebook is run once.

A result is kept under a hash of everything it comes from: the notebook's cells, the sources of
vtbook, the versions of the packages that show in outputs, Python, and the language. Files are
replaced in one step, and a lock lets one process wait while another runs the same notebook.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtbook.errors import VtbookError
from vtbook.files import cache_folder, locked, replace_file

if TYPE_CHECKING:
    from nbformat import NotebookNode

PACKAGE = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("anywidget", "ipykernel", "ipython", "ipywidgets", "llvmlite", "matplotlib"),
    *("matplotlib-inline", "nbclient", "numba", "numpy", "traitlets"),
)
"""The packages whose versions may show in an output."""

UNSEEN = ("course/publish", "course/commands", "course/grading")
"""Folders of the package that no chapter imports: a change there leaves the results good."""

FORMAT = "1"
"""Changes when this module makes other results of the same input."""

TIMEOUT = 600.0
"""Seconds that one cell may take."""

KEPT = 6
"""Results kept of one name of a notebook: a few languages and versions."""

TRACEBACK_LINES = 6
"""Lines of a failing cell's traceback that its error shows."""

Progress = Callable[[str], None]


class ExecutionError(VtbookError):
    """A notebook cannot be read or run; the message names it, the cell and the last lines."""


def executed(
    path: str | Path,
    *,
    cache: Path | None = None,
    timeout: float = TIMEOUT,
    language: str = "en",
    allow_errors: bool = False,
    progress: Progress | None = None,
) -> NotebookNode:
    """Return a notebook run from top to bottom, its outputs and its widgets' state in it.

    It runs in its own folder, in a new kernel of this Python. The file itself is left as it is.
    Exercises are not meant to run to their end: take `read_notebook` for these.

    Args:
        path: The ``.ipynb`` file.
        cache: Folder of kept results; `results_folder` if not given.
        timeout: Seconds that one cell may take.
        language: Language of the widgets' labels, as in ``VTBOOK_LANGUAGE``.
        allow_errors: Go on after a failing cell, and keep its error as an output.
        progress: Called with one line of text before a notebook is run.

    Returns:
        The notebook. ``metadata.widgets`` holds the state of the widgets.

    Raises:
        ExecutionError: the file is missing or no notebook, or a cell fails or takes too long.
    """
    path = Path(path)
    notebook = read_notebook(path)
    folder = cache if cache is not None else results_folder()
    key = _key(notebook, language, allow_errors)
    place = folder / f"{path.stem}-{key[:24]}.ipynb"
    kept = _kept(place)
    if kept is not None:
        return kept
    with _one_at_a_time(folder / f"{path.stem}.lock"):
        kept = _kept(place)
        if kept is not None:
            return kept
        if progress is not None:
            progress(f"running {path.name}")
        result = _run(notebook, path, timeout, language, allow_errors)
        _keep(place, result)
        _forget_old(folder, path.stem)
    return result


def read_notebook(path: str | Path) -> NotebookNode:
    """Return a notebook as it is in its file, not run.

    Raises ExecutionError, which names the file: it is missing, or it is no notebook.
    """
    import nbformat
    from nbformat.validator import NotebookValidationError

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ExecutionError(f"{path}: there is no such notebook") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExecutionError(f"{path}: cannot be read: {error}") from None
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except NotebookValidationError as error:
        reason = str(error).splitlines()[0]
        raise ExecutionError(f"{path}: not a valid notebook: {reason}") from None
    except Exception as error:  # nbformat lets KeyError and the like out of damaged files
        reason = (str(error).splitlines() or [""])[0][:120]
        raise ExecutionError(
            f"{path}: not a Jupyter notebook ({reason}); give a .ipynb file"
        ) from None
    return notebook


def results_folder() -> Path:
    """Where results are kept: in ``VTBOOK_CACHE``, or in the user's cache folder."""
    return cache_folder("executed")


def _key(notebook: NotebookNode, language: str, allow_errors: bool) -> str:
    """Hash of all that a result comes from."""
    cells = [
        [cell.get("id"), cell.cell_type, cell.source, cell.metadata] for cell in notebook.cells
    ]
    made = hashlib.sha256(FORMAT.encode())
    made.update(json.dumps([cells, notebook.metadata], sort_keys=True).encode())
    made.update(repr((language, allow_errors, platform.python_version(), _versions())).encode())
    for source in sorted(PACKAGE.rglob("*")):
        name = source.relative_to(PACKAGE).as_posix()
        if source.is_file() and "__pycache__" not in source.parts and not name.startswith(UNSEEN):
            made.update(name.encode())
            with suppress(OSError):  # another process may just replace it
                made.update(hashlib.sha256(source.read_bytes()).digest())
    return made.hexdigest()


def _versions() -> list[tuple[str, str]]:
    found = []
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append((package, version(package)))
    return found


def _kept(place: Path) -> NotebookNode | None:
    """The result in the cache; a damaged one is none."""
    import nbformat

    try:
        result = nbformat.reads(place.read_text(encoding="utf-8"), as_version=4)
    except FileNotFoundError:
        return None
    except Exception:  # whatever a damaged file makes of nbformat
        return None
    with suppress(OSError):
        os.utime(place)
    return result


def _keep(place: Path, result: NotebookNode) -> None:
    """Write a result in one step; a full disk or a folder without leave to write is no error."""
    import nbformat

    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        replace_file(place, nbformat.writes(result).encode(), private=True)


def _forget_old(folder: Path, stem: str) -> None:
    """Leave the newest results of a name."""
    pattern = re.compile(re.escape(stem) + r"-[0-9a-f]{24}\.ipynb")
    with suppress(OSError):
        results = [p for p in folder.iterdir() if pattern.fullmatch(p.name)]
        for path in sorted(results, key=lambda p: p.stat().st_mtime)[:-KEPT]:
            path.unlink(missing_ok=True)


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock of the system's, which ends with the process; without one go on unlocked."""
    with ExitStack() as held:
        with suppress(OSError):
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(lock))
        yield


def _run(
    notebook: NotebookNode, path: Path, timeout: float, language: str, allow_errors: bool
) -> NotebookNode:
    """Run the cells in a kernel of this Python."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    at: list[int] = [0]

    def note(cell: NotebookNode, cell_index: int) -> None:
        at[0] = cell_index

    client = _client(
        notebook,
        timeout=timeout,
        allow_errors=allow_errors,
        coalesce_streams=True,
        on_cell_execute=note,
        extra_arguments=["--log-level=40"],  # no warnings of the kernel's own on our stderr
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    try:
        result = client.execute(env=_environment(language))
    except CellExecutionError as error:
        raise ExecutionError(
            f"{path}: {_cell(notebook, at[0])} failed:\n{_last_lines(notebook, at[0], error)}"
        ) from error
    except CellTimeoutError as error:
        raise ExecutionError(
            f"{path}: {_cell(notebook, at[0])} took more than {timeout:g} seconds"
        ) from error
    except DeadKernelError as error:
        raise ExecutionError(
            f"{path}: the kernel died in {_cell(notebook, at[0])}; is there enough memory?"
        ) from error
    except RuntimeError as error:
        raise ExecutionError(f"{path}: no kernel could be started: {error}") from error
    for cell in result.cells:
        cell.metadata.pop("execution", None)  # the times at which the cells ran
    return result


def _client(notebook: NotebookNode, **options: Any) -> Any:
    """A client whose kernel is this Python, whatever kernel specifications are installed."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class OwnKernel(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    return NotebookClient(
        notebook, kernel_manager_class=OwnKernel, kernel_name="python3", **options
    )


def _environment(language: str) -> dict[str, str]:
    """Variables of the kernel: what the caller's shell sets does not show in the outputs."""
    environment = {**os.environ, "VTBOOK_LANGUAGE": language, "PYTHONHASHSEED": "0"}
    for name in ("MPLBACKEND", "PYTHONUNBUFFERED", "PYTHONSTARTUP"):
        environment.pop(name, None)
    environment["VTBOOK_QUIET"] = "1"  # what is compiled the first time is not the text's
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else debugpy warns on stderr
    root = str(PACKAGE.parent)
    if root not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, before]))
    return environment


def _cell(notebook: NotebookNode, index: int) -> str:
    identity = notebook.cells[index].get("id")
    return f"cell {identity} ({index})" if identity else f"cell {index}"


def _last_lines(notebook: NotebookNode, index: int, error: Exception) -> str:
    """The end of the traceback, without colours."""
    outputs = [o for o in notebook.cells[index].get("outputs", []) if o.output_type == "error"]
    text = "\n".join(outputs[-1].traceback) if outputs else str(error)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip().splitlines()
    return "\n".join(f"    {line}" for line in lines[-TRACEBACK_LINES:])
