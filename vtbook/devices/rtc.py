"""The Goldfish real-time clock: the date in nanoseconds, and an alarm. As on QEMU's ``virt``.

After Google's GOLDFISH-VIRTUAL-HARDWARE.TXT and QEMU's model.

```
offset  register         read                             write
0x00    TIME_LOW         time bits 31-0, keeps 63-32      set them
0x04    TIME_HIGH        what TIME_LOW kept               set bits 63-32
0x08    ALARM_LOW        alarm bits 31-0                  set them and start the alarm
0x0c    ALARM_HIGH       alarm bits 63-32                 set them
0x10    IRQ_ENABLED      bit 0                            bit 0: the alarm may interrupt
0x14    CLEAR_ALARM      zero                             any value stops the alarm
0x18    ALARM_STATUS     1 while an alarm is running      nothing
0x1c    CLEAR_INTERRUPT  zero                             any value lowers the interrupt
```

Time counts nanoseconds since 1970. An alarm that is not in the future rings at once. Setting the
time does not move the moment at which a running alarm rings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from vtbook.devices import state
from vtbook.devices.words import WordRegisters

TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH = 0x00, 0x04, 0x08, 0x0C
IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = 0x10, 0x14, 0x18, 0x1C
LOW, LONG = (1 << 32) - 1, (1 << 64) - 1
START = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 10**9
"""The date at power-on unless told otherwise: fixed, so that every run is the same."""


class Rtc(WordRegisters, state.Stateful):
    """The clock. It has a deadline: see `vtbook.devices.deadlines.Timed`.

    Args:
        read_time: nanoseconds since power-on, from the machine.
        start: the date at power-on, nanoseconds since 1970. ``time.time_ns()`` is the host's date,
            and then no two runs are equal.
        on_interrupt: called with the new level when the interrupt output changes.
        on_deadline: called when `next_deadline` has changed.

    Attributes:
        interrupt: level of the interrupt output.
    """

    SIZE = 0x1000
    STATE: ClassVar[dict[str, state.Check]] = {
        "start": state.uint(64),
        "time_high": state.uint(32),
        "alarm": state.uint(64),
        "deadline": state.optional(state.uint(65)),
        "irq_enabled": state.flag,
        "irq_pending": state.flag,
        "interrupt": state.flag,
    }

    def __init__(
        self,
        read_time: Callable[[], int],
        start: int = START,
        on_interrupt: Callable[[bool], None] | None = None,
        on_deadline: Callable[[], None] | None = None,
    ) -> None:
        self.read_time = read_time
        self.on_interrupt, self.on_deadline = on_interrupt, on_deadline
        self.power_on_date = start & LONG
        self.interrupt = False
        self.deadline: int | None = None
        """When the running alarm rings, in nanoseconds since power-on; None if none is running."""
        self.reset()

    def reset(self) -> None:
        """No alarm, no interrupt, the date of `start` at power-on."""
        self.start = self.power_on_date
        """What the clock shows is this plus `read_time`; setting the time changes it."""
        self.time_high = 0
        self.alarm = 0
        self.irq_enabled = self.irq_pending = False
        self._set_deadline(None)
        self._update_interrupt()

    @property
    def time(self) -> int:
        """What the clock shows, in nanoseconds since 1970."""
        return self.start + self.read_time() & LONG

    # -- the machine's side -----------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """When the alarm rings, in nanoseconds since power-on; None if no alarm is running."""
        return self.deadline

    def tick(self) -> None:
        """Ring the alarm if it is due."""
        if self.deadline is not None and self.read_time() >= self.deadline:
            self._ring()

    def registers(self) -> dict[str, int]:
        """Every readable register by name, without the side effects of reading it."""
        return {
            "TIME_LOW": self.time & LOW,
            "TIME_HIGH": self.time_high,
            "ALARM_LOW": self.alarm & LOW,
            "ALARM_HIGH": self.alarm >> 32,
            "IRQ_ENABLED": int(self.irq_enabled),
            "ALARM_STATUS": int(self.deadline is not None),
        }

    # -- the bus side -----------------------------------------------------------------------

    def read_word(self, offset: int) -> int:
        """The register at `offset`; see the module's table."""
        self.tick()
        if offset == TIME_LOW:
            time = self.time
            self.time_high = time >> 32
            return time & LOW
        name = _READABLE.get(offset)
        return self.registers()[name] if name else 0

    def write_word(self, offset: int, value: int) -> None:
        """Write the register at `offset`; see the module's table."""
        self.tick()
        if offset == TIME_LOW:
            self._set_time(self.time & ~LOW | value)
        elif offset == TIME_HIGH:
            self._set_time(value << 32 | self.time & LOW)
        elif offset == ALARM_LOW:
            self.alarm = self.alarm & ~LOW | value
            self._start_alarm()
        elif offset == ALARM_HIGH:
            self.alarm = value << 32 | self.alarm & LOW
        elif offset == IRQ_ENABLED:
            self.irq_enabled = bool(value & 1)
        elif offset == CLEAR_ALARM:
            self._set_deadline(None)
        elif offset == CLEAR_INTERRUPT:
            self.irq_pending = False
        self._update_interrupt()

    def _set_time(self, time: int) -> None:
        self.start = time - self.read_time() & LONG

    def _start_alarm(self) -> None:
        wait = self.alarm - self.time
        if wait <= 0:
            self._ring()
        else:
            self._set_deadline(self.read_time() + wait)

    def _ring(self) -> None:
        self.irq_pending = True
        self._set_deadline(None)
        self._update_interrupt()

    def _set_deadline(self, deadline: int | None) -> None:
        if deadline != self.deadline:
            self.deadline = deadline
            if self.on_deadline is not None:
                self.on_deadline()

    def _update_interrupt(self) -> None:
        level = self.irq_enabled and self.irq_pending
        if level != self.interrupt:
            self.interrupt = level
            if self.on_interrupt is not None:
                self.on_interrupt(level)


_READABLE = {
    TIME_HIGH: "TIME_HIGH",
    ALARM_LOW: "ALARM_LOW",
    ALARM_HIGH: "ALARM_HIGH",
    IRQ_ENABLED: "IRQ_ENABLED",
    ALARM_STATUS: "ALARM_STATUS",
}
