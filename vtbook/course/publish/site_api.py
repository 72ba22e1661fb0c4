"""The pages of the API reference: one a package, made of its public names and their docstrings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class ApiPage:
    """A page: the package, and its public names if it does not list them in ``__all__``."""

    module: str
    title: str
    names: tuple[str, ...] = ()

    def public_names(self) -> list[str]:
        """The names on the page; those of another module as ``module.name``."""
        return list(self.names) or sorted(
            getattr(import_module(self.module), "__all__", ()), key=str.lower
        )


PAGES = (
    ApiPage("vtbook", "The names you import most"),
    ApiPage("vtbook.machine", "Machines: boards, exits, snapshots, programs"),
    ApiPage("vtbook.machine.hardware", "A board built: parts and wires", ("Hardware",)),
    ApiPage("vtbook.machine.harts", "Harts in turn on one clock", ("Harts",)),
    ApiPage(
        "vtbook.machine.boot",
        "From a board to a plan of booting",
        ("boot_files", "device_tree", "isa_string"),
    ),
    ApiPage("vtbook.machine.dirty", "The dirty log", ("DirtyLog", "DirtyLogError")),
    ApiPage(
        "vtbook.machine.switches",
        "Who runs: changes of mode",
        ("Switch", "switches", "mode_counts", "record_switches"),
    ),
    ApiPage(
        "vtbook.machine.accesses",
        "Accesses to devices",
        ("Access", "count_accesses", "noting_accesses"),
    ),
    ApiPage("vtbook.machine.virtqueues", "Requests of a virtio driver", ("record_virtqueue",)),
    ApiPage("vtbook.machine.gdb", "Machines under gdb"),
    ApiPage(
        "vtbook.machine.firmware",
        "Booting: firmware, kernel, RAM disk",
        ("plan_boot", "BootPlan", "Piece", "find_firmware", "KnownFirmware", "FirmwareError"),
    ),
    ApiPage(
        "vtbook.machine.devicetree",
        "Device trees",
        ("DeviceTree", "Node", "read_dtb", "encode", "cells64", "DeviceTreeError"),
    ),
    ApiPage(
        "vtbook.machine.virt_tree",
        "The device tree of a board",
        ("virt_tree", "DeviceRow", "virtio_slot", "isa_extensions"),
    ),
    ApiPage("vtbook.isa", "Instructions and instruction sets"),
    ApiPage("vtbook.isa.assembler", "The assembler"),
    ApiPage("vtbook.isa.disassembler", "The disassembler", ("disassemble", "disassemble_range")),
    ApiPage(
        "vtbook.cpu",
        "Harts: state, traps, engines",
        (
            *("hart.Hart", "plain.step", "interpreter.Interpreter", "csr.Csr", "csr.read_csr"),
            *("csr.write_csr", "traps.Trap", "traps.take_trap", "traps.cause_name"),
            *("traps.take_interrupt", "interrupts.pending", "interrupts.next_interrupt"),
            *("interrupts.next_timer", "translation.walk", "translation.translate"),
            *("protection.allows", "inspect_code.handler_assembly"),
        ),
    ),
    ApiPage("vtbook.mmu", "Page tables and address translation"),
    ApiPage("vtbook.devices", "Devices"),
    ApiPage("vtbook.devices.virtio", "Virtio: transport, queues, devices"),
    ApiPage("vtbook.devices.storage", "What disks are kept in"),
    ApiPage("vtbook.devices.network", "Networks that machines are plugged into"),
    ApiPage("vtbook.guests", "Guest programs and compilers"),
    ApiPage("vtbook.guests.firmware", "The book's firmware"),
    ApiPage("vtbook.guests.kernel", "The teaching kernel and its disks"),
    ApiPage("vtbook.guests.linux", "A small Linux for the machine"),
    ApiPage("vtbook.translator", "Intermediate code"),
    ApiPage("vtbook.widgets", "Widgets"),
    ApiPage(
        "vtbook.course.classroom",
        "What chapters use around a machine",
        ("show_code", "profile", "chart", "bar_chart", "run_elsewhere"),
    ),
    ApiPage("vtbook.course.exercises", "Exercises and their variants"),
    ApiPage(
        "vtbook.course.grading",
        "Grading",
        ("session.grade_folder", "session.Order", "session.Report", "limits.Limits"),
    ),
    ApiPage(
        "vtbook.course.publish",
        "Slides, pages and the site",
        (
            *("executing.executed", "slides.slides_of", "slides.slides_page"),
            *("slides.write_slides", "site.build_site", "site.write_catalogues", "maths.mathml"),
        ),
    ),
    ApiPage("vtbook.errors", "The base of all errors", ("VtbookError",)),
)


def api_pages() -> dict[str, str]:
    """Return file name -> text (reStructuredText) of every page of the API reference."""
    documented = _documented()
    pages = {f"{page.module}.rst": _page(page, documented) for page in PAGES[1:]}
    pages[f"{PAGES[0].module}.rst"] = _front_page(documented)
    pages["index.rst"] = _contents()
    return pages


def _documented() -> dict[int, str]:
    """Identity of each documented object -> the name under which its page has it."""
    found: dict[int, str] = {}
    for page in PAGES[1:]:
        for name in page.public_names():
            found.setdefault(id(_object(page.module, name)), f"{page.module}.{name}")
    return found


def _object(module: str, name: str) -> Any:
    inner, _, last = name.rpartition(".")
    return getattr(import_module(f"{module}.{inner}" if inner else module), last)


def _contents() -> str:
    lines = [*_heading("Python API", "="), ""]
    lines += ["Made from the docstrings. Each name has a link to its source.", ""]
    lines += [".. toctree::", "   :maxdepth: 1", ""]
    lines += [f"   {page.title} <{page.module}>" for page in PAGES]
    return "\n".join(lines) + "\n"


def _front_page(documented: dict[int, str]) -> str:
    """The package itself: a table that leads to where each name is described."""
    page = PAGES[0]
    lines = [*_heading(f"``{page.module}``", "="), "", page.title + ":", ""]
    lines += [".. list-table::", "   :widths: 30 70", "   :class: vtb-names", ""]
    here = []
    for name in page.public_names():
        thing = getattr(import_module(page.module), name)
        home = documented.get(id(thing))
        if home is None:
            here.append(name)
            home = f"{page.module}.{name}"
        lines += [f"   * - :py:obj:`{name} <{home}>`", f"     - {_summary(thing)}"]
    lines += ["", f".. py:currentmodule:: {page.module}", ""]
    for name in here:
        lines += _directive(page.module, name)
    return "\n".join(lines) + "\n"


def _page(page: ApiPage, documented: dict[int, str]) -> str:
    lines = [*_heading(f"``{page.module}``", "=")]
    lines += ["", f".. automodule:: {page.module}", "   :no-members:", ""]
    for name in page.public_names():
        home = documented[id(_object(page.module, name))]
        if home == f"{page.module}.{name}":
            lines += _directive(page.module, name)
    return "\n".join(lines) + "\n"


def _directive(module: str, name: str) -> list[str]:
    inner, _, last = name.rpartition(".")
    module = f"{module}.{inner}" if inner else module
    thing = _object(module, last)
    lines = [f".. py:currentmodule:: {module}", ""]
    if isinstance(thing, type):
        kind = "autoexception" if issubclass(thing, BaseException) else "autoclass"
        lines += [f".. {kind}:: {last}", "   :members:"]
        if thing.__bases__ != (object,):
            lines.append("   :show-inheritance:")
    elif inspect.isroutine(thing):
        lines += [f".. autofunction:: {last}"]
    else:
        lines += [f".. autodata:: {last}", "   :no-value:"]
    return [*lines, ""]


def _summary(thing: Any) -> str:
    """The first sentence of a docstring, for a table."""
    own = inspect.isclass(thing) or inspect.isroutine(thing)
    text = (inspect.getdoc(thing) or "").split("\n\n")[0] if own else repr(thing)
    text = " ".join(text.split()).replace("\\", "\\\\").replace("*", r"\*")
    return text if own else f"``{text}``"


def _heading(text: str, underline: str) -> list[str]:
    return [text, underline * len(text)]
