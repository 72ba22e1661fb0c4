"""A set of exercises and any number of submissions for it, with the scores that they must get.

Right, partly right, wrong and hostile answers come in turns, each with its own student. `case`
makes number N; the same number is always the same submission.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

ASSIGNMENT = "05-sample"
POINTS = 10.0
SETUP = "from vtbook import Machine, assemble\nfrom vtbook.course.exercises import Parts, checking"
EXERCISES = (
    (
        "A sum",
        2,
        "def total(numbers):\n    ### BEGIN SOLUTION\n    return sum(numbers)\n"
        "    ### END SOLUTION",
        'with checking():\n    assert total([1, 2]) == 3, "1 and 2"\n    ### BEGIN HIDDEN TESTS\n'
        '    assert total([]) == 0, "nothing"\n    ### END HIDDEN TESTS',
    ),
    (
        "A program",
        3,
        'def program():\n    ### BEGIN SOLUTION\n    return "li a0, 42"\n    ### END SOLUTION',
        "def run_program():\n    m = Machine('1 MiB', reverse=False)\n"
        "    m.load(assemble('_start: ' + program() + '\\n ebreak'))\n    m.run()\n"
        "    return m.hart.x[10]\n\n\nwith checking():\n"
        '    assert run_program() == 42, "a0 is not 42"',
    ),
    (
        "Two parts",
        4,
        "def double(n):\n    ### BEGIN SOLUTION\n    return 2 * n\n    ### END SOLUTION\n\n\n"
        "def square(n):\n    ### BEGIN SOLUTION\n    return n * n\n    ### END SOLUTION",
        'check = Parts()\nwith check.part("double", 1):\n    assert double(4) == 8, "double"\n'
        'with check.part("square", 3):\n    assert square(4) == 16, "square"\n'
        '    ### BEGIN HIDDEN TESTS\n    assert square(-1) == 1, "of -1"\n'
        "    ### END HIDDEN TESTS\ncheck.points()",
    ),
    (
        "A word",
        1,
        '### BEGIN SOLUTION\nword = "trap"\n### END SOLUTION',
        'with checking():\n    assert word.strip().lower() == "trap", "another word"',
    ),
)
RIGHT = {
    "ex1": "def total(numbers):\n    return sum(numbers)",
    "ex2": 'def program():\n    return "li a0, 42"',
    "ex3": "def double(n):\n    return n + n\n\n\ndef square(n):\n    return n ** 2",
    "ex4": 'word = "Trap"',
}


@dataclass(frozen=True)
class Case:
    """One submission: its file, and what grading must make of it.

    `plain` is false for what stops or misleads a grader without isolation.
    """

    student: str
    kind: str
    data: bytes
    score: float
    status: str = "graded"
    plain: bool = True
    note: str = ""


def sample_solution() -> NotebookNode:
    """The solution notebook: four exercises, ten points, hidden tests, parts with points."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    cells = [new_code_cell(SETUP, id="setup", metadata=_nbgrader("setup", locked=True))]
    for number, (title, points, answer, check) in enumerate(EXERCISES, start=1):
        name = f"ex{number}"
        unit = "point" if points == 1 else "points"
        task = f"## Exercise {number}: {title} ({points} {unit})\n\nComplete the cell."
        hint = "<details><summary>Hint 1</summary>\n\nThink.\n\n</details>"
        cells += [
            new_markdown_cell(task, id=f"{name}-task", metadata=_nbgrader(f"{name}-task", True)),
            new_markdown_cell(hint, id=f"{name}-hints", metadata=_nbgrader(f"{name}-hints", True)),
            new_code_cell(answer, id=name, metadata=_nbgrader(name, False, solution=True)),
            new_code_cell(
                check, id=f"{name}-check", metadata=_nbgrader(f"{name}-check", True, points)
            ),
        ]
    about = {"title": "Sample", "vtbook": {"chapter": ASSIGNMENT}}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, **about})


def _nbgrader(
    name: str, locked: bool, points: float | None = None, *, solution: bool = False
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": name,
        "grade": points is not None,
        "solution": solution,
        "locked": locked,
        "task": False,
    }
    return {"nbgrader": data if points is None else {**data, "points": points}}


Edit = Callable[["NotebookNode"], None]


def _cell(nb: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in nb.cells if cell.id == name)


def _answers(**sources: str) -> Edit:
    def edit(nb: NotebookNode) -> None:
        for name, source in sources.items():
            _cell(nb, name).source = source

    return edit


def _drop(name: str) -> Edit:
    def edit(nb: NotebookNode) -> None:
        nb.cells = [cell for cell in nb.cells if cell.id != name]

    return edit


def _forge(nb: NotebookNode) -> None:
    from nbformat.v4 import new_output

    _cell(nb, "ex1").source = "def total(numbers):\n    return 3"
    _cell(nb, "ex1-check").outputs = [new_output("stream", text="\N{CHECK MARK} Right.\n")]


def _edit_points(nb: NotebookNode) -> None:
    for name in ("ex1-check", "ex3-check"):
        _cell(nb, name).metadata["nbgrader"]["points"] = 1000
    nb.metadata["vtbook"]["points"] = 1000


def _easy_check(nb: NotebookNode) -> None:
    _cell(nb, "ex1").source = "pass"
    _cell(nb, "ex1-check").source = "assert True"


def _lose_metadata(nb: NotebookNode) -> None:
    for number, cell in enumerate(nb.cells):
        cell.metadata.pop("nbgrader", None)
        cell.id = f"cell-{number}"


def _twice(nb: NotebookNode) -> None:
    other = copy.deepcopy(_cell(nb, "ex1"))
    other.source = "total = None"
    nb.cells.append(other)


def _cheat(source: str) -> Edit:
    """Exercise 1 is wrong, and does something to get its points all the same."""
    return _answers(ex1="def total(numbers):\n    return 7\n" + source)


EDITS: tuple[tuple[str, Edit, float, str, bool, str], ...] = (
    ("right", lambda nb: None, 10, "graded", True, ""),
    (
        "hidden test fails",
        _answers(ex1="def total(n):\n    return n[0] + n[1]"),
        8,
        "graded",
        True,
        "",
    ),
    (
        "one part",
        _answers(ex3="def double(n):\n    return 2 * n\n\n\ndef square(n):\n    return 0"),
        7,
        "graded",
        True,
        "",
    ),
    ("not answered", _answers(ex1="raise NotImplementedError()", ex4=""), 7, "graded", True, ""),
    ("wrong word", _answers(ex4='word = "exit"'), 9, "graded", True, ""),
    ("syntax error", _answers(ex2="def program(:"), 7, "graded", True, ""),
    (
        "all wrong",
        _answers(ex1="total = 1", ex2="program = 1", ex3="double = 1", ex4="word = 1"),
        0,
        "graded",
        True,
        "",
    ),
    ("prints much", _answers(ex4='print("x" * 5000)\nword = "trap"'), 10, "graded", True, ""),
    ("deleted check", _drop("ex1-check"), 10, "graded", False, "check was deleted"),
    ("missing answer", _drop("ex2"), 7, "missing cells", False, "cell is missing"),
    ("forged outputs", _forge, 8, "graded", True, "ignored"),
    ("edited points", _edit_points, 10, "graded", True, "metadata was edited (points)"),
    ("edited check", _easy_check, 8, "graded", True, "check was edited"),
    ("lost metadata", _lose_metadata, 10, "graded", False, "place between known cells"),
    ("duplicate ids", _twice, 10, "graded", False, "2 cells have this grade_id"),
    ("endless loop", _answers(ex4="while True:\n    pass"), 9, "timeout", False, "interrupted"),
    (
        "endless guest",
        _answers(ex2='def program():\n    return "j _start"'),
        7,
        "timeout",
        False,
        "",
    ),
    (
        "ignores interrupts",
        _answers(
            ex4="while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        ),
        9,
        "timeout",
        False,
        "",
    ),
    (
        "memory bomb",
        _answers(ex4="x = []\nwhile True: x.append(bytearray(1 << 24))"),
        9,
        "memory",
        False,
        "no more memory",
    ),
    (
        "fork bomb",
        _answers(ex4="import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
        9,
        "processes",
        False,
        "",
    ),
    ("leaves", _answers(ex1="import os\nos._exit(0)"), 8, "crashed", False, "left with status 0"),
    ("sys.exit", _answers(ex1="import sys\nsys.exit(0)"), 8, "graded", False, ""),
    (
        "segfault",
        _answers(ex3="import ctypes\nctypes.string_at(0)"),
        6,
        "crashed",
        False,
        "SIGSEGV",
    ),
    (
        "stack overflow",
        _answers(
            ex1="import sys\nsys.setrecursionlimit(10**9)\nf = lambda n: [*map(f, [n])]\nf(0)"
        ),
        8,
        "crashed",
        False,
        "",
    ),
    ("giant output", _answers(ex4='while True:\n    print("x" * 10000)'), 9, "timeout", False, ""),
    ("giant display", _answers(ex4='word = "trap"\n"x" * (1 << 30)'), 10, "memory", False, ""),
    ("closes files", _answers(ex1="import os\nos.closerange(0, 1000)"), 8, "crashed", False, ""),
    ("kills parent", _cheat("import os\nos.kill(os.getppid(), 9)"), 8, "graded", False, ""),
    (
        "removes folder",
        _answers(
            ex1=RIGHT["ex1"] + "\nimport os, shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)"
        ),
        10,
        "graded",
        False,
        "",
    ),
    (
        "huge file",
        _answers(ex1="f = open('x', 'wb')\nfor _ in range(1000): f.write(bytes(1 << 20))"),
        8,
        "graded",
        False,
        "",
    ),
    (
        "daemon",
        _answers(
            ex4="import os, time\nif os.fork() == 0:\n    os.setsid()\n"
            '    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)\nword = "trap"'
        ),
        10,
        "graded",
        False,
        "",
    ),
    (
        "forks and returns",
        _answers(ex4='import os\nos.fork()\nword = "trap"'),
        10,
        "graded",
        False,
        "",
    ),
    (
        "network",
        _answers(ex4='import socket\nsocket.create_connection(("192.0.2.1", 80), 1)'),
        9,
        "graded",
        False,
        "",
    ),
    (
        "own checking",
        _cheat(
            "class checking:\n    def __init__(self, *a): pass\n"
            "    def __enter__(self): pass\n    def __exit__(self, *a): return True"
        ),
        8,
        "graded",
        False,
        "replaced checking",
    ),
    (
        "patches feedback",
        _cheat(
            "import vtbook.course.exercises.feedback as f\n"
            "f.checking.__exit__ = lambda *a: True\nf.Parts.points = lambda self: 1000"
        ),
        8,
        "graded",
        False,
        "replaced vtbook.course.exercises.feedback.checking",
    ),
    (
        "patches modules",
        _cheat(
            "import sys, types\nm = types.ModuleType('m')\n"
            "sys.modules['vtbook.course.exercises.feedback'] = m"
        ),
        8,
        "graded",
        False,
        "sys.modules",
    ),
    (
        "patches builtins",
        _cheat(
            "import builtins\nbuiltins.AssertionError = ValueError\n"
            "builtins.isinstance = lambda *a: True"
        ),
        8,
        "graded",
        False,
        "builtins.isinstance",
    ),
    (
        "shadows builtins",
        _cheat("print = isinstance = lambda *a, **k: True"),
        8,
        "graded",
        False,
        "replaced isinstance",
    ),
    (
        "replaces run_cell",
        _cheat("get_ipython().run_cell = lambda *a, **k: None"),
        0,
        "tampered",
        False,
        "uses get_ipython",
    ),
    (
        "writes to all files",
        _cheat(
            "import os, json, struct\n"
            "m = json.dumps({'ok': True, 'outputs': []}).encode()\n"
            "for n in range(3, 40):\n    try: os.write(n, struct.pack('>I', len(m)) + m)\n"
            "    except OSError: pass"
        ),
        8,
        "tampered",
        False,
        "did not ask for",
    ),
    (
        "equals everything",
        _cheat("class Any:\n    def __eq__(self, other): return True\ntotal = lambda n: Any()"),
        10,
        "graded",
        False,
        "defines __eq__",
    ),
    (
        "exits at the end",
        _cheat("import atexit, os\natexit.register(os._exit, 0)"),
        8,
        "graded",
        False,
        "",
    ),
    (
        "a thread",
        _cheat(
            "import threading\ndef f():\n    while True: globals()['word'] = 'trap'\n"
            "threading.Thread(target=f, daemon=True).start()"
        ),
        8,
        "graded",
        False,
        "imports threading",
    ),
    ("input", _answers(ex4="word = input()"), 9, "graded", False, ""),
    (
        "reads the others",
        _answers(
            ex4="import pathlib\n"
            "try: found = [p.read_text() for p in pathlib.Path(FOLDER).iterdir()]\n"
            "except OSError: found = []\nword = found[0] if found else 'trap'"
        ),
        10,
        "graded",
        False,
        "",
    ),
    (
        "script in the output",
        _answers(ex4='word = "</pre><script>document.title = 1</script>"\nprint(word)'),
        9,
        "graded",
        False,
        "",
    ),
)
FILES: tuple[tuple[str, bytes], ...] = (
    ("not JSON", b'{"cells": ['),
    ("empty", b""),
    ("binary", bytes(range(256)) * 16),
    ("deeply nested", b"[" * 200_000),
    ("no notebook", b'{"a": 1}'),
    ("a list", b"[1, 2]"),
)


def kinds() -> int:
    """How many different submissions there are."""
    return len(EDITS) + len(FILES)


def case(number: int, given_out: NotebookNode, folder: str = "/nowhere") -> Case:
    """Submission `number`, for the notebook that students got.

    Args:
        number: after `kinds()` submissions they begin again, with other students.
        given_out: `release` of `sample_solution`; not changed.
        folder: of the submissions, which one of them tries to read.
    """
    index = number % kinds()
    student = f"student-{number:03}"
    if index >= len(EDITS):
        kind, data = FILES[index - len(EDITS)]
        return Case(student, kind, data, 0.0, "not a notebook", False)
    kind, edit, score, status, plain, note = EDITS[index]
    nb = copy.deepcopy(given_out)
    _answers(**RIGHT)(nb)
    edit(nb)
    for cell in nb.cells:
        cell.source = cell.source.replace("FOLDER", repr(folder))
    data = json.dumps(nb, indent=1).encode()  # nbformat would repair what is wrong in it
    return Case(student, kind, data, score, status, plain, note)
