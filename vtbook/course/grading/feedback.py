"""Feedback for a student: one page that needs no network, no script and no trust in what is shown.

All that comes from a submission is text here, escaped, with control characters shown as a sign for
them, and cut where it is long. The page forbids scripts, frames and requests to itself.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

LONGEST = 6_000
"""Characters shown of one output or one answer."""
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
UNSAFE = re.compile(r"[^\w.-]+")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
FOR_THE_INSTRUCTOR = ": look at it: "
WORDS = {
    "timeout": "It took too long.",
    "memory": "It used too much memory.",
    "processes": "It started too many processes.",
    "crashed": "It ended the Python process.",
    "tampered": "The process answered what it was not asked.",
}


def shown(text: str) -> str:
    """Text of a stranger as HTML: cut in the middle, escaped, without control characters."""
    text = ANSI.sub("", text)
    if len(text) > LONGEST:
        left_out = len(text) - LONGEST
        text = (
            f"{text[: LONGEST // 2]}\n[{left_out:,} characters left out]\n{text[-LONGEST // 2 :]}"
        )
    return escape("".join(map(_visible, text.replace("\r\n", "\n"))), quote=True)


def _visible(character: str) -> str:
    if character in "\n\t" or character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return "\N{REPLACEMENT CHARACTER}"


def tally(points: float) -> str:
    """``3``, ``2.5``."""
    return f"{points:g}"


def message_of(part: dict[str, Any]) -> str:
    """What the check said, as plain text."""
    lines = []
    if part["missing"]:
        lines.append("The cell for this answer was not found in your notebook.")
    if part["ended"]:
        reason, said = part["ended"]
        lines.append(f"{WORDS.get(reason, '')} ({said})".strip())
    for output in part["outputs"]:
        if output["output_type"] == "stream":
            lines.append(output["text"].rstrip())
        elif output["output_type"] == "error":
            known = output["ename"] == "NotYet"
            if output["ename"] == "CellTimeout":
                continue
            lines.append(output["evalue"] if known else f"{output['ename']}: {output['evalue']}")
    if part["tampered"]:
        lines.append("No points: a test of the check itself gave a wrong result after your code.")
    return "\n".join(line for line in lines if line) or "The check said nothing."


def output_of(part: dict[str, Any]) -> str:
    """What the answer's own cell printed, as plain text."""
    lines = []
    for output in part["answer_outputs"]:
        kind = output["output_type"]
        if kind == "stream":
            lines.append(output["text"].rstrip("\n"))
        elif kind == "error":
            lines.append(output["traceback"])
        else:
            lines.append(output["data"].get("text/plain") or "[a picture or a page]")
    return "\n".join(lines)


def _mark(part: dict[str, Any]) -> tuple[str, str]:
    if part["earned"] >= part["points"]:
        return "good", "\N{CHECK MARK} all points"
    return ("some", "some points") if part["earned"] else ("bad", "\N{BALLOT X} no points")


def _box(title: str, text: str, name: str, kind: str = "") -> str:
    label = f"{title}, exercise {name[2:]}"
    return (
        f'<h3>{escape(title)}</h3>\n<pre class="{kind}" tabindex="0" role="region" '
        f'aria-label="{escape(label)}">{shown(text)}</pre>'
    )


def _section(part: dict[str, Any]) -> str:
    kind, word = _mark(part)
    name = escape(part["name"])
    points = f"{tally(part['earned'])} of {tally(part['points'])}"
    lines = [
        f'<section aria-labelledby="{name}">',
        f'<div class="head"><h2 id="{name}">Exercise {name[2:]}: {shown(part["title"])}</h2>',
        f'<span class="points {kind}">{points} <span>{word}</span></span></div>',
        _box("The check says", message_of(part), part["name"], f"said {kind}"),
    ]
    if part["found_by"]:
        lines.append(
            "<p>The notebook no longer says which cell holds this answer. It was found by "
            f"{shown(part['found_by'])}.</p>"
        )
    lines.append(_box("Your answer", part["code"] or "(empty)", part["name"]))
    if output := output_of(part):
        lines.append("<details><summary>What your cell printed</summary>")
        lines += [_box("Output", output, part["name"]), "</details>"]
    return "\n".join([*lines, "</section>"])


def page(row: dict[str, Any]) -> str:
    """The feedback for one row, as an HTML page."""
    css = files("vtbook.course.grading").joinpath("feedback.css").read_text(encoding="utf-8")
    student, assignment = shown(row["student"]), shown(row["assignment"] or "")
    score = f"{tally(row['score'])} of {tally(row['max'])} points"
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{student}: {assignment}</title>\n<style>{css}</style></head>\n<body><main>",
        f"<h1>{assignment}</h1>",
        f'<p class="sum"><strong>{score}</strong> · {student}</p>',
    ]
    if row["status"] != "graded":
        said = WORDS.get(row["status"], f"{row['status']}.")
        lines.append(f"<p>Not everything went well: {escape(said)}</p>")
    if row["parts"]:
        lines.append('<table><thead><tr><th scope="col">Exercise</th>')
        lines.append(
            '<th scope="col">Result</th><th scope="col" class="n">Points</th></tr></thead>'
        )
        lines += ["<tbody>", *map(_line, row["parts"]), "</tbody></table>"]
    lines += map(_section, row["parts"])
    if notes := [note for note in row["notes"] if FOR_THE_INSTRUCTOR not in note]:
        lines.append("<h2>Notes of the grader</h2><ul>")
        lines += [f"<li>{shown(note)}</li>" for note in notes]
        lines.append("</ul>")
    lines.append(
        f'<p class="soft">Variant {row["seed"]}. Your file: {shown(row["file"])}, SHA-256 '
        f"{row['sha256'][:16]}. Graded with more tests than your notebook shows; outputs saved in "
        "the notebook do not count.</p>"
    )
    return "\n".join([*lines, "</main></body></html>"]) + "\n"


def _line(part: dict[str, Any]) -> str:
    kind, word = _mark(part)
    name = escape(part["name"])
    return (
        f'<tr><td><a href="#{name}">{name[2:]}. {shown(part["title"])}</a></td>'
        f'<td class="{kind}">{word}</td>'
        f'<td class="n">{tally(part["earned"])} of {tally(part["points"])}</td></tr>'
    )


def file_name(row: dict[str, Any]) -> str:
    """A name for the page that every system takes, and that no two submissions share."""
    name = UNSAFE.sub("_", f"{row['student']}_{row['assignment']}")[:80].lstrip(".-") or "_"
    mark = hashlib.sha256(row["file"].encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"{name}_{mark}.html"


def write_feedback(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a page for each row into a folder.

    Raises GradingError: it cannot be written.
    """
    from vtbook.course.grading.session import write_text

    for row in rows:
        write_text(folder / file_name(row), page(row))
