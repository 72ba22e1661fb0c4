"""Drivers that mean harm: nothing is raised, nothing outside RAM is touched, the device stays in a
documented state, and a reset always brings it back.

``VTBOOK_FUZZ=17`` does a million operations; without it, a seventeenth of them.
"""

import os
import random
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.devices.virtio import driver as d
from vtbook.devices.memory import PlainMemory
from vtbook.devices.storage import MemoryDisk
from vtbook.devices.virtio import (
    Virtio9P,
    VirtioBalloon,
    VirtioBlock,
    VirtioConsole,
    VirtioEntropy,
    VirtioNet,
    block,
    entropy,
    transport,
)
from vtbook.machine.ram import Ram

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))
OPERATIONS = 60_000 * FUZZ
BASE, SIZE, GUARD = d.RAM, 1 << 16, 1 << 12
REGISTERS = sorted(transport.REGISTERS)


class GuardedMemory(PlainMemory):
    """RAM in the middle of a larger array, whose ends must stay as they are."""

    def __init__(self):
        super().__init__(BASE, SIZE)
        self.all = bytearray(b"\xa5" * GUARD + bytes(SIZE) + b"\xa5" * GUARD)
        self._view = memoryview(self.all)[GUARD : GUARD + SIZE]

    def check(self):
        guard = b"\xa5" * GUARD
        assert self.all[:GUARD] == guard
        assert self.all[GUARD + SIZE :] == guard


def poke_console(device, rng):
    device.console.feed(rng.randbytes(rng.randrange(1, 50)))
    if rng.random() < 0.2:
        device.resize(rng.randrange(300), rng.randrange(100))


def poke_balloon(device, rng):
    if rng.random() < 0.5:
        device.set_target(rng.randrange(1 << 20))
    else:
        device.ask_for_statistics()


def poke_net(device, rng):
    broadcast = b"\xff" * 6 + device.mac + b"\x08\x00"
    device.port.receive(broadcast + rng.randbytes(rng.randrange(46, 1500)))
    if rng.random() < 0.05:
        device.port.set_link(rng.random() < 0.7)


def shared_folder():
    """A folder with a little in it, and a file beside it that no guest may reach."""
    outside = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    root = Path(outside.name)
    (root / "secret").write_text("not for guests")
    (root / "shared" / "a" / "b").mkdir(parents=True)
    (root / "shared" / "a" / "c").write_text("something")
    (root / "shared" / "link").symlink_to("../secret")
    device = Virtio9P(root / "shared")
    device.outside = outside
    return device


def message(rng):
    """A message of 9P, of fields that are nearly right."""
    names = [b"a", b"b", b"c", b"link", b"..", b".", b"../secret", b"secret", b"x" * 300, b""]
    fid, other = rng.randrange(4), rng.randrange(4)
    what, to = (struct.pack("<H", len(n)) + n for n in (rng.choice(names), rng.choice(names)))
    number = rng.choice([0, 1, 2, 0o1102, 64, 4096, 2**31, 2**63])
    flags = number & 0xFFFFFFFF
    kind, body = rng.choice(
        [
            (12, struct.pack("<II", fid, flags)),
            (14, struct.pack("<I", fid) + what + struct.pack("<III", flags, 0o777, 0)),
            (22, struct.pack("<I", fid)),
            (24, struct.pack("<IQ", fid, number)),
            (26, struct.pack("<IIIIIQ4Q", fid, flags, 0o777, 0, 0, number, *[number] * 4)),
            (40, struct.pack("<IQI", fid, number, 4096)),
            (72, struct.pack("<I", fid) + what + struct.pack("<II", 0o777, 0)),
            (74, struct.pack("<I", fid) + what + struct.pack("<I", other) + to),
            (76, struct.pack("<I", fid) + what + struct.pack("<I", flags)),
            (100, struct.pack("<I", flags) + b"\x08\x009P2000.L"),
            (104, struct.pack("<IIHHI", fid, 0, 0, 0, 0)),
            (110, struct.pack("<IIH", fid, other, 2) + what + to),
            (110, struct.pack("<IIH", fid, other, 1) + what),
            (116, struct.pack("<IQI", fid, number, 4096)),
            (118, struct.pack("<IQI", fid, number & 0xFFFF, 4) + b"data"),
            (120, struct.pack("<I", fid)),
            (rng.randrange(256), rng.randbytes(20)),
        ]
    )
    return struct.pack("<IBH", 7 + len(body), kind, 1) + body


DEVICES = {
    "block": (lambda: VirtioBlock(MemoryDisk(1 << 16)), None),
    "console": (VirtioConsole, poke_console),
    "entropy": (VirtioEntropy, None),
    "balloon": (VirtioBalloon, poke_balloon),
    "net": (VirtioNet, poke_net),
    "9p": (shared_folder, None),
}
KINDS = {
    "block": [block.T_IN, block.T_OUT, block.T_FLUSH, block.T_GET_ID, block.T_DISCARD, 13, 99],
}
STATUS_BITS = 0xFF & ~0x30


class Attacker:
    """A driver with a random mind and a fixed seed."""

    def __init__(self, name, legacy, seed):
        self.rng = random.Random(f"{name} {legacy} {seed}")
        make, self.poke = DEVICES[name]
        self.name, self.legacy = name, legacy
        self.memory = GuardedMemory()
        self.board = d.Board(make(), legacy=legacy, memory=self.memory)
        self.slot = self.board.slot
        self.make = make
        self.rings = {}
        self.broken = self.served = 0
        actions = [
            (self.write_register, 18),
            (self.read_register, 8),
            (self.write_ring, 14),
            (self.write_memory, 8),
            (self.request, 26),
            (self.notify, 8),
            (self.set_up, 3),
            (self.outside, 5),
            (self.snapshot, 0.05),
        ]
        self.actions = [action for action, _ in actions]
        self.weights = [weight for _, weight in actions]

    def run(self, count):
        for number, action in enumerate(self.rng.choices(self.actions, self.weights, k=count)):
            action()
            self.check()
            if number % 1000 == 0:
                self.memory.check()
        self.memory.check()

    def check(self):
        slot = self.slot
        assert slot.status & ~STATUS_BITS == 0
        assert slot.interrupt == (slot.interrupt_status != 0)
        assert slot.interrupt_status <= 3
        if not self.legacy:
            assert slot.broken == (slot.status & d.NEEDS_RESET != 0)
        if slot.features:
            assert slot.features & ~slot.offered == 0

    # -- numbers that hurt ----------------------------------------------------------------------

    def number(self, bits):
        rng = self.rng
        kind = rng.randrange(6)
        if kind == 0:
            return rng.getrandbits(bits)
        if kind == 1:
            return (1 << rng.randrange(bits)) - rng.randrange(2) & (1 << bits) - 1
        if kind == 2:
            return (1 << bits) - 1 - rng.randrange(20)
        return rng.randrange(20)

    def address(self):
        rng = self.rng
        kind = rng.randrange(12)
        if kind == 0:
            return self.number(64)
        if kind == 1:
            return rng.choice([BASE - 1, BASE + SIZE - 1, BASE + SIZE, (1 << 64) - 1, 0])
        if kind < 5 and self.rings:  # into the rings themselves
            desc, avail, used, size = rng.choice(list(self.rings.values()))
            return rng.choice([desc, avail, used]) + rng.randrange(8 * size + 8)
        return BASE + rng.randrange(SIZE)

    def length(self):
        rng = self.rng
        if rng.random() < 0.05:
            return self.number(32)
        return rng.choice([0, 1, 4, 8, 12, 16, 32, 512, 1024, rng.randrange(1, 4096)])

    # -- actions --------------------------------------------------------------------------------

    def write_register(self):
        rng = self.rng
        if rng.random() < 0.8:
            offset = rng.choice(REGISTERS)
            if offset == d.STATUS and rng.random() < 0.8:
                value = rng.choice([1, 3, 11, 15, 15, 0x80])
            else:
                value = self.number(32)
            self.slot.write(offset, 4, value)
        else:
            size = rng.choice([1, 2, 4, 8])
            self.slot.write(rng.randrange(0x140), size, self.number(8 * size))

    def read_register(self):
        size = self.rng.choice([1, 2, 4, 4, 4, 8])
        value = self.slot.read(self.rng.randrange(0x140), size)
        assert 0 <= value < 1 << 8 * size

    def set_up(self):
        """Bring the device up as a good driver would, to get behind the first checks."""
        rng = self.rng
        driver = d.Driver(self.board, start=False, legacy=self.legacy)
        driver.write(d.STATUS, 0)
        assert self.slot.status == 0
        assert not self.slot.broken
        assert not self.slot.interrupt
        driver.write(d.STATUS, 3)
        offered = driver.offered()
        features = offered & rng.choice([~0, rng.getrandbits(64)]) | d.VERSION_1
        if rng.random() < 0.1:
            features |= 1 << rng.randrange(64)
        for word in range(2):
            driver.write(d.DRIVER_FEATURES_SEL, word)
            driver.write(d.DRIVER_FEATURES, features >> 32 * word & 0xFFFF_FFFF)
        driver.write(d.STATUS, 11)
        driver.write(d.PAGE_SIZE, 4096)
        self.rings = {}
        place = BASE
        for number in range(len(self.slot.queues)):
            size = rng.choice([1, 2, 8, 16])
            desc, avail, used = place, place + 16 * size, place + 4096
            place += 8192
            self.memory.write(desc, bytes(8192))
            driver.write(d.QUEUE_SEL, number)
            driver.write(d.QUEUE_NUM, size)
            if self.legacy:
                driver.write(d.QUEUE_ALIGN, 4096)
                driver.write(d.QUEUE_PFN, desc // 4096)
            else:
                for register, at in (
                    (d.QUEUE_DESC, desc),
                    (d.QUEUE_DRIVER, avail),
                    (d.QUEUE_DEVICE, used),
                ):
                    driver.write(register, at)
                    driver.write(register + 4, 0)
                driver.write(d.QUEUE_READY, 1)
            self.rings[number] = desc, avail, used, size
        driver.write(d.STATUS, 15)
        assert self.slot.broken is False

    def ring(self):
        if not self.rings:
            self.set_up()
        number = self.rng.choice(list(self.rings))
        return number, *self.rings[number]

    def put(self, address, data):
        start = address - BASE
        if 0 <= start <= SIZE - len(data):
            self.memory.write(address, data)

    def write_ring(self):
        rng = self.rng
        _, desc, avail, _, size = self.ring()
        kind = rng.randrange(4)
        if kind == 0:
            self.put(avail, struct.pack("<HH", self.number(16), self.number(16)))
        elif kind == 1:
            self.put(avail + 4 + 2 * rng.randrange(size + 1), struct.pack("<H", self.number(16)))
        else:
            flags = rng.choice([0, 1, 2, 3, 4, 5, 6, self.number(16)])
            following = rng.randrange(size + 2) if rng.random() < 0.9 else self.number(16)
            entry = struct.pack("<QIHH", self.address(), self.length(), flags, following)
            self.put(desc + 16 * rng.randrange(size), entry)

    def write_memory(self):
        data = self.rng.randbytes(self.rng.choice([1, 2, 8, 16, 64]))
        self.put(BASE + self.rng.randrange(SIZE), data)

    def request(self):
        """A request that is nearly good."""
        rng = self.rng
        number, desc, avail, _, size = self.ring()
        parts = []
        kind = rng.choice(KINDS.get(self.name, [0, 1, 0x0200]))
        header = struct.pack("<IIQ", kind, 0, rng.randrange(140))
        place = BASE + 0xC000 + rng.randrange(0x2000)
        if self.name == "9p":
            header = message(rng)
        self.put(place, header + rng.randbytes(64))
        count = rng.randrange(1, 5)
        outs = rng.randrange(count + 1)
        if self.name in ("block", "9p") and rng.random() < 0.8:  # something out, something in
            count, outs = max(count, 2), rng.randrange(1, max(count, 2))
        for i in range(count):
            flags = 0 if i < outs else 2
            if i == 0 and flags == 0 and rng.random() < 0.9:
                parts.append((place, len(header), flags))
            else:
                where = self.address() if rng.random() < 0.1 else place + 16 + rng.randrange(0x800)
                parts.append((where, self.length() if rng.random() < 0.3 else 512, flags))
        if rng.random() < 0.3:
            table = b"".join(
                struct.pack("<QIHH", a, n, f | (i < count - 1), i + 1)
                for i, (a, n, f) in enumerate(parts)
            )
            self.put(BASE + 0xF000, table)
            parts = [(BASE + 0xF000, len(table), 4)]
        at = rng.randrange(size)
        head = at
        for i, (a, n, f) in enumerate(parts):
            more = i < len(parts) - 1
            entry = struct.pack("<QIHH", a, n, f | more, (at + 1) % size)
            self.put(desc + 16 * at, entry)
            at = (at + 1) % size
        queue = self.slot.queues[number]
        idx = queue.last_avail
        self.put(avail + 4 + 2 * (idx % size), struct.pack("<H", head))
        self.put(avail, struct.pack("<HH", rng.randrange(2), idx + 1 & 0xFFFF))
        before = queue.used_idx
        self.slot.write(d.QUEUE_NOTIFY, 4, number)
        self.served += queue.used_idx != before
        self.broken += self.slot.broken
        if self.slot.broken and rng.random() < 0.8:
            self.set_up()

    def notify(self):
        self.slot.write(d.QUEUE_NOTIFY, 4, self.rng.randrange(len(self.slot.queues) + 1))

    def outside(self):
        if self.poke is not None:
            self.poke(self.board.device, self.rng)

    def snapshot(self):
        """Go on in another device, which has the same state."""
        saved = self.slot.state()
        if self.name == "9p":
            return  # its folder would be another one; test_ninep restores it
        board = d.Board(self.make(), legacy=self.legacy, memory=self.memory)
        if self.name == "console":
            board.device.console.load_state(self.board.device.console.state())
        if self.name == "block":
            board.device.storage.put_back(self.board.device.storage.capture())
        board.slot.load_state(saved)
        assert board.slot.state() == saved
        self.board, self.slot = board, board.slot


@pytest.mark.parametrize("legacy", [False, True], ids=["version 2", "version 1"])
@pytest.mark.parametrize("name", DEVICES)
def test_a_long_attack_does_no_harm(name, legacy):
    attacker = Attacker(name, legacy, FUZZ)
    attacker.run(OPERATIONS // (2 * len(DEVICES)))
    assert attacker.served > 50, "the attack never got behind the first checks"
    assert attacker.broken > 50, "the attack never broke anything"
    if name == "9p":
        root = Path(attacker.board.device.outside.name)
        attacker.board.device.close()
        assert sorted(os.listdir(root)) == ["secret", "shared"]
        assert (root / "secret").read_text() == "not for guests"


# -- the same, chosen and made smaller by hypothesis --------------------------------------------

OFFSETS = st.one_of(st.sampled_from(REGISTERS), st.integers(0, 0x1000))
VALUES = st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1), st.sampled_from([0xF, 0xB, 3, 1]))
ADDRESSES = st.one_of(
    st.integers(BASE, BASE + SIZE),
    st.integers(0, 2**64 - 1),
    st.sampled_from([BASE - 1, BASE + SIZE - 8, 2**64 - 1]),
)
LENGTHS = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from([512, 513]))


class HostileDriver(RuleBasedStateMachine):
    """Registers and one ring of a device, in the machine's own RAM."""

    NAME = "block"

    def __init__(self):
        super().__init__()
        self.memory = Ram(BASE, SIZE)
        self.board = d.Board(DEVICES[self.NAME][0](), memory=self.memory)
        self.slot = self.board.slot

    @initialize(size=st.sampled_from([1, 2, 8]), features=st.sampled_from([d.VERSION_1, ~0]))
    def start(self, size, features):
        self.driver = d.Driver(self.board, size=size, features=features)

    @rule(offset=OFFSETS, size=st.sampled_from([1, 2, 4, 8]), value=VALUES)
    def write(self, offset, size, value):
        self.slot.write(offset, size, value & (1 << 8 * size) - 1)

    @rule(offset=OFFSETS, size=st.sampled_from([1, 2, 4, 8]))
    def read(self, offset, size):
        assert 0 <= self.slot.read(offset, size) < 1 << 8 * size

    @rule(
        queue=st.integers(0, 1),
        at=st.integers(0, 7),
        address=ADDRESSES,
        length=LENGTHS,
        flags=st.integers(0, 7),
        following=st.integers(0, 8),
    )
    def describe(self, queue, at, address, length, flags, following):
        ring = self.driver.rings[queue % len(self.driver.rings)]
        ring.describe(at % ring.size, address, length, flags, following)

    @rule(queue=st.integers(0, 1), head=st.integers(0, 8), notify=st.booleans())
    def offer(self, queue, head, notify):
        ring = self.driver.rings[queue % len(self.driver.rings)]
        ring.offer(head)
        if notify:
            ring.kick()

    @rule(address=st.integers(BASE, BASE + SIZE - 64), data=st.binary(max_size=64))
    def scribble(self, address, data):
        if data:
            self.memory.write(address, data)

    @rule(data=st.binary(min_size=1, max_size=20))
    def outside(self, data):
        device = self.board.device
        if self.NAME == "console":
            device.console.feed(data)
        elif self.NAME == "balloon":
            device.feed(b"S" if data[0] & 1 else b"T" + data[:4].ljust(4, b"\0"))
        elif self.NAME == "net":
            device.port.receive(b"\xff" * 6 + data * 60)

    @rule()
    def come_back(self):
        saved = self.slot.state()
        self.slot.load_state(saved)
        assert self.slot.state() == saved

    @rule()
    def start_again(self):
        self.memory.clear()
        self.driver.next = d.RAM + 0x1000
        self.driver.start()
        assert self.slot.status == 0xF

    def teardown(self):
        if self.NAME == "9p":
            self.board.device.close()

    @invariant()
    def the_state_is_documented(self):
        assert self.slot.status & ~STATUS_BITS == 0
        assert self.slot.broken == (self.slot.status & d.NEEDS_RESET != 0)
        assert self.slot.interrupt == (self.slot.interrupt_status != 0)


@pytest.mark.parametrize("name", DEVICES)
def test_no_sequence_of_accesses_does_harm(name):
    machine = type(f"Hostile_{name}", (HostileDriver,), {"NAME": name})
    test = machine.TestCase
    test.settings = settings(max_examples=25 * FUZZ, stateful_step_count=40, deadline=None)
    test("runTest").runTest()


# -- attacks that were thought of ---------------------------------------------------------------


def test_one_notification_moves_a_bounded_amount_of_data():
    """A queue full of chains of a thousand half megabytes each: what entropy gives is cut."""
    driver = d.Driver(d.Board(VirtioEntropy()), size=64, features=~0)
    ring = driver.rings[0]
    half = d.RAM_SIZE // 2
    parts = [struct.pack("<QIHH", d.RAM + half, half, 2 | (i < 1023), i + 1) for i in range(1024)]
    ring.describe(0, driver.place(b"".join(parts)), 1024 * 16, 4)
    for _ in range(64):
        ring.offer(0)
    ring.kick()
    assert ring.used_idx == 64
    lengths = struct.unpack("<128I", driver.board.memory.read(ring.used + 4, 512))[1::2]
    assert set(lengths) == {entropy.FILL_MAX}


def test_a_read_over_its_own_ring_does_no_more_than_break_the_device():
    """The disk's data lands in descriptor table, rings and header."""
    for place in ("desc", "avail", "used"):
        disk = MemoryDisk(bytes(range(256)) * 256)
        driver = d.Driver(d.Board(VirtioBlock(disk)), features=~0)
        ring = driver.rings[0]
        head = driver.place(struct.pack("<IIQ", block.T_IN, 0, 1))
        status = driver.allocate(1)
        ring.add_parts([(head, 16, 0), (getattr(ring, place), 512, 2), (status, 1, 2)])
        ring.kick()
        ring.kick()
        assert driver.read(d.STATUS) in (0xF, 0x4F)
        driver.next = d.RAM + 0x1000
        driver.start()
        driver.rings[0].request([struct.pack("<IIQ", block.T_FLUSH, 0, 0)], [1])
