"""The record of page-table walks that ``PageWalk`` shows, and the check of one.

A walk is a ``dict`` of plain data, addresses and entries in hexadecimal strings::

    {"title": text, "scheme": "sv39" or "sv48", "root": hex, "address": hex,
     "access": "load", "store" or "fetch", "mode": "U", "S", "VU" or "VS",
     "sum": bool, "mxr": bool,
     "references": [[stage, level, table, index, at, pte, outcome, translates], ...],
     "tables":     [[table, [[index, pte], ...]], ...],
     "physical": hex or "", "fault": key or "", "cause": number, "page": bytes,
     "updated": hex or "", "tlb": bool}

A reference is one read of an entry: ``stage`` ``"S"``, in a two-stage walk ``"VS"`` or ``"G"``;
``level``, the ``table``'s address, ``index`` and address ``at`` of the entry; the ``pte`` read; its
``outcome``; the address that this stage ``translates``. Nested references stand in the order in
which the hart makes them. ``tables`` holds the entries to show around the ones read.
"""

from __future__ import annotations

from typing import Any

from vtbook.widgets.checks import (
    DataError,
    check_count,
    check_fields,
    check_flag,
    check_hex,
    check_items,
    check_list,
    check_text,
    one_of,
)

LEVELS = {"sv39": 3, "sv48": 4}
STAGES = ("S", "VS", "G")
OUTCOMES = ("pointer", "leaf", "fault")
FAULTS = (
    *("canonical", "access", "invalid", "write_only", "reserved", "no_leaf", "misaligned"),
    *("not_readable", "not_writable", "not_executable", "not_user", "user_page", "user_code"),
    *("accessed", "dirty"),
)
"""Reasons of a fault, which the labels put into words."""

FIELDS = (
    *("title", "scheme", "root", "address", "access", "mode", "sum", "mxr", "references"),
    *("tables", "physical", "fault", "cause", "page", "updated", "tlb"),
)


def validate_walks(walks: Any) -> None:
    """Check a list of walks.

    Raises:
        DataError: the first thing found wrong, with its path.
    """
    if not check_list(walks, "walks"):
        raise DataError("walks", "is empty; give at least one walk")
    for n, walk in enumerate(walks):
        _check_walk(walk, f"walks[{n}]")


def _check_walk(walk: Any, path: str) -> None:
    check_fields(walk, path, FIELDS)
    check_text(walk["title"], f"{path}.title")
    one_of(LEVELS, "scheme")(walk["scheme"], f"{path}.scheme")
    one_of(("load", "store", "fetch"), "access")(walk["access"], f"{path}.access")
    one_of(("U", "S", "VU", "VS"), "mode")(walk["mode"], f"{path}.mode")
    for name in ("root", "address"):
        check_hex(walk[name], f"{path}.{name}")
    for name in ("sum", "mxr", "tlb"):
        check_flag(walk[name], f"{path}.{name}")
    for name in ("cause", "page"):
        check_count(walk[name], f"{path}.{name}")
    for name in ("physical", "updated"):
        if walk[name] != "":
            check_hex(walk[name], f"{path}.{name}")
    for k, one in enumerate(check_list(walk["references"], f"{path}.references")):
        _check_reference(one, f"{path}.references[{k}]", LEVELS[walk["scheme"]])
    for k, table in enumerate(check_list(walk["tables"], f"{path}.tables")):
        check_items(table, f"{path}.tables[{k}]", ("table", check_hex), ("entries", _check_entries))
    if walk["fault"] != "":
        one_of(FAULTS, "reason of a fault")(walk["fault"], f"{path}.fault")
    if (walk["fault"] == "") == (walk["physical"] == ""):
        raise DataError(path, "needs either a physical address or a fault")
    if walk["tlb"] and (walk["references"] or walk["fault"]):
        raise DataError(path, "a TLB hit has neither references nor a fault")


def _check_reference(one: Any, path: str, levels: int) -> None:
    def level(value: Any, where: str) -> None:
        check_count(value, where)
        if value >= levels:
            raise DataError(where, f"there is no level {value}; use 0 to {levels - 1}")

    check_items(
        one,
        path,
        ("stage", one_of(STAGES, "stage")),
        ("level", level),
        ("table", check_hex),
        ("index", check_count),
        ("at", check_hex),
        ("pte", check_hex),
        ("outcome", one_of(OUTCOMES, "outcome")),
        ("translates", check_hex),
    )


def _check_entries(value: Any, path: str) -> None:
    for k, entry in enumerate(check_list(value, path)):
        check_items(entry, f"{path}[{k}]", ("index", check_count), ("pte", check_hex))
