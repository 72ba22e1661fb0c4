"""From a board to a snapshot and back: what is in it, and whether one fits a board."""

from __future__ import annotations

from vtbook.cpu.layout import ARCHITECTURAL, HART
from vtbook.machine.hardware import Hardware
from vtbook.machine.snapshot import Snapshot, SnapshotError


def capture(board: Hardware, like: Snapshot | None = None) -> Snapshot:
    """The whole state: harts, RAM, devices, disks. Pages equal to those of `like` are shared.

    Raises:
        StorageError: a disk is a file that is written to; its past cannot be had again.
    """
    harts = []
    for hart in board.harts:
        fields: dict[str, int | list[int]] = {}
        for name in map(str, ARCHITECTURAL):
            fields[name] = hart.state[name][0].tolist()
        fields["x"] = [*hart.x, 0]  # the last takes what is written to x0: no state
        harts.append(fields)
    ram = board.ram
    pages = ram.capture(like.pages if like is not None else None)
    devices = board.device_states()
    others = {"rom": board.rom_pages()}
    for name, disk in board.disks.items():
        others[name] = disk.capture(like.others.get(name) if like is not None else None)
    return Snapshot(board.hart.isa.name, ram.base, ram.size, harts, devices, pages, others)


def check_fits(board: Hardware, snapshot: Snapshot) -> None:
    """Refuse a snapshot of another board, or a damaged one. Devices check their own states.

    Raises:
        SnapshotError: it says what differs.
    """
    ram = board.ram
    for what, theirs, ours in (
        ("instruction set", snapshot.isa, board.hart.isa.name),
        ("number of harts", len(snapshot.harts), len(board.harts)),
        ("RAM address", snapshot.ram_base, ram.base),
        ("RAM size", snapshot.ram_size, ram.size),
    ):
        if theirs != ours:
            raise SnapshotError(f"{what}: the snapshot has {theirs}, this machine {ours}")
    others = {"rom", *board.disks}
    if snapshot.others.keys() != others:
        raise SnapshotError(
            f"disks: the snapshot has {sorted(snapshot.others)}, this machine {sorted(others)}"
        )
    for fields in snapshot.harts:
        _check_hart(fields)


def put_back(board: Hardware, snapshot: Snapshot) -> None:
    """Copy a snapshot's state into the board.

    Raises:
        VtbookError: a device or a disk refuses its part; then the board is half changed.
    """
    board.load_device_states(snapshot.devices)
    for hart, fields in zip(board.harts, snapshot.harts, strict=True):
        for name, value in fields.items():
            hart.state[name][0] = value
        hart.events[:] = []
    board.ram.put_back(snapshot.pages)
    board.put_rom_pages(snapshot.others.get("rom", {}))
    for name, disk in board.disks.items():
        disk.put_back(snapshot.others[name])


def _check_hart(fields: object) -> None:
    """Refuse what are not the fields of a hart."""
    if not isinstance(fields, dict) or fields.keys() != set(ARCHITECTURAL):
        raise SnapshotError("the snapshot has other hart registers; it is of another version")
    for name, value in fields.items():
        shape: tuple[int, ...] = HART[name].shape
        numbers = value if isinstance(value, list) else [value]
        fits = all(type(n) is int and -(1 << 63) <= n < 1 << 63 for n in numbers)
        if not fits or isinstance(value, list) != bool(shape) or len(numbers) != (*shape, 1)[0]:
            raise SnapshotError(f"the snapshot has no proper {name}; it is damaged")
