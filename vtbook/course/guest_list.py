"""What ``vtbook guests`` lists."""

from __future__ import annotations

from typing import NamedTuple


class Guest(NamedTuple):
    """Something that runs on the machine.

    Attributes:
        kind: "program", "benchmark", "kernel" or "firmware".
        name: as the commands take it.
        what: what it is for.
        path: where it is, or "" if it is not on this computer.
        get: how to get it then.
    """

    kind: str
    name: str
    what: str
    path: str
    get: str = ""


def list_all() -> list[Guest]:
    """All that vtbook knows, whether it is here or not."""
    return [*_programs(), *_kernels(), *_firmware()]


def print_guests(found: list[Guest]) -> None:
    """Write them to stdout, a table for each kind."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    screen = Console(highlight=False)
    for kind in dict.fromkeys(guest.kind for guest in found):
        table = Table(box=None, pad_edge=False, show_header=False, title_justify="left")
        table.title = HEADINGS[kind]
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for guest in found:
            if guest.kind == kind:
                rest = "" if guest.path else f" [yellow]not here:[/] {escape(guest.get)}"
                table.add_row(escape(guest.name), escape(guest.what) + rest)
        screen.print(table, "")


HEADINGS = {
    "program": "Programs: vtbook run NAME",
    "benchmark": "Benchmarks: vtbook run NAME, vtbook bench",
    "kernel": "Kernels: vtbook boot NAME",
    "firmware": "Firmware: vtbook boot --bios NAME",
}


def _programs() -> list[Guest]:
    from vtbook.guests import BENCHMARKS, PROGRAMS, image_path

    shown = [("program", x.name, x.shows) for x in PROGRAMS.values()]
    shown += [("benchmark", x.name, x.exercises) for x in BENCHMARKS.values()]
    return [Guest(kind, f"guest:{name}", what, str(image_path(name))) for kind, name, what in shown]


def _kernels() -> list[Guest]:
    from vtbook.guests.kernel import kernel_image
    from vtbook.guests.linux import HOW_TO_BUILD, list_built

    found = [Guest("kernel", "teaching", "the book's own small Unix", str(kernel_image()))]
    built = list_built()
    for image in built:
        old = "" if image.is_current else "; made by another vtbook: vtbook guests linux --force"
        name = "linux" if image is built[0] else str(image.kernel)
        what = f"Linux {image.version} with BusyBox{old}"
        found.append(Guest("kernel", name, what, str(image.kernel)))
    if not built:
        found.append(Guest("kernel", "linux", "a small Linux with BusyBox", "", HOW_TO_BUILD))
    return found


def _firmware() -> list[Guest]:
    from vtbook.machine.firmware import KNOWN_FIRMWARE, FirmwareError, find_firmware

    found = []
    for name, known in KNOWN_FIRMWARE.items():
        try:
            path = str(find_firmware(name))
        except FirmwareError:
            path = ""
        found.append(Guest("firmware", name, known.what, path, f"apt install {known.package}"))
    return found
