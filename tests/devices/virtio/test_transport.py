"""virtio over MMIO against virtio 1.2, chapters 2.1 to 2.3, 3.1 and 4.2."""

import json

import pytest

from tests.devices.virtio import driver as d
from tests.devices.virtio.test_queue import Echo
from vtbook.devices import DeviceStateError
from vtbook.devices.virtio import VirtioMmio, transport

INITIAL = d.ACKNOWLEDGE | d.DRIVER


class Picky(Echo):
    """Has features of its own: bit 0, and bit 41 only together with it."""

    ACCEPTED = False

    def device_features(self):
        return 1 | 1 << 41

    def accepts(self, features):
        return not features >> 41 & 1 or features & 1 == 1

    def config(self):
        return bytes(range(1, 8))

    def write_config(self, offset, data):
        self.seen.append((offset, data))

    def negotiated(self):
        self.seen.append(("negotiated", self.features))


def board(device=None, **options):
    return d.Board(device or Picky(), **options)


def choose(at, features, status=INITIAL):
    at.write_register(d.STATUS, status)
    for word in range(2):
        at.write_register(d.DRIVER_FEATURES_SEL, word)
        at.write_register(d.DRIVER_FEATURES, features >> 32 * word & 0xFFFF_FFFF)


# -- what is there ------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
def test_the_device_says_what_it_is(legacy):
    at = board(legacy=legacy)
    names = [at.read_register(offset) for offset in (d.MAGIC, d.VERSION, d.DEVICE_ID)]
    assert names == [int.from_bytes(b"virt", "little"), 1 if legacy else 2, 42]


@pytest.mark.parametrize("legacy", [False, True])
def test_an_empty_slot_has_device_id_0_and_nothing_else(legacy):
    slot = VirtioMmio(None, legacy=legacy)
    for offset in range(0, 0x1000, 4):
        slot.write(offset, 4, 0xFFFF_FFFF)
    values = {offset: slot.read(offset, 4) for offset in range(0, 0x1000, 4)}
    assert {offset for offset, value in values.items() if value} == {0, 4, 12}
    slot.load_state(slot.state())


def test_a_device_needs_memory():
    with pytest.raises(TypeError, match="echo needs memory"):
        VirtioMmio(Echo())


def test_features_come_in_words_of_32():
    at = board()
    words = []
    for word in (0, 1, 2, 0xFFFF_FFFF):
        at.write_register(d.DEVICE_FEATURES_SEL, word)
        words.append(at.read_register(d.DEVICE_FEATURES))
    common = d.INDIRECT_DESC | d.EVENT_IDX
    assert words == [1 | common, 1 << 9 | (d.VERSION_1 | d.RING_RESET) >> 32, 0, 0]


def test_version_1_offers_the_first_word_only():
    at = board(legacy=True)
    at.write_register(d.DEVICE_FEATURES_SEL, 1)
    assert at.read_register(d.DEVICE_FEATURES) == 0
    at.write_register(d.DEVICE_FEATURES_SEL, 0)
    expected = 1 | d.INDIRECT_DESC | d.EVENT_IDX | d.ANY_LAYOUT
    assert at.read_register(d.DEVICE_FEATURES) == expected


# -- status (2.1, 3.1) --------------------------------------------------------------------------


def test_features_that_are_offered_are_accepted():
    at = board()
    choose(at, d.VERSION_1 | 1)
    at.write_register(d.STATUS, INITIAL | d.FEATURES_OK)
    assert at.read_register(d.STATUS) == INITIAL | d.FEATURES_OK
    assert at.device.seen == [("negotiated", d.VERSION_1 | 1)]
    assert at.device.features == at.slot.queues[0].features == d.VERSION_1 | 1


@pytest.mark.parametrize(
    "features", [0, 1, d.VERSION_1 | 2, d.VERSION_1 | 1 << 63, d.VERSION_1 | 1 << 41]
)
def test_features_ok_stays_0_for_features_that_do_not_fit(features):
    """Not VERSION_1 (6.1), not offered (2.2.1), or refused by the device (2.2.2)."""
    at = board()
    choose(at, features)
    at.write_register(d.STATUS, INITIAL | d.FEATURES_OK)
    assert at.read_register(d.STATUS) == INITIAL
    assert at.slot.features == 0
    choose(at, d.VERSION_1)
    at.write_register(d.STATUS, INITIAL | d.FEATURES_OK)
    assert at.read_register(d.STATUS) == INITIAL | d.FEATURES_OK


def test_after_features_ok_the_features_are_fixed():
    at = board()
    choose(at, d.VERSION_1)
    at.write_register(d.STATUS, INITIAL | d.FEATURES_OK)
    choose(at, d.VERSION_1 | 1, INITIAL | d.FEATURES_OK)
    at.write_register(d.STATUS, INITIAL | d.FEATURES_OK | d.DRIVER_OK)
    assert at.slot.features == d.VERSION_1


def test_a_status_bit_stays_until_the_reset():
    """2.1.1: the driver must not clear a bit."""
    at = board()
    at.write_register(d.STATUS, INITIAL)
    at.write_register(d.STATUS, d.FAILED)
    assert at.read_register(d.STATUS) == INITIAL | d.FAILED
    at.write_register(d.STATUS, 0)
    assert at.read_register(d.STATUS) == 0


def test_the_driver_cannot_set_needs_reset():
    at = board()
    at.write_register(d.STATUS, 0xFF)
    assert at.read_register(d.STATUS) == 0xFF & ~(d.NEEDS_RESET | d.FEATURES_OK | 0x30)


def test_nothing_is_served_before_driver_ok():
    """3.1.2: no buffer is consumed; what was notified too early is served then."""
    at = board(Echo())
    driver = d.Driver(at, start=False)
    driver.write(d.STATUS, INITIAL)
    choose(at, d.VERSION_1)
    driver.write(d.STATUS, INITIAL | d.FEATURES_OK)
    ring = driver.set_up(0)
    ring.add([b"early"], [5])
    ring.kick()
    assert ring.used_idx == 0
    assert driver.read(d.INTERRUPT_STATUS) == 0
    driver.write(d.STATUS, INITIAL | d.FEATURES_OK | d.DRIVER_OK)
    assert [data for _, _, data in ring.collect()] == [b"early"]
    assert driver.acknowledge() == 1


def test_version_1_serves_before_driver_ok():
    """3.1.2: drivers of version 1 used the device before they said so."""
    driver = d.Driver(board(Echo(), legacy=True), legacy=True, start=False)
    driver.write(d.STATUS, INITIAL)
    driver.write(d.PAGE_SIZE, 4096)
    ring = driver.set_up(0)
    assert ring.request([b"a"], [1]) == (1, b"a")


def test_a_reset_takes_everything_back():
    driver = d.Driver(board(), features=~0)
    driver.rings[0].add([b"a"], [1])
    driver.rings[0].kick()
    driver.board.slot.config_changed()
    assert driver.board.levels == [True]
    assert driver.read(d.INTERRUPT_STATUS) == 3
    driver.write(d.STATUS, 0)
    assert driver.board.levels == [True, False]
    assert driver.read(d.INTERRUPT_STATUS) == 0
    assert driver.read(d.GENERATION) == 1, "a driver may be reading the configuration space"
    for number in range(2):
        driver.write(d.QUEUE_SEL, number)
        assert driver.read(d.QUEUE_READY) == 0
    assert driver.board.device.features == 0
    fresh = board().slot.state()
    driver.write(d.QUEUE_SEL, 0)
    fresh["generation"] = 1
    assert driver.board.slot.state() == fresh
    driver.board.slot.reset()
    assert driver.board.slot.state() == board().slot.state()


def test_a_broken_device_does_not_come_back_without_a_reset():
    driver = d.Driver(board(Echo()))
    driver.rings[0].offer(99)
    driver.rings[0].kick()
    assert driver.read(d.STATUS) == 0x4F
    driver.write(d.STATUS, 0xF)
    assert driver.read(d.STATUS) == 0x4F
    driver.rings[1].add([b"a"], [1])
    driver.rings[1].kick()
    assert driver.rings[1].used_idx == 0


def test_before_driver_ok_needs_reset_raises_no_interrupt():
    at = board()
    at.write_register(d.STATUS, INITIAL)
    at.write_register(d.QUEUE_NUM, 5)
    at.write_register(d.QUEUE_READY, 1)
    assert at.read_register(d.STATUS) == INITIAL | d.NEEDS_RESET
    assert at.read_register(d.INTERRUPT_STATUS) == 0


def test_version_1_has_no_needs_reset_and_only_stops():
    at = board(Echo(), legacy=True)
    driver = d.Driver(at, legacy=True)
    assert driver.read(d.STATUS) == INITIAL | d.DRIVER_OK
    driver.rings[0].offer(99)
    driver.rings[0].kick()
    driver.rings[1].add([b"a"], [1])
    driver.rings[1].kick()
    assert driver.read(d.STATUS) == INITIAL | d.DRIVER_OK
    assert driver.rings[1].used_idx == 0
    assert at.slot.broken
    driver.start()
    assert driver.rings[0].request([b"a"], [1]) == (1, b"a")


# -- registers ----------------------------------------------------------------------------------


def test_queue_registers_go_to_the_selected_queue():
    at = board()
    at.write_register(d.QUEUE_SEL, 1)
    at.write_register(d.QUEUE_NUM, 16)
    for i, offset in enumerate((d.QUEUE_DESC, d.QUEUE_DRIVER, d.QUEUE_DEVICE)):
        at.write_register(offset, d.RAM + 0x1000 * i)
        at.write_register(offset + 4, 0)
    at.write_register(d.QUEUE_READY, 1)
    assert at.read_register(d.QUEUE_READY) == 1
    queue = at.slot.queues[1]
    assert (queue.size, queue.desc, queue.driver) == (16, d.RAM, d.RAM + 0x1000)
    at.write_register(d.QUEUE_SEL, 0)
    assert at.read_register(d.QUEUE_READY) == 0
    assert at.read_register(d.QUEUE_NUM_MAX) == 256


def test_a_queue_that_is_not_there_has_no_entries():
    at = board()
    before = at.slot.state()
    at.write_register(d.QUEUE_SEL, 2)
    assert at.read_register(d.QUEUE_NUM_MAX) == 0
    for offset in (d.QUEUE_NUM, d.QUEUE_READY, d.QUEUE_DESC, d.QUEUE_RESET, d.QUEUE_NOTIFY):
        at.write_register(offset, 1)
    assert at.read_register(d.QUEUE_READY) == 0
    assert at.slot.state() == {**before, "queue_sel": 2}


def test_a_queue_that_is_ready_cannot_be_moved():
    driver = d.Driver(board(Echo()))
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_NUM, 4)
    driver.write(d.QUEUE_DESC, 0x1234)
    assert driver.rings[0].request([b"a"], [1]) == (1, b"a")


def test_a_queue_that_was_taken_back_is_not_touched():
    """4.2.2.1: no access to a queue whose QueueReady is 0."""
    driver = d.Driver(board(Echo()))
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_READY, 0)
    assert driver.read(d.QUEUE_READY) == 0
    driver.rings[0].add([b"a"], [1])
    driver.rings[0].kick()
    assert driver.rings[0].used_idx == 0


def test_one_queue_is_reset_alone():
    driver = d.Driver(board(Echo()), features=~0)
    for ring in driver.rings:
        ring.request([b"a"], [1])
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_RESET, 1)
    assert driver.read(d.QUEUE_RESET) == driver.read(d.QUEUE_READY) == 0
    assert driver.read(d.STATUS) == 0xF
    driver.rings[0] = driver.set_up(0)
    for ring in driver.rings:
        assert ring.request([b"b"], [1]) == (1, b"b")


def test_queue_reset_needs_its_feature():
    driver = d.Driver(board(Echo()), features=d.VERSION_1)
    driver.write(d.QUEUE_SEL, 0)
    driver.write(d.QUEUE_RESET, 1)
    assert driver.read(d.QUEUE_READY) == 1


def test_there_is_no_shared_memory():
    """4.2.2: a region that does not exist has length -1 and all ones for a base."""
    at = board()
    for region in (0, 5):
        at.write_register(d.SHM_SEL, region)
        for offset in (d.SHM_LEN, d.SHM_BASE):
            assert at.read_register(offset, 8) == 2**64 - 1


@pytest.mark.parametrize("acknowledged", [1, 2, 3, 0, 0xFFFF_FFFC])
def test_an_interrupt_lasts_until_all_reasons_are_acknowledged(acknowledged):
    driver = d.Driver(board(Echo()))
    driver.rings[0].request([b"a"], [1])
    driver.board.slot.config_changed()
    driver.write(d.INTERRUPT_ACK, acknowledged)
    assert driver.read(d.INTERRUPT_STATUS) == 3 & ~acknowledged
    assert driver.board.slot.interrupt == (3 & ~acknowledged != 0)
    assert driver.board.levels == ([True, False] if acknowledged == 3 else [True])


def test_a_changed_configuration_has_a_new_generation():
    driver = d.Driver(board())
    generation = driver.read(d.GENERATION)
    driver.board.slot.config_changed()
    assert driver.read(d.GENERATION) != generation
    assert driver.acknowledge() == 2


def test_before_driver_ok_a_changed_configuration_is_not_told():
    at = board()
    at.slot.config_changed()
    assert at.read_register(d.INTERRUPT_STATUS) == 0
    assert at.read_register(d.GENERATION) == 1


def test_the_configuration_space_takes_every_width():
    at = board()
    assert at.read_register(d.CONFIG, 1) == 1
    assert at.read_register(d.CONFIG + 1, 2) == 0x0302
    assert at.read_register(d.CONFIG, 8) == 0x07060504030201
    assert at.read_register(d.CONFIG + 5, 4) == 0x0706
    assert at.read_register(d.CONFIG + 0x800, 4) == 0
    at.write_register(d.CONFIG + 3, 0xAABB, 2)
    assert at.device.seen == [(3, b"\xbb\xaa")]


@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_registers_take_accesses_of_32_bits(size):
    at = board()
    before = at.slot.state()
    for offset in range(0, 0x100):
        assert at.read_register(offset, size) == 0
        at.write_register(offset, 1, size)
    assert at.slot.state() == before


def test_an_access_of_64_bits_is_two_of_32():
    at = board()
    assert at.read_register(d.MAGIC, 8) == 2 << 32 | 0x74726976
    at.write_register(d.QUEUE_DESC, 0x1_8000_0000, 8)
    assert at.slot.queues[0].desc == 0x1_8000_0000


def test_version_1_lays_the_queue_out_itself():
    """2.7.2: available ring after the table, used ring on the next QueueAlign boundary."""
    at = board(legacy=True)
    at.write_register(d.PAGE_SIZE, 4096)
    at.write_register(d.QUEUE_NUM, 256)
    at.write_register(d.QUEUE_ALIGN, 4096)
    at.write_register(d.QUEUE_PFN, 0x80010)
    queue = at.slot.queues[0]
    assert (queue.desc, queue.driver, queue.device) == (0x80010000, 0x80011000, 0x80012000)
    assert at.read_register(d.QUEUE_PFN) == 0x80010
    at.write_register(d.QUEUE_PFN, 0)
    assert at.read_register(d.QUEUE_PFN) == 0
    assert not queue.ready


def test_the_page_size_of_version_1_outlives_a_reset():
    """Linux writes it before it resets the device, and never again; QEMU keeps it too."""
    at = board(legacy=True)
    at.write_register(d.PAGE_SIZE, 4096)
    at.write_register(d.STATUS, 0)
    at.write_register(d.QUEUE_PFN, 0x80010)
    assert at.slot.queues[0].desc == 0x80010000
    at.slot.reset()
    assert at.slot.state() == board(legacy=True).slot.state()


@pytest.mark.parametrize("legacy", [False, True])
def test_each_version_has_only_its_own_registers(legacy):
    at = board(legacy=legacy)
    before = at.slot.state()
    other = [d.QUEUE_READY, d.QUEUE_DESC, d.QUEUE_DRIVER + 4, d.QUEUE_DEVICE, d.QUEUE_RESET]
    if not legacy:
        other = [d.PAGE_SIZE, d.QUEUE_ALIGN, d.QUEUE_PFN]
    for offset in other:
        at.write_register(offset, 1)
        assert at.read_register(offset) == 0
    assert at.slot.state() == before


def test_the_registers_are_named():
    at = board()
    assert at.slot.registers()["Version"] == 2
    assert "QueuePFN" not in at.slot.registers()
    assert board(legacy=True).slot.registers()["QueuePFN"] == 0


# -- state --------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
def test_the_state_is_plain_and_comes_back_in_the_middle_of_things(legacy):
    driver = d.Driver(board(Echo(), legacy=legacy), features=~0, legacy=legacy)
    ring = driver.rings[0]
    for _ in range(5):
        ring.request([b"a"], [1])
    ring.add([b"waiting"], [7])
    saved = json.loads(json.dumps(driver.board.slot.state()))
    other = d.Board(Echo(), legacy=legacy, memory=driver.board.memory)
    other.slot.load_state(saved)
    assert other.slot.state() == saved
    assert other.slot.interrupt
    assert other.levels == [], "the interrupt controller has its own state"
    driver.board = other
    assert driver.acknowledge() == 1
    ring.kick()
    assert [data for _, _, data in ring.collect()] == [b"waiting"]
    assert ring.avail_event == 6


def test_a_broken_device_stays_broken_in_a_snapshot():
    driver = d.Driver(board(Echo()))
    driver.rings[0].offer(99)
    driver.rings[0].kick()
    other = d.Board(Echo(), memory=driver.board.memory)
    other.slot.load_state(driver.board.slot.state())
    assert other.slot.broken
    assert other.read_register(d.STATUS) == 0x4F


def without(saved, name):
    return {key: value for key, value in saved.items() if key != name}


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: None,
        lambda saved: without(saved, "status"),
        lambda saved: without(saved, "queues"),
        lambda saved: without(saved, "device"),
        lambda saved: {**saved, "status": 256},
        lambda saved: {**saved, "queues": saved["queues"][:1]},
        lambda saved: {**saved, "queues": [*saved["queues"][:1], {}]},
        lambda saved: {**saved, "device": {"extra": 1}},
        lambda saved: {**saved, "device": None},
        lambda saved: {**saved, "queue_align": [1]},
        lambda saved: {**saved, "more": 1},
    ],
)
def test_a_damaged_state_changes_nothing(damage):
    at = board(Echo())
    at.write_register(d.STATUS, 1)
    before = at.slot.state()
    other = at.slot.state()
    other["queue_sel"] = 77
    with pytest.raises(DeviceStateError):
        at.slot.load_state(damage(other))
    assert at.slot.state() == before


def test_every_register_of_the_table_is_reachable():
    """The module's table, `REGISTERS` and the two versions agree."""
    table = {
        int(line.split()[0], 16): line.split()[1].rstrip(",")
        for line in transport.__doc__.splitlines()
        if line.startswith("0x") and not line.startswith("0x100")
    }
    low = {o: n for o, n in transport.REGISTERS.items() if not n.endswith("High")}
    assert table == low
    known = set(transport._READERS) | set(transport._WRITERS) | set(transport._LEGACY_READERS)
    known |= set(transport._LEGACY_WRITERS)
    assert set(transport.REGISTERS) - known == {d.SHM_SEL}, "selecting does nothing: there are none"
