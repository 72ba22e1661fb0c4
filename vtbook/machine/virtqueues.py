"""Recording a virtqueue as driver and device work: the rings of a running kernel, byte by byte.

The driver's stores are seen by watchpoints on the physical pages, whatever page tables it uses. The
device's accesses are seen on their way to RAM. So both sides of a request are in one recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vtbook.devices.virtio.queue import (
    DESC_F_INDIRECT,
    DESC_F_NEXT,
    DESC_F_WRITE,
    DESCRIPTOR,
    USED_ELEMENT,
    Virtqueue,
)
from vtbook.devices.virtio.transport import VirtioMmio
from vtbook.machine.debugging import MachineError
from vtbook.widgets.queue_data import QueueBuilder

if TYPE_CHECKING:
    from vtbook.machine.machine import Machine

MOST_ENTRIES = 32
"""A larger queue has no place on the screen; give the device a smaller ``size_max``."""
FLAGS = {DESC_F_NEXT: "next", DESC_F_WRITE: "write", DESC_F_INDIRECT: "indirect"}
ACTORS = {"driver": "driver", "device": "device"}

Cells = dict[tuple[str, int, int], str]
Pointers = dict[tuple[str, str], int]
Links = dict[tuple[str, int], tuple[str, int]]


class _Memory:
    """The memory of a queue, noting what the device reads and writes."""

    def __init__(self, memory: Any, note: Callable[[str, int, bytes], None]) -> None:
        self.memory, self.note = memory, note

    def read(self, address: int, size: int) -> bytes:
        data: bytes = self.memory.read(address, size)
        self.note("read", address, data)
        return data

    def write(self, address: int, data: bytes) -> None:
        self.memory.write(address, data)
        self.note("write", address, data)


def record_virtqueue(
    machine: Machine,
    slot: str = "virtio0",
    number: int = 0,
    *,
    title: str = "",
    steps: int = 40,
    budget: int = 10_000_000,
) -> dict[str, Any]:
    """Run a machine, and return what driver and device do to one of their queues.

    Args:
        machine: Its driver has set the queue up. It stays where the recording ended.
        slot: The name of the device's region of the bus.
        number: Which of the device's queues.
        title: The heading.
        steps: The most steps to record.
        budget: The most instructions to run.

    Returns:
        A ``vtbook-queues`` for the `QueueView` widget: descriptor table, available and used ring.

    Raises:
        MachineError: there is no such queue, or it is not ready or too large to be shown.
    """
    transport = machine.board.bus[slot].device
    if not isinstance(transport, VirtioMmio) or number >= len(transport.queues):
        raise MachineError(f"{slot} has no virtqueue {number}")
    queue = transport.queues[number]
    if not queue.ready:
        raise MachineError(f"{slot}: queue {number} is not ready; run until its driver has begun")
    if queue.size > MOST_ENTRIES:
        raise MachineError(
            f"{slot}: a queue of {queue.size} entries; set queues[{number}].size_max to at most "
            f"{MOST_ENTRIES} before the guest starts"
        )
    name = transport.device.NAME if transport.device else slot
    recorder = _Recorder(machine, queue, title or f"The {name}'s queue")
    return recorder.run(transport, steps, budget)


class _Recorder:
    def __init__(self, machine: Machine, queue: Virtqueue, title: str) -> None:
        self.machine, self.queue = machine, queue
        self.memory = queue.memory
        self.cells: Cells = {}
        self.pointers: Pointers = {}
        self.links: Links = {}
        self._read()
        self.builder = QueueBuilder(title, ACTORS)
        self._declare()
        self.steps = 0

    # -- what the bytes say -----------------------------------------------------------------

    def _u16(self, address: int) -> int:
        return int.from_bytes(self.memory.read(address, 2), "little")

    def _read(self) -> None:
        queue, size = self.queue, self.queue.size
        cells: Cells = {}
        links: Links = {}
        idx, taken = self._u16(queue.driver + 2), queue.last_avail
        used = self._u16(queue.device + 2)
        for row in range(size):
            entry = self.memory.read(queue.desc + 16 * row, 16)
            address, length, flags, following = DESCRIPTOR.unpack(entry)
            names = [name for bit, name in FLAGS.items() if flags & bit]
            texts = (f"{address:#x}", str(length), " ".join(names), str(following))
            for column, text in enumerate(texts if length else ("", "", "", "")):
                cells["descriptors", row, column] = text
            if flags & DESC_F_NEXT and following < size:
                links["descriptors", row] = ("descriptors", following)
            head = self._u16(queue.driver + 4 + 2 * row)
            cells["available", row, 0] = str(head)
            if (row - taken) % size < idx - taken & 0xFFFF and head < size:
                links["available", row] = ("descriptors", head)
            done, written = USED_ELEMENT.unpack(self.memory.read(queue.device + 4 + 8 * row, 8))
            cells["used", row, 0], cells["used", row, 1] = str(done), str(written)
        self.pointers = {("available", "idx"): idx, ("available", "taken"): taken}
        self.pointers["used", "idx"] = used
        self.cells, self.links = cells, links

    def _declare(self) -> None:
        def rows(name: str, columns: int) -> list[list[str]]:
            return [
                [self.cells[name, row, column] for column in range(columns)]
                for row in range(self.queue.size)
            ]

        columns = ["address", "bytes", "flags", "next"]
        self.builder.table("descriptors", "Descriptors", columns, rows("descriptors", 4))
        self.builder.ring(
            "available",
            "Available ring: requests for the device",
            ["head"],
            rows("available", 1),
            pointers={
                "taken": (self.pointers["available", "taken"], "device"),
                "idx": (self.pointers["available", "idx"], "driver"),
            },
            window=("taken", "idx"),
        )
        self.builder.ring(
            "used",
            "Used ring: answers for the driver",
            ["head", "written"],
            rows("used", 2),
            pointers={"idx": (self.pointers["used", "idx"], "device")},
        )
        for part, address, size, _ in self.queue.parts():
            self.builder.memory(address, self.memory.read(address, size), part)
        for (source, row), (target, at) in self.links.items():
            self.builder.link(source, row, target, at)

    def _ours(self, address: int) -> str:
        """What of the queue is at an address, in words; "" if it is elsewhere."""
        queue = self.queue
        for part, start, size, _ in queue.parts():
            offset = address - start
            if not 0 <= offset < size:
                continue
            if part == "descriptor table":
                return f"descriptor {offset // 16}"
            width, event = (2, "used_event") if start == queue.driver else (8, "avail_event")
            names = {0: "the flags", 2: "the index", 4 + width * queue.size: event}
            what = names.get(offset, f"slot {(offset - 4) // width}")
            return f"{what} of the {part}"
        return ""

    # -- running ----------------------------------------------------------------------------

    def run(self, transport: VirtioMmio, steps: int, budget: int) -> dict[str, Any]:
        machine, queue = self.machine, self.queue
        kept, breakpoints = machine.watchpoints, machine.breakpoints
        machine.clear_breakpoints()
        service = transport.service

        def served(number: int) -> None:
            if number == queue.index:
                self._step("driver", "QueueNotify is written: the device shall look.")
            service(number)

        transport.service = served  # type: ignore[method-assign]
        queue.memory = _Memory(self.memory, self._device)
        end = machine.instructions + budget
        try:
            for _, start, size, _ in queue.parts():
                machine.add_watchpoint(start, size, "w", physical=True)
            while self.steps < steps and machine.instructions < end:
                exit = machine.run(end - machine.instructions)
                if exit.reason != "watchpoint":
                    break
                assert exit.addr is not None
                assert exit.size is not None
                function = machine.symbols.describe(exit.pc - 1).partition("+")[0]
                part = self._ours(exit.addr)
                data = self.memory.read(exit.addr, exit.size)
                self._step("driver", f"{function}() writes {part}.", exit.addr, data)
        finally:
            queue.memory = self.memory
            del transport.service  # the method is there again
            machine.clear_breakpoints()
            for place, size, kind in kept:
                machine.add_watchpoint(place, size, kind)
            for place in breakpoints:
                machine.add_breakpoint(place)
        return self.builder.build()

    def _device(self, kind: str, address: int, data: bytes) -> None:
        part = self._ours(address)
        if kind == "write" and part:
            self._step("device", f"The device writes {part}.", address, data)
        elif kind == "write":
            what = "its status" if len(data) == 1 else f"{len(data)} bytes"
            self._step("device", f"The device writes {what} to {address:#x}.")
        elif not part:
            self._step("device", f"The device reads {len(data)} bytes at {address:#x}.")

    def _step(self, actor: str, note: str, address: int = 0, data: bytes = b"") -> None:
        self.steps += 1
        before = (self.cells, self.pointers, self.links)
        self._read()
        cells, pointers, links = before
        self.builder.step(
            actor,
            note,
            cells={key: text for key, text in self.cells.items() if cells[key] != text},
            pointers={key: to for key, to in self.pointers.items() if pointers[key] != to},
            links=[(*key, *to) for key, to in self.links.items() if links.get(key) != to],
            unlinks=[key for key in links if key not in self.links],
            writes=[(address, data)] if data else [],
        )
