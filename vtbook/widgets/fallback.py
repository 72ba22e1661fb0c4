"""A trace as a plain HTML table, for places where no script runs: mail, a code host, a printer."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from vtbook.widgets._assets import register_names

_MONO = 'style="font-family: monospace; text-align: left; white-space: nowrap"'
_LEFT = 'style="text-align: left"'


def step_table(trace: dict[str, Any], labels: dict[str, str], limit: int = 100) -> str:
    """Return the first ``limit`` steps as a table, with the labels of the stepper.

    Args:
        trace: A valid ``vtbook-trace``.
        labels: The stepper's labels in the wanted language.
        limit: The most rows; a line under the table says how many steps are left out.
    """
    total = len(trace["steps"])
    shown = min(total, limit)
    caption = labels["table_caption"].format(title=trace["title"], shown=shown, total=total)
    heads = ("table_step", "table_address", "table_instruction", "table_effect")
    rows = [
        f"<tr><td>{n}</td><td {_MONO}>{address}</td><td {_MONO}>{escape(text)}</td>"
        f"<td {_LEFT}>{escape(effect)}</td></tr>"
        for n, address, text, effect in _rows(trace, labels, shown)
    ]
    head = "".join(f'<th scope="col" {_LEFT}>{escape(labels[key])}</th>' for key in heads)
    more = f"<p>{escape(labels['table_more'].format(n=total - shown))}</p>" if shown < total else ""
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{more}"
    )


def _rows(
    trace: dict[str, Any], labels: dict[str, str], count: int
) -> Iterator[tuple[int, str, str, str]]:
    """Yield step number, address, instruction and effects in words."""
    code = {address: text for address, _, text, _ in trace["listing"]}
    initial = trace["initial"]
    now = {"x": list(initial["x"]), "f": list(initial["f"])}
    now["csr"] = [value for _, value in initial["csrs"]]
    names = {**register_names(), "csr": [name for name, _ in initial["csrs"]]}
    pc = initial["pc"]
    for n, (after, *changes) in enumerate(trace["steps"][:count], 1):
        said: list[str] = []
        for kind, *values in changes:
            if kind == "code":
                code[values[0]] = values[2]
            elif kind in now:
                i, new = values
                old, now[kind][i] = now[kind][i], new
                said.append(
                    labels["say_value"].format(name=names[kind][i], new=f"0x{new}", old=f"0x{old}")
                )
            else:
                said += _other(kind, values, labels)
        yield n, pc, code.get(pc, ""), "; ".join(said)
        pc = after


def _other(kind: str, values: list[Any], labels: dict[str, str]) -> list[str]:
    if kind == "r":
        key = "say_read_one" if values[1] == 1 else "say_read"
        return [labels[key].format(n=values[1], address=f"0x{values[0]}")]
    if kind == "w":
        data = bytes.fromhex(values[1])
        key = "say_write_one" if len(data) == 1 else "say_write"
        value = f"{int.from_bytes(data, 'little'):#x}"
        return [labels[key].format(n=len(data), value=value, address=f"0x{values[0]}")]
    if kind == "out":
        text = bytes.fromhex(values[0]).decode("utf-8", "replace")
        return [labels["say_print"].format(text=text.replace("\n", "↵"))]
    if kind == "mode":
        return [labels["say_mode"].format(mode=values[0], words=labels[f"mode_{values[0]}"])]
    if kind == "event":
        return [_event(values, labels)]
    return []


def _event(values: list[Any], labels: dict[str, str]) -> str:
    kind, text, details = values
    given: dict[str, str] = dict(details)
    parts: list[str] = []
    if "cause" in given:
        cause = int(given["cause"], 16)
        number = cause & ((1 << 63) - 1)
        name = "interrupt" if cause >> 63 else "cause"
        unknown = labels["interrupt"].format(n=number) if cause >> 63 else labels["cause_unknown"]
        words = labels.get(f"{name}_{number}", unknown)
        parts.append(f"{words} ({labels['event_cause'].format(n=number)})")
    parts += [
        labels[f"event_{name}"].format(value=f"0x{given[name]}")
        for name in ("epc", "tval")
        if name in given
    ]
    if "reason" in given:
        parts.append(labels.get(f"reason_{given['reason']}") or given["reason"])
    if text:
        parts.append(text)
    return f"{labels[f'event_{kind}']}: {', '.join(parts)}"
