"""virtio over memory-mapped registers: version 2, and the older version 1 (virtio 1.2, 4.2).

```
offset  name                    version
0x000   MagicValue          R   1 2   "virt"
0x004   Version             R   1 2
0x008   DeviceID            R   1 2   0: the slot is empty
0x00c   VendorID            R   1 2   "QEMU", since some drivers look for it
0x010   DeviceFeatures      R   1 2   32 of them, chosen by the next one
0x014   DeviceFeaturesSel   W   1 2
0x020   DriverFeatures      W   1 2
0x024   DriverFeaturesSel   W   1 2
0x028   GuestPageSize       W   1
0x030   QueueSel            W   1 2   the queue that the following speak of
0x034   QueueNumMax         R   1 2
0x038   QueueNum            W   1 2
0x03c   QueueAlign          W   1
0x040   QueuePFN            RW  1
0x044   QueueReady          RW    2
0x050   QueueNotify         W   1 2
0x060   InterruptStatus     R   1 2   1: a used buffer, 2: the configuration has changed
0x064   InterruptACK        W   1 2
0x070   Status              RW  1 2
0x080   QueueDescLow, High  W     2
0x090   QueueDriverLow, High W    2
0x0a0   QueueDeviceLow, High W    2
0x0ac   SHMSel              W     2
0x0b0   SHMLenLow, High     R     2   no device here shares memory: all ones
0x0b8   SHMBaseLow, High    R     2
0x0c0   QueueReset          RW    2
0x0fc   ConfigGeneration    R     2
0x100   Config              RW  1 2   bytes of the device's configuration space
```

**Status** goes from 0 through ACKNOWLEDGE, DRIVER, FEATURES_OK to DRIVER_OK (2.1, 3.1). A bit once
set stays until the driver writes 0, which resets the device. FEATURES_OK stays 0 when the driver
has chosen features that were not offered, has not chosen VERSION_1, or the device refuses them.
From FEATURES_OK on the features are fixed. Queues are served from DRIVER_OK on. Version 1 has no
FEATURES_OK; its drivers may use queues, and choose features, until DRIVER_OK.

**When the driver breaks a rule** of its queues, the device sets DEVICE_NEEDS_RESET, raises the
configuration interrupt if DRIVER_OK is set, and touches no queue until it is reset (2.1.2).
Version 1 does not know the bit; there the device only stops.

**Registers** are 32 bits wide. An access of 64 bits is two of 32, as on QEMU; narrower or unaligned
ones read 0 and change nothing. The configuration space takes any width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.bus import BusFault
from vtbook.devices.memory import Memory
from vtbook.devices.state import DeviceStateError
from vtbook.devices.virtio.device import (
    COMMON_FEATURES,
    F_RING_RESET,
    F_VERSION_1,
    LEGACY_FEATURES,
    VirtioDevice,
)
from vtbook.devices.virtio.queue import QueueError, Virtqueue

MAGIC, VENDOR = 0x74726976, 0x554D4551
CONFIG = 0x100
ALL_ONES = 0xFFFF_FFFF

# Status (2.1)
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
DEVICE_NEEDS_RESET, FAILED = 0x40, 0x80
DRIVER_BITS = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED

# InterruptStatus (4.2.2)
USED_BUFFER, CONFIG_CHANGE = 1, 2

REGISTERS: dict[int, str] = {
    0x000: "MagicValue",
    0x004: "Version",
    0x008: "DeviceID",
    0x00C: "VendorID",
    0x010: "DeviceFeatures",
    0x014: "DeviceFeaturesSel",
    0x020: "DriverFeatures",
    0x024: "DriverFeaturesSel",
    0x028: "GuestPageSize",
    0x030: "QueueSel",
    0x034: "QueueNumMax",
    0x038: "QueueNum",
    0x03C: "QueueAlign",
    0x040: "QueuePFN",
    0x044: "QueueReady",
    0x050: "QueueNotify",
    0x060: "InterruptStatus",
    0x064: "InterruptACK",
    0x070: "Status",
    0x080: "QueueDescLow",
    0x084: "QueueDescHigh",
    0x090: "QueueDriverLow",
    0x094: "QueueDriverHigh",
    0x0A0: "QueueDeviceLow",
    0x0A4: "QueueDeviceHigh",
    0x0AC: "SHMSel",
    0x0B0: "SHMLenLow",
    0x0B4: "SHMLenHigh",
    0x0B8: "SHMBaseLow",
    0x0BC: "SHMBaseHigh",
    0x0C0: "QueueReset",
    0x0FC: "ConfigGeneration",
}
LEGACY_ONLY = {"GuestPageSize", "QueueAlign", "QueuePFN"}
"""Registers of version 1 that version 2 does not have."""
IN_BOTH = {name for offset, name in REGISTERS.items() if offset <= 0x070} - {"QueueReady"}
"""Registers of version 1."""


class VirtioMmio:
    """A slot for one virtio device: its registers, its queues and its interrupt.

    Args:
        device: the device; None for an empty slot, whose DeviceID is 0.
        memory: the guest's RAM; only an empty slot needs none.
        on_interrupt: called with the new level when the interrupt output changes.
        legacy: speak version 1, which QEMU's ``virt`` speaks unless told otherwise.

    Attributes:
        queues: the device's queues.
        status: the Status register.
        features: what the driver has chosen of the offered features.
        interrupt_status: the InterruptStatus register.
        interrupt: level of the interrupt output.
        broken: the driver broke a rule, and the device waits for a reset.
        why: what broke it, in words; "" otherwise. It is no part of the state.
    """

    SIZE = 0x1000
    STATE: ClassVar[dict[str, state.Check]] = {
        "status": state.uint(8),
        "driver_features": state.uint(64),
        "features": state.uint(64),
        "device_features_sel": state.uint(32),
        "driver_features_sel": state.uint(32),
        "queue_sel": state.uint(32),
        "page_size": state.uint(32),
        "queue_align": state.listing(state.uint(32)),
        "interrupt_status": state.uint(2),
        "generation": state.uint(32),
        "broken": state.flag,
    }

    def __init__(
        self,
        device: VirtioDevice | None,
        memory: Memory | None = None,
        on_interrupt: Callable[[bool], None] | None = None,
        *,
        legacy: bool = False,
    ) -> None:
        self.device, self.legacy = device, legacy
        self.on_interrupt = on_interrupt
        self.queues: list[Virtqueue] = []
        self.offered = 0
        """The feature bits that the driver may choose."""
        if device is not None:
            if memory is None:
                raise TypeError(f"the {device.NAME} needs memory for its queues")
            self.queues = [
                Virtqueue(memory, number, device.QUEUE_SIZE) for number in range(len(device.QUEUES))
            ]
            device.queues = self.queues
            device.service = self.service
            device.config_changed = self.config_changed
        self.interrupt_status = 0
        self.interrupt = False
        self.generation = self.page_size = 0
        self._set_initial()

    def _set_initial(self) -> None:
        self.status = 0
        self.driver_features = self.features = 0
        self.device_features_sel = self.driver_features_sel = self.queue_sel = 0
        self.queue_align = [4096] * len(self.queues)
        self.broken, self.why = False, ""
        self._offer()

    def _offer(self) -> None:
        if self.device is not None:
            offered = self.device.device_features()
            common = LEGACY_FEATURES if self.legacy else COMMON_FEATURES
            self.offered = (offered & ALL_ONES if self.legacy else offered) | common

    def reset(self) -> None:
        """Everything as after power-on."""
        if self.device is not None:
            self.device.power_on()
        self.generation = self.page_size = 0
        self._reset_by_driver()

    def _reset_by_driver(self) -> None:
        """What writing 0 to Status does (2.4). Linux sets GuestPageSize before, and only once."""
        for queue in self.queues:
            queue.reset()
        self._set_initial()
        self._spread_features()
        if self.device is not None:
            self.device.reset()
        self._set_interrupts(0)

    @property
    def version(self) -> int:
        """The Version register: 2, or 1 for the legacy interface."""
        return 1 if self.legacy else 2

    # -- the bus side -----------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """Read `size` bytes at `offset`; see the module's table."""
        if offset >= CONFIG:
            if self.device is None:
                return 0
            start = offset - CONFIG
            return int.from_bytes(self.device.config()[start : start + size], "little")
        if size == 8:
            return self.read(offset, 4) | self.read(offset + 4, 4) << 32
        reader = (_LEGACY_READERS if self.legacy else _READERS).get(offset)
        if size != 4 or reader is None:
            return 0
        if self.device is None and offset > 0x00C:
            return 0
        return reader(self) & ALL_ONES

    def write(self, offset: int, size: int, value: int) -> None:
        """Write `size` bytes at `offset`; see the module's table."""
        if self.device is None:
            return
        if offset >= CONFIG:
            data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            self.device.write_config(offset - CONFIG, data)
        elif size == 8:
            self.write(offset, 4, value & ALL_ONES)
            self.write(offset + 4, 4, value >> 32)
        elif size == 4:
            writer = (_LEGACY_WRITERS if self.legacy else _WRITERS).get(offset)
            if writer is not None:
                writer(self, value & ALL_ONES)

    def registers(self) -> dict[str, int]:
        """Every register that can be read, by name; reading has no side effects."""
        readers = _LEGACY_READERS if self.legacy else _READERS
        return {REGISTERS[offset]: self.read(offset, 4) for offset in readers}

    # -- the device side --------------------------------------------------------------------

    def service(self, number: int) -> None:
        """Let the device look at queue `number`, then notify the driver if it wants to know."""
        if self.broken or not self._running():
            return
        queue = self.queues[number]
        if not queue.ready:
            return
        assert self.device is not None
        try:
            self.device.handle(queue)
            queue.ask_for_notification()
            if queue.wants_interrupt():
                self._set_interrupts(self.interrupt_status | USED_BUFFER)
        except (QueueError, BusFault) as error:
            self._break(str(error))

    def _running(self) -> bool:
        # Drivers of version 1 used the device before DRIVER_OK (3.1.2).
        return self.legacy or self.status & DRIVER_OK != 0

    def config_changed(self) -> None:
        """The configuration space has changed (2.3): count the generation, tell the driver."""
        self.generation = self.generation + 1 & ALL_ONES
        if self.status & DRIVER_OK:
            self._set_interrupts(self.interrupt_status | CONFIG_CHANGE)

    def _break(self, why: str) -> None:
        """The device cannot go on until it is reset (2.1.2)."""
        self.broken, self.why = True, why
        if not self.legacy:
            self.status |= DEVICE_NEEDS_RESET
            if self.status & DRIVER_OK:
                self._set_interrupts(self.interrupt_status | CONFIG_CHANGE)

    def _set_interrupts(self, interrupt_status: int) -> None:
        self.interrupt_status = interrupt_status
        level = interrupt_status != 0
        if level != self.interrupt:
            self.interrupt = level
            if self.on_interrupt is not None:
                self.on_interrupt(level)

    # -- features and status ----------------------------------------------------------------

    def _spread_features(self) -> None:
        """Queues and device learn what the driver has chosen."""
        for queue in self.queues:
            queue.features = self.features
        if self.device is not None:
            self.device.features = self.features

    def _features_fit(self) -> bool:
        assert self.device is not None
        chosen = self.driver_features
        return (
            not chosen & ~self.offered and chosen & F_VERSION_1 != 0 and self.device.accepts(chosen)
        )

    def _write_status(self, value: int) -> None:
        if value & 0xFF == 0:
            self._reset_by_driver()
            return
        new = value & DRIVER_BITS & ~self.status
        if self.legacy:
            new &= ~FEATURES_OK  # version 1 does not have the bit
        elif new & FEATURES_OK:
            if self._features_fit():
                self.features = self.driver_features
                self._spread_features()
            else:
                new &= ~FEATURES_OK
        self.status |= new
        if new & FEATURES_OK or (new & DRIVER_OK and not self.status & FEATURES_OK):
            assert self.device is not None
            self.device.negotiated()
        if new & DRIVER_OK:
            for number in range(len(self.queues)):  # buffers may wait already
                self.service(number)

    def _read_features(self) -> int:
        return self.offered >> 32 * self.device_features_sel if self.device_features_sel < 2 else 0

    def _write_features(self, value: int) -> None:
        word = self.driver_features_sel
        if self.status & (FEATURES_OK | DRIVER_OK) or word > 1 or (self.legacy and word):
            return
        kept = self.driver_features & ~(ALL_ONES << 32 * word)
        self.driver_features = kept | value << 32 * word
        if self.legacy:
            self.features = self.driver_features & self.offered
            self._spread_features()

    # -- queues -----------------------------------------------------------------------------

    def _selected(self) -> Virtqueue | None:
        return self.queues[self.queue_sel] if self.queue_sel < len(self.queues) else None

    def _read_queue_num_max(self) -> int:
        queue = self._selected()
        return queue.size_max if queue else 0

    def _write_queue_num(self, value: int) -> None:
        queue = self._selected()
        if queue and not queue.ready:
            queue.size = value

    def _read_queue_ready(self) -> int:
        queue = self._selected()
        return int(queue.ready) if queue else 0

    def _write_queue_ready(self, value: int) -> None:
        queue = self._selected()
        if queue is None:
            return
        if not value & 1:
            queue.ready = False
        elif not queue.ready:
            self._start(queue)

    def _start(self, queue: Virtqueue) -> None:
        assert self.device is not None
        self.device.queue_restarted(queue)
        queue.ready = True
        queue.last_avail = queue.used_idx = queue.signalled = 0
        try:
            queue.check()
        except (QueueError, BusFault) as error:
            self._break(str(error))

    def _stop(self, queue: Virtqueue) -> None:
        assert self.device is not None
        queue.reset()
        self.device.queue_restarted(queue)

    def _write_queue_reset(self, value: int) -> None:
        """Reset one queue (2.6.1); it is done at once, so the register always reads 0."""
        queue = self._selected()
        if queue and value & 1 and self.features & F_RING_RESET:
            self._stop(queue)

    def _write_queue_notify(self, value: int) -> None:
        if value < len(self.queues):
            self.service(value)

    def _write_queue_align(self, value: int) -> None:
        if self.queue_sel < len(self.queues):
            self.queue_align[self.queue_sel] = value

    def _read_queue_pfn(self) -> int:
        queue = self._selected()
        return queue.desc // self.page_size if queue and self.page_size else 0

    def _write_queue_pfn(self, value: int) -> None:
        """Version 1: the parts of a queue follow each other from one page on (2.7.2)."""
        queue = self._selected()
        if queue is None:
            return
        if value == 0:
            self._stop(queue)
            return
        align = self.queue_align[self.queue_sel]
        queue.desc = value * self.page_size & (1 << 64) - 1
        queue.driver = queue.desc + 16 * queue.size
        end = queue.driver + 6 + 2 * queue.size
        queue.device = end + -end % align if align else end
        queue.driver &= (1 << 64) - 1
        queue.device &= (1 << 64) - 1
        self._start(queue)

    # -- state ------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Registers, queues and device as plain data; ``queues`` and ``device`` are nested."""
        saved = state.save(self)
        saved["queues"] = [queue.state() for queue in self.queues]
        saved["device"] = {} if self.device is None else self.device.state()
        return saved

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave; `on_interrupt` is not called.

        Raises:
            DeviceStateError: `saved` is not the state of such a slot; nothing has changed.
        """
        if not isinstance(saved, Mapping):
            raise DeviceStateError(f"state of VirtioMmio: a dict expected, not {saved!r:.60}")
        own = {name: value for name, value in saved.items() if name not in ("queues", "device")}
        state.check_state("VirtioMmio", own, self.STATE)
        if "device" not in saved:
            raise DeviceStateError("state of VirtioMmio: device missing")
        queues, device = saved.get("queues"), saved["device"]
        if not isinstance(queues, list) or len(queues) != len(self.queues):
            raise DeviceStateError(
                f"state of VirtioMmio: {len(self.queues)} queues expected; is it of another device?"
            )
        if len(own["queue_align"]) != len(self.queues):
            raise DeviceStateError("state of VirtioMmio: queue_align does not fit the queues")
        for one in queues:
            state.check_state("Virtqueue", one, Virtqueue.STATE)
        if self.device is None:
            state.check_state("empty slot", device, {})
        else:
            self.device.check_state(device)
        state.restore(self, own)
        for queue, one in zip(self.queues, queues, strict=True):
            queue.load_state(one)
        self.why = ""
        self.interrupt = self.interrupt_status != 0
        self._spread_features()
        if self.device is not None:
            self.device.load_state(device)


def _address_writer(part: str, high: bool) -> Callable[[VirtioMmio, int], None]:
    """Set one half of the address of a queue's `part`; ignored while the queue is ready."""

    def write(self: VirtioMmio, value: int) -> None:
        queue = self._selected()
        if queue and not queue.ready:
            old = getattr(queue, part)
            new = old & ALL_ONES | value << 32 if high else old & ~ALL_ONES | value
            setattr(queue, part, new)

    return write


def _setter(name: str) -> Callable[[VirtioMmio, int], None]:
    return lambda self, value: setattr(self, name, value)


def _all_ones(self: VirtioMmio) -> int:
    return ALL_ONES


_BY_NAME_READ: dict[str, Callable[[VirtioMmio], int]] = {
    "MagicValue": lambda self: MAGIC,
    "Version": lambda self: self.version,
    "DeviceID": lambda self: self.device.DEVICE_ID if self.device else 0,
    "VendorID": lambda self: VENDOR,
    "DeviceFeatures": VirtioMmio._read_features,
    "QueueNumMax": VirtioMmio._read_queue_num_max,
    "QueuePFN": VirtioMmio._read_queue_pfn,
    "QueueReady": VirtioMmio._read_queue_ready,
    "InterruptStatus": lambda self: self.interrupt_status,
    "Status": lambda self: self.status,
    "SHMLenLow": _all_ones,
    "SHMLenHigh": _all_ones,
    "SHMBaseLow": _all_ones,
    "SHMBaseHigh": _all_ones,
    "QueueReset": lambda self: 0,
    "ConfigGeneration": lambda self: self.generation,
}
_BY_NAME_WRITE: dict[str, Callable[[VirtioMmio, int], None]] = {
    "DeviceFeaturesSel": _setter("device_features_sel"),
    "DriverFeatures": VirtioMmio._write_features,
    "DriverFeaturesSel": _setter("driver_features_sel"),
    "GuestPageSize": _setter("page_size"),
    "QueueSel": _setter("queue_sel"),
    "QueueNum": VirtioMmio._write_queue_num,
    "QueueAlign": VirtioMmio._write_queue_align,
    "QueuePFN": VirtioMmio._write_queue_pfn,
    "QueueReady": VirtioMmio._write_queue_ready,
    "QueueNotify": VirtioMmio._write_queue_notify,
    "InterruptACK": lambda self, value: self._set_interrupts(self.interrupt_status & ~value),
    "Status": VirtioMmio._write_status,
    "QueueDescLow": _address_writer("desc", False),
    "QueueDescHigh": _address_writer("desc", True),
    "QueueDriverLow": _address_writer("driver", False),
    "QueueDriverHigh": _address_writer("driver", True),
    "QueueDeviceLow": _address_writer("device", False),
    "QueueDeviceHigh": _address_writer("device", True),
    "QueueReset": VirtioMmio._write_queue_reset,
}


def _by_offset(methods: dict[str, Any], legacy: bool) -> dict[int, Any]:
    return {
        offset: methods[name]
        for offset, name in REGISTERS.items()
        if name in methods and (name in IN_BOTH if legacy else name not in LEGACY_ONLY)
    }


_READERS = _by_offset(_BY_NAME_READ, legacy=False)
_WRITERS = _by_offset(_BY_NAME_WRITE, legacy=False)
_LEGACY_READERS = _by_offset(_BY_NAME_READ, legacy=True)
_LEGACY_WRITERS = _by_offset(_BY_NAME_WRITE, legacy=True)
