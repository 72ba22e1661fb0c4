"""The split virtqueue against virtio 1.2, chapter 2.7: chains, used ring, notifications."""

import struct

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices import BusFault
from vtbook.devices.memory import PlainMemory
from vtbook.devices.virtio import Buffer, QueueError, VirtioDevice
from vtbook.devices.virtio import queue as q
from vtbook.machine.queues import Field, Layout, Pointer


class Echo(VirtioDevice):
    """Returns what it is sent, and remembers the buffers."""

    NAME, DEVICE_ID, QUEUES = "echo", 42, ("requests", "more")

    def __init__(self):
        super().__init__()
        self.seen = []

    def serve(self, queue, buffer):
        self.seen.append((buffer.readable, buffer.writable))
        buffer.write(buffer.read(4096))


def echo(**options):
    options.setdefault("features", ~0)
    return d.Driver(d.Board(Echo()), **options)


def broken(driver):
    return driver.read(d.STATUS) & d.NEEDS_RESET != 0


# -- buffers ------------------------------------------------------------------------------------


def some_buffer():
    memory = PlainMemory(0x1000, 0x1000)
    memory.write(0x1000, bytes(range(100)))
    return memory, Buffer(
        memory, 3, [(0x1000, 10), (0x1020, 1), (0x1030, 20)], [(0x1100, 4), (0x1200, 2)]
    )


def test_a_buffer_is_read_over_the_borders_of_its_parts():
    _, buffer = some_buffer()
    assert buffer.readable_left == 31
    assert buffer.read(8) == bytes(range(8))
    assert buffer.read(5) == bytes([8, 9, 0x20, 0x30, 0x31])
    assert buffer.read() == bytes(range(0x32, 0x44))
    assert (buffer.read(1), buffer.read(), buffer.readable_left) == (b"", b"", 0)


def test_a_buffer_is_written_over_the_borders_and_no_further():
    memory, buffer = some_buffer()
    assert buffer.write(b"abc") == 3
    assert buffer.write(b"defgh") == 3
    assert (buffer.written, buffer.writable_left) == (6, 0)
    assert buffer.write(b"i") == 0
    assert memory.read(0x1100, 8) == b"abcd" + memory.read(0x1104, 4)
    assert memory.read(0x1200, 3) == b"ef\0"


def test_a_part_outside_ram_faults():
    memory = PlainMemory(0x1000, 0x1000)
    with pytest.raises(BusFault):
        Buffer(memory, 0, [(0x1FFF, 2)], []).read()
    with pytest.raises(BusFault):
        Buffer(memory, 0, [], [(2**64 - 1, 2)]).write(b"ab")


# -- chains -------------------------------------------------------------------------------------


@pytest.mark.parametrize("indirect", [False, True])
def test_a_chain_comes_out_as_it_went_in(indirect):
    driver = echo()
    length, data = driver.rings[0].request([b"ab", b"cde"], [1, 1, 8], indirect=indirect)
    assert (length, data) == (5, b"abcde")
    ((readable, writable),) = driver.board.device.seen
    assert [size for _, size in readable] == [2, 3]
    assert [size for _, size in writable] == [1, 1, 8]


def test_descriptors_may_stand_in_any_order():
    driver = echo()
    ring = driver.rings[0]
    out, back = driver.place(b"hello"), driver.allocate(5)
    ring.describe(6, out, 5, d.NEXT, 1)
    ring.describe(1, back, 5, d.WRITE)
    ring.offer(6)
    ring.kick()
    assert ring.used_idx == 1
    assert driver.board.memory.read(back, 5) == b"hello"


def test_direct_descriptors_may_lead_to_an_indirect_table():
    """2.7.5.3.2: zero or more normal descriptors, then one with INDIRECT; its WRITE is ignored."""
    driver = echo()
    ring = driver.rings[0]
    back = driver.allocate(8)
    table = struct.pack("<QIHH", driver.place(b"cd"), 2, d.NEXT, 2) + bytes(16)
    table += struct.pack("<QIHH", back, 8, d.WRITE, 0)
    ring.describe(0, driver.place(b"ab"), 2, d.NEXT, 5)
    ring.describe(5, driver.place(table), len(table), d.INDIRECT | d.WRITE)
    ring.offer(0)
    ring.kick()
    assert driver.board.memory.read(back, 5) == b"abcd\0"


def test_a_chain_may_fill_the_whole_table():
    driver = echo(size=4)
    assert driver.rings[0].request([b"a", b"b"], [1, 1]) == (2, b"ab")


def test_an_indirect_chain_may_be_longer_than_the_queue():
    """Linux makes such chains, though 2.7.5.3.1 forbids them; QEMU takes them as well."""
    driver = echo(size=4)
    assert driver.rings[0].request([b"x"] * 100, [100], indirect=True) == (100, b"x" * 100)


RAM = d.RAM + 0x8000
OUT, IN = 0, d.WRITE


def chains():
    """Chains that break a rule: descriptors by number, the head, and what is said."""
    yield "head outside", {}, 8, "past the table"
    yield "next outside", {0: (RAM, 1, d.NEXT, 8)}, 0, "leads to 8"
    yield "loop of one", {0: (RAM, 1, d.NEXT, 0)}, 0, "loop"
    yield "loop of two", {0: (RAM, 1, d.NEXT, 1), 1: (RAM, 1, d.NEXT, 0)}, 0, "loop"
    yield "no length", {0: (RAM, 0, OUT, 0)}, 0, "no length"
    yield "readable after writable", {0: (RAM, 1, IN | d.NEXT, 1), 1: (RAM, 1, OUT, 0)}, 0, "after"
    big = 0xFFFF_FFFF
    yield "4 GiB", {0: (RAM, big, OUT | d.NEXT, 1), 1: (RAM, 2, OUT, 0)}, 0, "4 GiB"
    yield "indirect and next", {0: (RAM, 16, d.INDIRECT | d.NEXT, 1)}, 0, "may not be indirect"
    yield "empty indirect", {0: (RAM, 0, d.INDIRECT, 0)}, 0, "no length"
    yield "part of an entry", {0: (RAM, 24, d.INDIRECT, 0)}, 0, "24 bytes"
    yield "indirect in indirect", {0: (RAM, 16, d.INDIRECT, 0)}, 0, "may not be indirect"
    yield "indirect loop", {0: (RAM + 0x100, 32, d.INDIRECT, 0)}, 0, "loop"
    yield "indirect next outside", {0: (RAM + 0x200, 16, d.INDIRECT, 0)}, 0, "loop"
    yield "indirect, leaves", {0: (RAM + 0x200, 32, d.INDIRECT, 0)}, 0, "leads to 7"
    yield "table outside RAM", {0: (2**63, 16, d.INDIRECT, 0)}, 0, "RAM is"
    yield "data outside RAM", {0: (2**64 - 1, 16, OUT, 0)}, 0, "RAM is"
    yield "data past the end", {0: (d.RAM + d.RAM_SIZE - 1, 2, OUT, 0)}, 0, "RAM is"
    yield "data before RAM", {0: (d.RAM - 1, 2, OUT, 0)}, 0, "RAM is"


@pytest.mark.parametrize(
    ("descriptors", "head", "why"), [c[1:] for c in chains()], ids=[c[0] for c in chains()]
)
def test_a_chain_that_breaks_a_rule_stops_the_device(descriptors, head, why):
    driver = echo()
    ring, memory = driver.rings[0], driver.board.memory
    memory.write(RAM, struct.pack("<QIHH", RAM, 16, d.INDIRECT, 0))
    loop = struct.pack("<QIHH", RAM, 1, d.NEXT, 1) + struct.pack("<QIHH", RAM, 1, d.NEXT, 0)
    memory.write(RAM + 0x100, loop)
    memory.write(RAM + 0x200, struct.pack("<QIHH", RAM, 1, d.NEXT, 7))
    for at, fields in descriptors.items():
        ring.describe(at, *fields)
    ring.offer(head)
    before = bytes(memory.data)
    ring.kick()
    assert driver.read(d.STATUS) == 0x4F
    assert why in driver.board.slot.why
    assert driver.acknowledge() == 2
    assert memory.data == before, "nothing was written"
    ring.kick()
    assert driver.read(d.INTERRUPT_STATUS) == 0
    driver.start()
    assert driver.rings[0].request([b"ok"], [2]) == (2, b"ok")


def test_indirect_needs_its_feature():
    driver = echo(features=d.VERSION_1)
    driver.rings[0].add([b"a"], [1], indirect=True)
    driver.rings[0].kick()
    assert broken(driver)
    assert "may not be indirect" in driver.board.slot.why


def test_more_buffers_than_the_queue_holds_stop_the_device():
    driver = echo(size=4)
    ring = driver.rings[0]
    driver.board.memory.write(ring.avail + 2, struct.pack("<H", 5))
    ring.kick()
    assert broken(driver)
    assert "5 buffers" in driver.board.slot.why


def test_an_available_index_that_goes_back_stops_the_device():
    driver = echo(size=4)
    ring = driver.rings[0]
    ring.request([b"a"], [1])
    driver.board.memory.write(ring.avail + 2, struct.pack("<H", 0))
    ring.kick()
    assert broken(driver)


@pytest.mark.parametrize("offset", [d.QUEUE_DESC, d.QUEUE_DRIVER, d.QUEUE_DEVICE])
@pytest.mark.parametrize("place", [0, d.RAM - 16, d.RAM + d.RAM_SIZE - 16, 2**64 - 16])
def test_rings_outside_ram_stop_the_device(offset, place):
    driver = echo()
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_READY, 0)
    driver.write(offset, place & 0xFFFF_FFFF)
    driver.write(offset + 4, place >> 32)
    before = bytes(driver.board.memory.data)
    driver.write(d.QUEUE_READY, 1)
    assert broken(driver)
    assert "RAM is" in driver.board.slot.why
    driver.rings[0].kick()
    assert driver.board.memory.data == before


@pytest.mark.parametrize(
    ("offset", "alignment"), [(d.QUEUE_DESC, 16), (d.QUEUE_DRIVER, 2), (d.QUEUE_DEVICE, 4)]
)
def test_misaligned_rings_stop_the_device(offset, alignment):
    driver = echo()
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_READY, 0)
    driver.write(offset, RAM + alignment // 2)
    driver.write(d.QUEUE_READY, 1)
    assert broken(driver)
    assert driver.acknowledge() == 2
    assert "align" in driver.board.slot.why


@pytest.mark.parametrize("size", [0, 3, 12, 257, 512, 2**31, 2**32 - 1])
def test_sizes_that_are_no_power_of_two_or_too_large_stop_the_device(size):
    driver = echo()
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_READY, 0)
    driver.write(d.QUEUE_NUM, size)
    driver.write(d.QUEUE_READY, 1)
    assert broken(driver)
    assert "power of 2" in driver.board.slot.why


def test_a_device_that_writes_into_its_own_available_ring_comes_to_an_end():
    """Each answer makes one more buffer available: the guest must not hang its machine so."""
    driver = echo(features=d.VERSION_1)
    ring = driver.rings[0]
    for index in range(4):  # the answer to a buffer is the index that makes it available again
        ring.describe(
            2 * index, driver.place(struct.pack("<H", index + 2)), 2, d.NEXT, 2 * index + 1
        )
        ring.describe(2 * index + 1, ring.avail + 2, 2, d.WRITE)
        driver.board.memory.write(ring.avail + 4 + 2 * index, struct.pack("<H", 2 * index))
    driver.board.memory.write(ring.avail + 2, struct.pack("<H", 1))
    ring.kick()
    assert ring.used_idx == 1
    assert not broken(driver)


# -- the used ring and notifications ------------------------------------------------------------


@pytest.mark.parametrize("features", [d.VERSION_1, ~0])
def test_indices_wrap_after_65536_buffers(features):
    driver = echo(size=2, features=features)
    ring, queue = driver.rings[0], driver.board.slot.queues[0]
    ring.added = ring.seen = queue.last_avail = queue.used_idx = queue.signalled = 65533
    ring.set_used_event(65535)
    heard = []
    for n in range(6):
        assert ring.request([bytes([n])], [1]) == (1, bytes([n]))
        heard.append(driver.acknowledge())
    assert (ring.used_idx, ring.avail_event) == (3, 3 if features == ~0 else 0)
    assert heard == ([0, 0, 1, 0, 0, 0] if features == ~0 else [1] * 6)


def test_without_event_idx_a_flag_turns_interrupts_off():
    driver = echo(features=d.VERSION_1)
    ring = driver.rings[0]
    ring.set_avail_flags(1)
    ring.set_used_event(0)  # must be ignored (2.7.7.2)
    ring.request([b"a"], [1])
    assert driver.read(d.INTERRUPT_STATUS) == 0
    assert driver.board.levels == []
    ring.set_avail_flags(0)
    ring.request([b"a"], [1])
    assert driver.board.levels == [True]
    assert driver.acknowledge() == 1
    assert driver.board.levels == [True, False]


def test_with_event_idx_the_driver_names_the_buffer_it_wants_to_hear_of():
    driver = echo(features=d.VERSION_1 | d.EVENT_IDX)
    ring = driver.rings[0]
    ring.set_avail_flags(1)  # must be ignored (2.7.7.2)
    heard = []
    ring.set_used_event(2)
    for _ in range(6):
        ring.request([b"a"], [1])
        heard.append(driver.acknowledge())
    assert heard == [0, 0, 1, 0, 0, 0]
    ring.set_used_event(7)
    for _ in range(4):  # a batch that passes the event is told once
        ring.add([b"a"], [1])
    ring.kick()
    assert driver.acknowledge() == 1


@pytest.mark.parametrize("start", [0, 65530])
def test_event_idx_is_as_the_specification_computes_it(start):
    """virtio-queue.h: ``(u16)(new_idx - event_idx - 1) < (u16)(new_idx - old_idx)``."""
    queue = q.Virtqueue(PlainMemory(0, 4096), size_max=16)
    queue.features = q.F_EVENT_IDX
    queue.driver = 1024
    for event in range(20):
        queue.memory.write(1024 + 4 + 32, struct.pack("<H", start + event & 0xFFFF))
        for old in range(20):
            for new in range(old, 20):
                queue.signalled, queue.used_idx = start + old & 0xFFFF, start + new & 0xFFFF
                assert queue.wants_interrupt() == (old <= event < new)
                assert queue.signalled == queue.used_idx


def test_avail_event_asks_to_hear_of_the_next_buffer():
    driver = echo(features=d.VERSION_1 | d.EVENT_IDX)
    ring = driver.rings[0]
    for index in range(1, 4):
        ring.request([b"a"], [1])
        assert ring.avail_event == index
        assert driver.board.memory.read(ring.used, 2) == b"\0\0", "flags must be 0 (2.7.10.2)"


def test_without_event_idx_avail_event_stays_untouched():
    driver = echo(features=d.VERSION_1)
    driver.rings[0].request([b"a"], [1])
    assert driver.rings[0].avail_event == 0


def test_queues_are_apart():
    driver = echo()
    driver.rings[1].add([b"b"], [1])
    driver.rings[0].kick()
    assert driver.rings[1].used_idx == 0
    driver.rings[1].kick()
    assert driver.rings[1].used_idx == 1


def test_a_buffer_that_was_not_popped_stays_for_later():
    queue_driver = echo()
    queue = queue_driver.board.slot.queues[0]
    ring = queue_driver.rings[0]
    assert queue.pop() is None
    ring.add([b"a"], [1])
    ring.add([b"b"], [1])
    assert queue.waiting() == 2
    assert queue.pop().read() == b"a"
    assert queue.waiting() == 1


def test_errors_name_the_queue_and_the_chain():
    queue = q.Virtqueue(PlainMemory(0, 4096), index=1, size_max=8)
    with pytest.raises(QueueError, match="queue 1, chain 9: its head is past the table of 8"):
        queue.chain(9)


# -- looking in from outside --------------------------------------------------------------------


def test_the_layouts_are_what_the_recorder_of_queues_takes():
    driver = echo(size=8)
    ring = driver.rings[0]
    layouts = [
        Layout(
            **{
                **layout,
                "fields": [Field(*field) for field in layout["fields"]],
                "pointers": [Pointer(*pointer) for pointer in layout["pointers"]],
            }
        )
        for layout in driver.board.slot.queues[0].layouts()
    ]
    assert [layout.place for layout in layouts] == [ring.desc, ring.avail + 4, ring.used + 4]
    ring.add([b"a"], [1])
    (avail_idx,) = (p for p in layouts[1].pointers if p.name == layouts[1].window[1])
    assert driver.board.memory.read(avail_idx.place, 2) == b"\1\0"
    assert layouts[1].names[1] in {layout.name for layout in layouts}
