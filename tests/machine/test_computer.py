"""A whole computer: several harts, their clock and interrupts, and that its runs repeat."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtbook import Board, Disk, Machine, Nic, assemble
from vtbook.guests.kernel import disk_image, kernel_image
from vtbook.machine import BoardError, Snapshot, SnapshotError
from vtbook.machine.board import TICK
from vtbook.machine.hardware import QUANTUM

#: Every hart adds 1 to a counter so often, one half by amoadd and one by lr and sc.
COUNTING = """
        .equ    ROUNDS, 3000
_start: la      s0, counter
        li      s1, ROUNDS
        li      s2, 1
1:      amoadd.d zero, s2, (s0)
2:      lr.d    t0, (s0)
        addi    t0, t0, 1
        sc.d    t1, t0, (s0)
        bnez    t1, 2b
        addi    s1, s1, -1
        bnez    s1, 1b
        la      s3, ready
        amoadd.d zero, s2, (s3)
3:      wfi
        j       3b
        .balign 8
counter: .dword 0
ready:  .dword  0
"""

#: Hart 0 sends a software interrupt round the ring of harts; each counts and passes it on.
RING = """
        .equ    CLINT, 0x2000000
_start: li      s0, CLINT
        csrr    s1, mhartid
        la      t0, handler
        csrw    mtvec, t0
        li      t0, 8
        csrw    mie, t0
        csrsi   mstatus, 8
        bnez    s1, 1f
        li      t0, 1
        sw      t0, 4(s0)
1:      wfi
        j       1b
        .balign 4
handler: slli   t0, s1, 2
        add     t0, t0, s0
        sw      zero, (t0)
        la      t1, visits
        li      t2, 1
        amoadd.d t3, t2, (t1)
        li      t4, 39
        bge     t3, t4, 2f
        addi    t0, s1, 1
        andi    t0, t0, 3
        slli    t0, t0, 2
        add     t0, t0, s0
        sw      t2, (t0)
        mret
2:      li      t0, 0x100000
        li      t1, 0x5555
        sw      t1, (t0)
        mret
        .balign 8
visits: .dword  0
"""

#: Wait for the timer a million ticks ahead, then switch off.
SLEEPER = """
_start: li      s0, 0x2000000
        li      t0, 128
        csrw    mie, t0
        li      t1, 0x200bff8
        ld      t2, (t1)
        li      t3, 1000000
        add     t2, t2, t3
        li      t1, 0x2004000
        sd      t2, (t1)
        wfi
        rdtime  s2
        rdinstret s3
        li      t0, 0x100000
        li      t1, 0x5555
        sw      t1, (t0)
"""


def machine(source: str, harts: int, engine: str = "interpreter") -> Machine:
    made = Machine(Board(harts=harts, ram="1 MiB"), engine)
    made.load(assemble(source))
    return made


@pytest.mark.parametrize("engine", ["interpreter", "python", "ir"])
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_atomics_lose_nothing_between_harts(harts: int, engine: str) -> None:
    made = machine(COUNTING, harts, engine) if engine == "interpreter" else None
    if made is None:
        made = Machine(Board(harts=harts, ram="1 MiB"), engine)
        made.load(assemble(COUNTING.replace("ROUNDS, 3000", "ROUNDS, 100")))
    rounds = 3000 if engine == "interpreter" else 100
    assert made.run(10_000_000).reason == "wfi"
    assert int.from_bytes(made.read("ready", 8), "little") == harts
    assert int.from_bytes(made.read("counter", 8), "little") == harts * 2 * rounds


@pytest.mark.parametrize("engine", ["interpreter", "python", "ir"])
def test_software_interrupts_go_from_hart_to_hart(engine: str) -> None:
    made = machine(RING, 4, engine)
    assert made.run(1_000_000).ok
    assert int.from_bytes(made.read("visits", 8), "little") == 40


@pytest.mark.parametrize("engine", ["interpreter", "python", "ir"])
@pytest.mark.parametrize("harts", [1, 3])
def test_waiting_harts_let_the_clock_jump_to_the_timer(harts: int, engine: str) -> None:
    made = machine(SLEEPER, harts, engine)
    assert made.run(1_000_000).ok
    hart = made.hart
    assert hart.x[19] < 100  # instructions: it has not counted its way there
    turn = QUANTUM // TICK  # the clock is looked at when a hart gets the turn
    assert 1_000_000 <= hart.x[18] <= 1_000_100 + (turn if harts > 1 else 0)


@pytest.mark.parametrize("harts", [1, 4])
def test_all_engines_and_all_slices_come_to_the_same_state(harts: int) -> None:
    expected = machine(COUNTING, harts)
    expected.run(20_000)
    for engine, pieces in (("interpreter", 7), ("interpreter", 997), ("python", 5000), ("ir", 333)):
        made = machine(COUNTING, harts, engine)
        left = 20_000
        while left:
            left -= made.run(min(pieces, left)).instructions
        assert made.snapshot().digest == expected.snapshot().digest, (engine, pieces)


def booted(harts: int = 2, **parts: object) -> Machine:
    board = Board(harts=harts, disks=[Disk(size=disk_image())], nics=[Nic()], **parts)  # type: ignore[arg-type]
    made = Machine(board)
    made.boot(kernel_image())
    return made


def test_plain_python_boots_as_compiled_code_does() -> None:
    board = Board(harts=2, ram="16 MiB")
    digests = []
    for engine in ("interpreter", "python"):
        made = Machine(board, engine)
        made.boot(kernel_image())
        made.run(60_000)
        digests.append(made.snapshot().digest)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("harts", [1, 4])
def test_a_whole_run_of_the_kernel_ends_with_the_same_memory_twice(harts: int) -> None:
    digests = set()
    for _ in range(2):
        with Machine(Board(harts=harts, disks=[Disk(size=disk_image())])) as made:
            made.boot(kernel_image(), append='run="ls; cat README | wc; poweroff"')
            assert made.run(400_000_000).ok
            digests.add(made.snapshot().digest)
    assert len(digests) == 1


def test_a_run_stops_when_the_guest_has_written_what_is_waited_for() -> None:
    made = booted()
    exit = made.run(500_000_000, until_output="$ ")
    assert exit.reason == "output"
    made.console.feed("echo two words\n")
    assert made.run(500_000_000, until_output="two words\n").reason == "output"
    assert made.run(500_000_000, until_output="$ ").reason == "output"


def test_a_run_stops_when_the_guest_waits_for_input_in_wfi() -> None:
    made = booted()
    assert made.run(2_000_000_000, until_input=True).reason == "input"
    assert made.console.text.endswith("$ ")


def test_stepping_back_undoes_interrupts_and_what_was_typed() -> None:
    made = booted()
    made.run(500_000_000, until_output="$ ")
    made.run(100)
    before, at = made.snapshot().digest, made.instructions
    made.run(100)
    made.console.feed("ls\n")
    made.run(500_000_000, until_output="$ ")
    after, end = made.snapshot().digest, made.instructions
    made.go_to(at)
    assert made.snapshot().digest == before
    made.run(100)
    made.console.feed("ls\n")
    made.run(end - made.instructions)
    assert made.snapshot().digest == after


def test_a_past_with_waits_in_it_can_be_gone_back_to() -> None:
    made = booted()
    made.run(500_000_000, until_output="$ ")
    for text in ("sleep 2\n", "ls\n", "echo end\n"):
        made.console.feed(text)
        made.run(500_000_000, until_output="$ ")
    end = made.snapshot().digest
    here = made.instructions
    middle = here - 5_000
    made.go_to(middle)
    assert made.instructions == middle
    made.run(here - middle)
    assert made.snapshot().digest == end


RESTORE = """
import sys
from vtbook import Board, Disk, Machine, Nic
from vtbook.guests.kernel import disk_image
from vtbook.machine import Snapshot
made = Machine(Board(harts=2, disks=[Disk(size=disk_image())], nics=[Nic()]))
made.restore(Snapshot.load(sys.argv[1]))
made.console.feed("cat kept\\npoweroff\\n")
exit = made.run(500_000_000)
print(exit.reason, made.snapshot().digest)
print(made.console.text[-200:])
"""


def test_a_snapshot_goes_on_in_another_process_with_disk_and_all(tmp_path) -> None:
    made = booted()
    made.run(500_000_000, until_output="$ ")
    made.console.feed("echo kept words > kept\n")
    made.run(500_000_000, until_output="$ ")
    snapshot = made.snapshot()
    snapshot.save(tmp_path / "state")
    assert Snapshot.load(tmp_path / "state").digest == snapshot.digest
    done = subprocess.run(
        [sys.executable, "-c", RESTORE, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    made.console.feed("cat kept\npoweroff\n")
    exit = made.run(500_000_000)
    assert "kept words" in done.stdout
    assert done.stdout.split()[:2] == [exit.reason, made.snapshot().digest]


def test_a_snapshot_of_another_board_is_refused() -> None:
    snapshot = booted().snapshot()
    for board, what in (
        (Board(harts=1, disks=[Disk(size=disk_image())], nics=[Nic()]), "number of harts"),
        (Board(harts=2, nics=[Nic()]), "disks"),
        (Board(harts=2, disks=[Disk(size=disk_image())]), "does not fit"),
    ):
        with pytest.raises(SnapshotError, match=what):
            Machine(board).restore(snapshot)


class Bell:
    """A device that a reader adds: a byte written is its answer, and it interrupts on request."""

    SIZE = 16

    def __init__(self) -> None:
        self.value = 0

    def read(self, offset: int, size: int) -> int:
        return self.value

    def write(self, offset: int, size: int, value: int) -> None:
        self.value = value * 3

    def state(self) -> dict[str, int]:
        return {"value": self.value}

    def load_state(self, state: dict[str, int]) -> None:
        self.value = state["value"]


@pytest.mark.parametrize("engine", ["interpreter", "python", "ir"])
def test_a_device_added_to_the_bus_answers_at_once(engine: str) -> None:
    made = machine("_start: li a0, 0x20000000\n li a1, 7\n sw a1, (a0)\n lw a2, (a0)\n", 1, engine)
    made.run(2)
    made.board.bus.add(0x2000_0000, Bell(), name="bell")
    made.run(2)
    assert made.hart.x[12] == 21


def test_boards_that_cannot_be_are_refused() -> None:
    with pytest.raises(BoardError, match="9 harts"):
        Board(harts=9)
    with pytest.raises(BoardError, match="PMP"):
        Board(pmp=3)
    with pytest.raises(BoardError, match="slots"):
        Board(disks=[Disk(size=4096)] * 9)
    with pytest.raises(BoardError, match="one of"):
        Machine(Board(disks=[Disk()]))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=30), st.integers(1, 5))
def test_the_clock_of_all_harts_never_goes_back(pieces: list[int], harts: int) -> None:
    made = machine("_start: j _start", harts)
    last = 0
    for piece in pieces:
        made.run(piece)
        clock = made.board.clock
        assert clock == made.instructions >= last
        assert made.board.time() == clock // (TICK * harts)
        last = clock


def test_a_session_waits_with_the_guest_and_goes_on_at_a_key() -> None:
    made = booted()
    session = made.session()
    session.run()
    try:
        session.expect("$ ", 60)
        assert session.wait(60) == "waiting"
        assert session.timed
        before = made.board.clock
        session.feed("echo ping\n")
        session.expect("ping\n", 60)
        session.expect("$ ", 60)
        assert made.board.clock > before
    finally:
        session.close()


def test_a_balloons_target_is_asked_for_again_in_a_replay() -> None:
    made = Machine(Board(ram="16 MiB", balloon=True))
    made.boot(kernel_image())
    made.run(300_000)
    before = made.snapshot().digest
    balloon = made.board.virtio["virtio0"]
    made.run(1000)
    balloon.feed(b"T" + (5).to_bytes(4, "little"))  # type: ignore[attr-defined]
    made.run(1000)
    after = made.snapshot().digest
    made.go_to(made.instructions - 2000)
    assert made.snapshot().digest == before
    made.run(1000)
    balloon.feed(b"T" + (5).to_bytes(4, "little"))  # type: ignore[attr-defined]
    made.run(1000)
    assert made.snapshot().digest == after
    made.go_to(made.instructions - 500)
    assert balloon.target == 5  # type: ignore[attr-defined]
