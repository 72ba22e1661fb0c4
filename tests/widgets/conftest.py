"""For the widget tests: a recorded run, and a notebook that shows it."""

from __future__ import annotations

import pytest

from tests.widgets.sample import sample_trace


@pytest.fixture(scope="session")
def trace():
    return sample_trace()


@pytest.fixture(scope="session")
def notebook(tmp_path_factory, kernel_path):
    """A notebook file, not yet run: one stepper shown twice, and where the kernel sees it."""
    nbformat = pytest.importorskip("nbformat")
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# A program, step by step"),
        new.new_code_cell(
            "from tests.widgets.sample import sample_trace\n"
            "from vtbook.widgets import Stepper\n"
            "stepper = Stepper(sample_trace())\n"
            "stepper"
        ),
        new.new_code_cell("stepper"),
        new.new_code_cell("print('the kernel sees step', stepper.step)"),
    ]
    path = tmp_path_factory.mktemp("notebook") / "steps.ipynb"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new.new_notebook(cells=cells, metadata=metadata), path)
    return path
