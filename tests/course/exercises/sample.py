"""A small solution notebook, to be changed and broken by tests."""

from __future__ import annotations

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

VARIANT = """
from vtbook.course.exercises import Draw

draw = Draw()
factor = draw.integer(2, 99, published=7)
_other = 1
"""
TASK = """## Exercise {number}: Times {{{{ factor }}}} ({points} points)

Write `times(n)`: {{{{ factor:,}}}} times `n`."""
HINTS = """<details><summary>Hint 1</summary>

Use **`*`**.

<details><summary>Hint 2</summary>

`return ... * n`

</details>
</details>"""
ANSWER = """
def times{number}(n):
    ### BEGIN SOLUTION
    return {{{{ factor }}}} * n
    ### END SOLUTION
""".strip()
CHECK = """
from vtbook.course.exercises import checking

with checking():
    assert times{number}(1) == {{{{ factor }}}}, f"times(1) is {{times{number}(1)}}."
    ### BEGIN HIDDEN TESTS
    assert times{number}(10) == 10 * {{{{ factor }}}}, "Only right for 1."
    ### END HIDDEN TESTS
""".strip()


def data(grade_id: str, **flags: object) -> dict:
    said = {"grade": False, "solution": False, "locked": True, "task": False, **flags}
    return {"nbgrader": {"schema_version": 3, "grade_id": grade_id, **said}}


def exercise(number: int = 1, points: float = 2) -> list:
    """Four cells: task, hints, answer, check."""
    name = f"ex{number}"
    return [
        new_markdown_cell(
            TASK.format(number=number, points=points),
            id=f"{name}-task",
            metadata=data(f"{name}-task"),
        ),
        new_markdown_cell(HINTS, id=f"{name}-hints", metadata=data(f"{name}-hints")),
        new_code_cell(
            ANSWER.format(number=number),
            id=name,
            metadata=data(name, solution=True, locked=False),
        ),
        new_code_cell(
            CHECK.format(number=number),
            id=f"{name}-check",
            metadata=data(f"{name}-check", grade=True, points=points),
        ),
    ]


def solution(count: int = 1) -> nbformat.NotebookNode:
    """A solution notebook of so many exercises of 2 points."""
    cells = [
        new_markdown_cell("# A sample", id="title"),
        new_code_cell(VARIANT.strip(), id="variant", metadata={"tags": ["variant"]}),
    ]
    for number in range(1, count + 1):
        cells += exercise(number)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"title": "A sample", "vtbook": {"chapter": "90-sample"}, "kernelspec": kernel}
    return nbformat.from_dict(new_notebook(cells=cells, metadata=about))


def cell(nb: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The cell of this id."""
    return next(cell for cell in nb.cells if cell.id == name)
