"""Run the cells of a plan, and go on after one that ends its process.

Where a cell hangs, crashes or uses too much, its process is ended. A new one runs the other cells,
without that one: an exercise that hangs costs its own points and no others.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from vtbook.course.grading.limits import Limits
from vtbook.course.grading.restoring import ANSWER, CHECK, GIVEN, Plan, Step
from vtbook.course.grading.sandbox import Ended, GraderFailed, Sandbox

PARTS_PROBE = """\
import vtbook.course.exercises.feedback as {name}
{name} = {name}.Parts()
with {name}.part("a", {value}): pass
with {name}.part("b", 1): assert {left} == {right}, "{name}"
{name}.points()"""
ASSERT_PROBE = """\
assert {left} == {right}, "{name}"
"""
CHECKING_PROBE = """\
import vtbook.course.exercises.feedback as {name}
with {name}.checking("{name}"): assert {left} == {right}, "{name}"
"""


@dataclass
class Run:
    """What came of a plan.

    Attributes:
        results: id of a cell -> ``ok``, ``outputs``, ``seconds``.
        ended: id of a cell -> reason and message, where it ended its process or was interrupted.
        tampered: id of a check -> what gave it away; such a check gives no points.
        notes: what an answer replaced and was put back, for the instructor.
        missing: what isolation could not be had.
    """

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    tampered: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    cpu: float = 0.0
    peak: int = 0


def run_plan(plan: Plan, limits: Limits, hidden: list[str]) -> Run:
    """Run every code cell of a plan, in as many processes as it takes.

    Raises:
        GraderFailed: a process cannot be started.
    """
    run = Run()
    deadline = time.monotonic() + limits.seconds
    while True:
        at: list[Step] = []
        try:
            box = Sandbox(limits, hidden, plan.protected, deadline)
            try:
                box.__enter__()
            except Ended as error:
                raise GraderFailed(f"its process did not start: {error}") from error
            try:
                _run_cells(box, plan, run, at)
                return run
            finally:
                run.missing = box.missing
                box.__exit__()
                run.cpu += box.cpu
                run.peak = max(run.peak, box.peak)
        except Ended as error:
            culprit = _culprit(plan, run, at[-1])
            if culprit is None:
                raise GraderFailed(f"the given cell {at[-1].id}: {error}") from error
            run.ended[culprit.id] = error.reason, str(error)
            if time.monotonic() >= deadline:
                _out_of_time(plan, run, limits)
                return run


def _run_cells(box: Sandbox, plan: Plan, run: Run, at: list[Step]) -> None:
    for step in plan.steps:
        if step.id in run.ended:
            continue
        at.append(step)
        if time.monotonic() >= box.deadline:
            raise Ended("timeout", "the submission as a whole took too long")
        if step.kind != CHECK:
            reply = box.run(step.source, step.kind)
            _note_replaced(run, step, _names(reply))
            _keep(run, step, reply)
            continue
        if step.id in run.results:  # checked before another cell ended the process
            continue
        replaced: list[str] = []
        found = _probe(box, PARTS_PROBE, replaced)
        reply = box.run(step.source, CHECK)
        found = found or _probe(box, ASSERT_PROBE, []) or _probe(box, CHECKING_PROBE, [])
        if found:
            run.tampered[step.id] = found
        _keep(run, step, reply)
        _note_replaced(run, step, replaced)


def _names(reply: dict[str, Any]) -> list[str]:
    changed = reply.get("changed")
    return [str(x)[:100] for x in changed] if isinstance(changed, list) else []


def _note_replaced(run: Run, step: Step, names: list[str]) -> None:
    where = "" if step.kind == ANSWER else "before this check an answer "
    run.notes += [f"{step.id}: {where}replaced {name}; put back" for name in names[:10]]


def _keep(run: Run, step: Step, reply: dict[str, Any]) -> None:
    if step.id in run.results:
        return
    outputs = checked_outputs(reply.get("outputs"))
    seconds = reply.get("seconds")
    run.results[step.id] = {
        "ok": reply.get("ok") is True,
        "outputs": outputs,
        "seconds": seconds if isinstance(seconds, float) else 0.0,
    }
    names = [x["ename"] for x in outputs if x["output_type"] == "error"]
    if "CellTimeout" in names:
        run.ended[step.id] = "timeout", "the cell took too long and was interrupted"
    elif "MemoryError" in names:
        run.ended[step.id] = "memory", "there was no more memory"


def _probe(box: Sandbox, text: str, replaced: list[str]) -> str:
    """Run a cell whose result is known only here; what is wrong with it, or nothing.

    What an answer had replaced, and was put back before the cell, is added to `replaced`.
    """
    name = "_" + secrets.token_hex(8)
    left = secrets.randbelow(1 << 30)
    value = secrets.randbelow(1 << 30) + 1
    source = text.format(name=name, left=left, right=left + 1, value=value)
    reply = box.run(source, CHECK)
    replaced += _names(reply)
    outputs = checked_outputs(reply.get("outputs"))
    if text is PARTS_PROBE:
        results = [x for x in outputs if x["output_type"] == "execute_result"]
        if [x["data"].get("text/plain") for x in results] == [str(value)]:
            return ""
        return "a test with points known beforehand gave other points"
    errors = [x["evalue"] for x in outputs if x["output_type"] == "error"]
    if len(errors) == 1 and errors[0].endswith(name) and reply.get("ok") is False:
        return ""
    return "a test that must fail did not fail"


def checked_outputs(outputs: Any) -> list[dict[str, Any]]:
    """Outputs from the process of a submission, with no type but those that are expected."""
    checked: list[dict[str, Any]] = []
    for item in outputs if isinstance(outputs, list) else []:
        kind = item.get("output_type") if isinstance(item, dict) else None
        if kind == "stream":
            name = "stderr" if item.get("name") == "stderr" else "stdout"
            checked.append({"output_type": kind, "name": name, "text": _text(item.get("text"))})
        elif kind == "error":
            fields = {key: _text(item.get(key)) for key in ("ename", "evalue", "traceback")}
            checked.append({"output_type": kind, **fields})
        elif kind in ("execute_result", "display_data"):
            data = item.get("data")
            data = data if isinstance(data, dict) else {}
            kept = {_text(k): v for k, v in data.items() if isinstance(v, str)}
            checked.append({"output_type": kind, "data": kept})
    return checked


def _text(value: Any) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _culprit(plan: Plan, run: Run, step: Step) -> Step | None:
    """The cell that is left out from now on: this one, or the answer before a given cell."""
    if step.kind != GIVEN and step.id not in run.results:
        return step
    before = plan.steps[: plan.steps.index(step) + 1]
    answers = [s for s in before if s.kind == ANSWER and s.id not in run.ended]
    if not answers:
        return None
    run.results.pop(answers[-1].id, None)
    return answers[-1]


def _out_of_time(plan: Plan, run: Run, limits: Limits) -> None:
    for step in plan.steps:
        if step.kind == CHECK and step.id not in run.results and step.id not in run.ended:
            said = f"not run: the submission had used its {limits.seconds:g} s"
            run.ended[step.id] = "timeout", said
