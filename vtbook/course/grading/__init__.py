"""Grading without a server: ``vtbook grade SUBMISSIONS -o grades.csv``.

`submissions` finds the files, `restoring` joins the student's answers and the instructor's cells,
`running` runs them in a `sandbox`, `scoring` gives points, `session` keeps a journal and writes
`table` and `feedback`.

The answers run in one process with the checks, as under nbgrader. What is defended:

- The scorer is another process. It sends one cell at a time. Solutions never leave it, and hidden
  tests leave it when it is their turn.
- Before each check, functions and classes of vtbook, IPython and builtins, and names that the
  instructor's cells have defined, are put back (`guards`), and what was replaced is noted.
- Around each check run tests whose results only the scorer knows: points that it drew, and asserts
  that must fail. A process that gets one of them wrong gets no points for the check, and the status
  ``tampered``.
- A reply has the nonce of its request; one cell's reply is no other's.
- A crash, a hang or a bomb is charged to its own cell. The others run again without it.

What an answer can still do: look through the process for the scorer's channel, recognise the tests
of the scorer by their form and behave well for them; return objects that equal everything; read a
hidden test while it runs, and print it into its own feedback. No guard in the same process can
prevent this. The grader sees signs of it: notes say ``look at it`` where an answer uses frames,
``gc``, ``ctypes``, ``__eq__`` and the like (`signs`). Read those answers before you give points.
"""
