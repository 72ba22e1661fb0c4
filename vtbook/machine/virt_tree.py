"""The device tree of a board laid out like QEMU's ``virt``.

The board is given as plain arguments and its devices as rows of a table, so that another board is
another table. What is in a node, and why, is in Linux' bindings (Documentation/devicetree/bindings)
and in what ``qemu-system-riscv64 -M virt,dumpdtb=`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vtbook.machine.devicetree import DeviceTree, DeviceTreeError, Node, Value, cells64

# Interrupts of a hart, as `mip` numbers them (privileged specification 3.1.9).
M_SOFTWARE, M_TIMER, S_EXTERNAL, M_EXTERNAL = 3, 7, 9, 11

# Phandles: the numbers by which nodes name each other. A hart takes two.
PLIC_PHANDLE, TEST_PHANDLE, FIRST_HART_PHANDLE = 1, 2, 3


@dataclass(frozen=True)
class DeviceRow:
    """One device of the board.

    Attributes:
        name: the generic name of the node, without its address: ``serial``, ``rtc``.
        base: its first physical address.
        size: how many bytes of addresses it has.
        compatible: what drivers know it by, the most specific first.
        interrupt: its source number at the PLIC; None if it has none.
        properties: what else stands in the node.
    """

    name: str
    base: int
    size: int
    compatible: tuple[str, ...]
    interrupt: int | None = None
    properties: Mapping[str, Value] = field(default_factory=dict)

    @property
    def node_name(self) -> str:
        """``serial@10000000``"""
        return f"{self.name}@{self.base:x}"

    def node(self) -> Node:
        """The node, for a bus with two cells for addresses and two for sizes."""
        node = Node.of(self.node_name, compatible=self.compatible)
        node["reg"] = cells64(self.base, self.size)
        if self.interrupt is not None:
            node["interrupt-parent"] = PLIC_PHANDLE
            node["interrupts"] = self.interrupt
        for name, value in self.properties.items():
            node[name] = value
        return node


def virtio_slot(index: int) -> DeviceRow:
    """The virtio transport number `index`, counted from 0 at 0x1000_1000 with interrupt 1."""
    return DeviceRow(
        "virtio_mmio", 0x1000_1000 + 0x1000 * index, 0x1000, ("virtio,mmio",), index + 1
    )


CLINT = DeviceRow("clint", 0x0200_0000, 0x1_0000, ("sifive,clint0", "riscv,clint0"))
PLIC = DeviceRow("plic", 0x0C00_0000, 0x60_0000, ("sifive,plic-1.0.0", "riscv,plic0"))
TEST = DeviceRow("test", 0x10_0000, 0x1000, ("sifive,test1", "sifive,test0", "syscon"))
RTC = DeviceRow("rtc", 0x10_1000, 0x1000, ("google,goldfish-rtc",), 11)
UART = DeviceRow("serial", 0x1000_0000, 0x100, ("ns16550a",), 10, {"clock-frequency": 3_686_400})

VIRT_DEVICES = (TEST, RTC, UART)
"""The devices besides CLINT, PLIC and virtio."""


def isa_extensions(isa: str) -> list[str]:
    """The names in an ISA string: ``rv64ima_zicsr`` gives ``["i", "m", "a", "zicsr"]``.

    Raises:
        DeviceTreeError: it is no ISA string.
    """
    letters, *names = isa.split("_")
    if not re.fullmatch(r"rv64[iegmafdqcbvh]+", letters) or not all(
        re.fullmatch(r"[a-z][a-z0-9]+", name) for name in names
    ):
        raise DeviceTreeError(f"{isa!r:.60} is no ISA string; write it as rv64imafdc_zicsr_sstc")
    if letters[4] == "g":  # the binding has no name for this shorthand (unprivileged spec 27.3)
        letters, names = f"rv64imafd{letters[5:]}", ["zicsr", "zifencei", *names]
    return [*letters[4:], *dict.fromkeys(names)]


def virt_tree(
    *,
    ram_size: int,
    harts: int = 1,
    ram_base: int = 0x8000_0000,
    isa: str = "rv64imafdc_zicsr_zifencei",
    extensions: Sequence[str] | None = None,
    mmu: str | None = "riscv,sv39",
    cpu_properties: Mapping[str, Value] | None = None,
    timebase: int = 10_000_000,
    bootargs: str | None = None,
    initrd: tuple[int, int] | None = None,
    stdout: str | None = "serial",
    rng_seed: bytes | None = None,
    virtio_slots: int | Iterable[int] = 8,
    devices: Sequence[DeviceRow] = VIRT_DEVICES,
    clint: DeviceRow | None = CLINT,
    plic: DeviceRow | None = PLIC,
    plic_sources: int = 95,
    model: str = "riscv-virtio,vtbook",
) -> DeviceTree:
    """The tree of a board; ``bytes(virt_tree(...))`` is what firmware is given.

    Args:
        ram_size: bytes of RAM from `ram_base` on.
        harts: how many there are, with the ids 0, 1 and so on.
        isa: the ISA string of every hart (``riscv,isa``).
        extensions: the same as names (``riscv,isa-extensions``); made from `isa` unless given.
        mmu: ``riscv,sv39``, ``riscv,sv48``, or None for harts without virtual memory.
        cpu_properties: what else stands in the node of every hart.
        timebase: how often `time` counts, in hertz.
        bootargs: the kernel's command line.
        initrd: first address and end of the initial RAM disk.
        stdout: name of the device that messages go to; None for none.
        rng_seed: random bytes for the kernel's generator.
        virtio_slots: how many, or which, by index.
        devices: the other devices, each a row.
        clint: timer and software interrupts; None for none.
        plic: the interrupt controller; None for none, and then no device may have an interrupt.
        plic_sources: how many interrupt sources the PLIC has (``riscv,ndev``).

    Raises:
        DeviceTreeError: something that is asked for does not fit together.
    """
    if harts < 1:
        raise DeviceTreeError(f"a board with {harts} harts; give at least 1")
    indices = range(virtio_slots) if isinstance(virtio_slots, int) else virtio_slots
    rows = [*devices, *(virtio_slot(index) for index in indices)]
    _check_rows([*rows, *(row for row in (clint, plic) if row)], plic, plic_sources)

    root = Node.of("", **{"#address-cells": 2, "#size-cells": 2})
    root["compatible"], root["model"] = "riscv-virtio", model
    chosen = Node.of("chosen")
    if stdout is not None:
        chosen["stdout-path"] = f"/soc/{_named(rows, stdout).node_name}"
    if bootargs is not None:
        chosen["bootargs"] = bootargs
    if initrd is not None:
        chosen["linux,initrd-start"], chosen["linux,initrd-end"] = map(cells64, initrd)
    if rng_seed is not None:
        chosen["rng-seed"] = rng_seed
    memory = Node.of(f"memory@{ram_base:x}", device_type="memory", reg=cells64(ram_base, ram_size))
    cpus = _cpus(harts, isa, extensions, mmu, cpu_properties or {}, timebase)
    soc = Node.of("soc", compatible="simple-bus", ranges=True)
    soc["#address-cells"] = soc["#size-cells"] = 2
    root.children += [chosen, memory, cpus]
    system_control = next((row for row in rows if "syscon" in row.compatible), None)
    if system_control is not None:
        root.children += [_power_node("poweroff", 0x5555), _power_node("reboot", 0x7777)]
    root.children.append(soc)

    if clint is not None:
        node = clint.node()
        node["interrupts-extended"] = _to_harts(harts, M_SOFTWARE, M_TIMER)
        soc.children.append(node)
    if plic is not None:
        soc.children.append(_plic_node(plic, harts, plic_sources))
    for row in rows:
        node = row.node()
        if row is system_control:
            node["phandle"] = TEST_PHANDLE
        soc.children.append(node)
    return DeviceTree(root)


def _check_rows(rows: Sequence[DeviceRow], plic: DeviceRow | None, sources: int) -> None:
    names: set[str] = set()
    for row in rows:
        if row.node_name in names:
            raise DeviceTreeError(f"two devices are {row.node_name}; give one another address")
        names.add(row.node_name)
        if row.interrupt is None:
            continue
        if plic is None:
            raise DeviceTreeError(f"{row.node_name} has an interrupt, but the board has no PLIC")
        if not 1 <= row.interrupt <= sources:
            raise DeviceTreeError(
                f"{row.node_name}: interrupt {row.interrupt}, but the PLIC has 1 to {sources}"
            )


def _named(rows: Sequence[DeviceRow], name: str) -> DeviceRow:
    for row in rows:
        if row.name == name:
            return row
    names = ", ".join(dict.fromkeys(row.name for row in rows)) or "none"
    raise DeviceTreeError(f"stdout={name!r}: there is no such device; there are {names}")


def _cpus(
    harts: int,
    isa: str,
    extensions: Sequence[str] | None,
    mmu: str | None,
    properties: Mapping[str, Value],
    timebase: int,
) -> Node:
    cpus = Node.of("cpus", **{"#address-cells": 1, "#size-cells": 0})
    cpus["timebase-frequency"] = timebase
    names = isa_extensions(isa) if extensions is None else extensions
    cluster = Node("cluster0")
    for hart in range(harts):
        phandle = FIRST_HART_PHANDLE + 2 * hart
        controller = Node.of("interrupt-controller", compatible="riscv,cpu-intc")
        controller["#address-cells"], controller["#interrupt-cells"] = 0, 1
        controller["interrupt-controller"] = True
        controller["phandle"] = phandle + 1
        cpu = Node.of(f"cpu@{hart:x}", controller, device_type="cpu", reg=hart, status="okay")
        cpu["compatible"] = "riscv"
        cpu["riscv,isa"] = isa
        cpu["riscv,isa-base"] = isa[:4] + names[0]
        cpu["riscv,isa-extensions"] = names
        if mmu is not None:
            cpu["mmu-type"] = mmu
        for name, value in properties.items():
            cpu[name] = value
        cpu["phandle"] = phandle
        cpus.children.append(cpu)
        cluster.children.append(Node.of(f"core{hart}", cpu=phandle))
    cpus.children.append(Node.of("cpu-map", cluster))
    return cpus


def _to_harts(harts: int, *interrupts: int) -> list[int]:
    """For ``interrupts-extended``: each hart's controller with each interrupt, in this order."""
    controllers = (FIRST_HART_PHANDLE + 2 * hart + 1 for hart in range(harts))
    return [cell for phandle in controllers for i in interrupts for cell in (phandle, i)]


def _plic_node(row: DeviceRow, harts: int, sources: int) -> Node:
    """The order of its pairs gives the contexts their numbers: hart 0 M, hart 0 S, hart 1 M ..."""
    node = row.node()
    node["#address-cells"], node["#interrupt-cells"] = 0, 1
    node["interrupt-controller"] = True
    node["interrupts-extended"] = _to_harts(harts, M_EXTERNAL, S_EXTERNAL)
    node["riscv,ndev"] = sources
    node["phandle"] = PLIC_PHANDLE
    return node


def _power_node(kind: str, value: int) -> Node:
    """How to switch off or restart: write a value to the test device."""
    compatible = f"syscon-{kind}"
    return Node.of(kind, compatible=compatible, regmap=TEST_PHANDLE, offset=0, value=value)
