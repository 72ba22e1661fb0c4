"""A 16550A UART, as on QEMU's ``virt``. Names follow National Semiconductor's PC16550D data sheet.

```
offset  DLAB  read  write
0       0     RBR   THR    receiver buffer, transmitter holding register
0       1     DLL   DLL    divisor latch, low byte
1       0     IER   IER    interrupt enable
1       1     DLM   DLM    divisor latch, high byte
2       -     IIR   FCR    interrupt identification, FIFO control
3       -     LCR   LCR    line control (bit 7 is DLAB)
4       -     MCR   MCR    modem control
5       -     LSR   -      line status
6       -     MSR   -      modem status
7       -     SCR   SCR    scratch
```

Where the model is simpler than silicon:

- A character takes no time. The transmitter is always empty, and characters that wait below the
  receiver's trigger level count as timed out at once.
- The line carries 8 bits, whatever word length, parity and baud rate LCR and the divisor say.
- An access of any width reaches the one register at its offset: higher bytes are ignored when
  written and zero when read, as on QEMU. Offsets past 7 read zero and ignore writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from vtbook.devices import state
from vtbook.devices.console import Console

REGISTERS = 8
FIFO_DEPTH = 16
TRIGGER_LEVELS = (1, 4, 8, 14)
"""FCR bits 7-6 -> characters in the receiver FIFO that raise the interrupt."""

# IER, interrupt enable
ERBFI, ETBEI, ELSI, EDSSI = 0x01, 0x02, 0x04, 0x08
# IIR, interrupt identification; in order of priority, then the two FIFO bits
IIR_LINE_STATUS, IIR_RECEIVED, IIR_TIMEOUT, IIR_THR_EMPTY, IIR_MODEM_STATUS = 6, 4, 12, 2, 0
IIR_NONE, IIR_FIFOS = 0x01, 0xC0
# FCR, FIFO control
FCR_ENABLE, FCR_RESET_RECEIVER, FCR_RESET_TRANSMITTER = 0x01, 0x02, 0x04
# LCR, line control
LCR_BREAK, LCR_DLAB = 0x40, 0x80
# MCR, modem control
DTR, RTS, OUT1, OUT2, LOOP = 0x01, 0x02, 0x04, 0x08, 0x10
# LSR, line status
DR, OE, PE, FE, BI, THRE, TEMT, FIFO_ERROR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
# MSR, modem status
DCTS, DDSR, TERI, DDCD, CTS, DSR, RI, DCD = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80

IDLE = THRE | TEMT
LINE_ERRORS = OE | PE | FE | BI
CHARACTER_ERRORS = PE | FE | BI
MODEM_DELTAS = DCTS | DDSR | TERI | DDCD
POLLS = 16
"""Looks at LSR in a row, with nothing received and nothing else done, that ask for input."""
CONNECTED = CTS | DSR | DCD
"""Modem inputs while a console is on the line."""
LOOP_WIRES = ((RTS, CTS), (DTR, DSR), (OUT1, RI), (OUT2, DCD))
"""In loopback, the MCR output that drives each MSR input."""

CHARACTERS = tuple(bytes((character,)) for character in range(256))

READ_NAMES = {
    0: ("RBR", "IER", "IIR", "LCR", "MCR", "LSR", "MSR", "SCR"),
    LCR_DLAB: ("DLL", "DLM", "IIR", "LCR", "MCR", "LSR", "MSR", "SCR"),
}
"""DLAB bit of LCR -> the register that a read of each offset reaches."""
WRITE_NAMES = {
    0: ("THR", "IER", "FCR", "LCR", "MCR", None, None, "SCR"),
    LCR_DLAB: ("DLL", "DLM", "FCR", "LCR", "MCR", None, None, "SCR"),
}
"""The same for a write; None where a write does nothing."""


class Uart(state.Stateful):
    """The UART. Its transmitter writes to `console`, its receiver takes what is typed there.

    Typed characters wait in the console until there is room, as if the far end minded flow
    control; `receive` puts characters on the line regardless, and they may overrun the receiver.

    Args:
        console: the other end of the line.
        on_interrupt: called with the new level when the interrupt output changes.

    Attributes:
        interrupt: level of the interrupt output (INTR), true while an enabled source is pending.
        polls: how often in a row the guest has read LSR and found nothing received.
        on_poll: called at every `POLLS` of them: the guest asks for input and there is none.
    """

    SIZE = 0x100
    STATE: ClassVar[dict[str, state.Check]] = {
        "ier": state.uint(4),
        "lcr": state.uint(8),
        "mcr": state.uint(5),
        "scr": state.uint(8),
        "msr": state.uint(8),
        "divisor": state.uint(16),
        "fcr": state.uint(8),
        "line_errors": state.uint(5),
        "thr_empty": state.flag,
        "received": state.listing(state.uint(13), FIFO_DEPTH),
        "interrupt": state.flag,
    }

    def __init__(
        self,
        console: Console | None = None,
        on_interrupt: Callable[[bool], None] | None = None,
    ) -> None:
        self.console = Console() if console is None else console
        self.console.on_input = self.update
        self.on_interrupt = on_interrupt
        self.on_poll: Callable[[], None] | None = None
        self.polls = 0
        self.interrupt = False
        self.reset()

    def reset(self) -> None:
        """Master reset (data sheet, table III): registers to their reset state, FIFOs off."""
        self.ier = self.lcr = self.mcr = self.scr = self.fcr = 0
        self.divisor = 12
        """Baud rate divisor, DLM and DLL; 9600 baud from the usual 1.8432 MHz crystal."""
        self.msr = CONNECTED
        self.line_errors = 0
        """LSR bits 4-1: what went wrong and LSR has not told yet."""
        self.thr_empty = False
        """The transmitter interrupt is pending (if enabled)."""
        self.received: list[int] = []
        """Characters to read, oldest first: bits 7-0 the character, bits 12-10 its PE, FE, BI."""
        self._update_interrupt()

    # -- the bus side -----------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """Read the register at `offset`; see the module's table."""
        if not 0 <= offset < REGISTERS:
            return 0
        if self.console.typed:
            self._accept_input()
        value = _READERS[self.lcr & LCR_DLAB][offset](self)
        if self.ier or self.interrupt:
            self.update()
        if offset == 5 and not value & DR:
            self.polls += 1
            if self.polls % POLLS == 0 and self.on_poll is not None:
                self.on_poll()
        else:
            self.polls = 0
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        """Write the low byte of `value` to the register at `offset`; see the module's table."""
        self.polls = 0
        if 0 <= offset < REGISTERS:
            writer = _WRITERS[self.lcr & LCR_DLAB][offset]
            if writer is not None:
                writer(self, value & 0xFF)
                if self.ier or self.interrupt:
                    self.update()

    def update(self) -> None:
        """Take typed characters if the guest waits for their interrupt; set the output."""
        if self.ier & ERBFI and self.console.typed:
            self._accept_input()
        self._update_interrupt()

    def registers(self) -> dict[str, int]:
        """Every readable register by name, without the side effects of reading it."""
        return {
            "RBR": self.received[0] & 0xFF if self.received else 0,
            "IER": self.ier,
            "IIR": self._identification(),
            "LCR": self.lcr,
            "MCR": self.mcr,
            "LSR": self._line_status(),
            "MSR": self.msr,
            "SCR": self.scr,
            "DLL": self.divisor & 0xFF,
            "DLM": self.divisor >> 8,
        }

    # -- the line side ----------------------------------------------------------------------

    def receive(self, data: bytes, errors: int = 0) -> None:
        """Characters arrive on the line now, each with the `errors` PE, FE, BI.

        With a full receiver the character is lost in FIFO mode, replaces the one in RBR otherwise,
        and LSR shows OE. In loopback the line is cut off and nothing arrives.
        """
        if not self.mcr & LOOP:
            for character in data:
                self._receive(character, errors)
            self._update_interrupt()

    def receive_break(self) -> None:
        """The line is held low for longer than a character: a zero with FE and BI."""
        self.receive(b"\0", FE | BI)

    def _accept_input(self) -> None:
        """Move typed characters from the console into the receiver while there is room."""
        room = FIFO_DEPTH if self.fcr & FCR_ENABLE else 1
        if self.mcr & LOOP:
            return
        while len(self.received) < room and (character := self.console.take()) is not None:
            self._receive(character, 0)

    def _receive(self, character: int, errors: int) -> None:
        room = FIFO_DEPTH if self.fcr & FCR_ENABLE else 1
        if len(self.received) >= room:
            self.line_errors |= OE
            if room > 1:
                return
            self.received.clear()
        self.received.append(character | (errors & CHARACTER_ERRORS) << 8)
        self._reveal_errors()

    def _reveal_errors(self) -> None:
        """LSR shows the errors of a character when it comes to the top of the FIFO."""
        if self.received and self.received[0] > 0xFF:
            self.line_errors |= self.received[0] >> 8
            self.received[0] &= 0xFF

    def _loop_back(self, character: int) -> None:
        if self.lcr & LCR_BREAK:
            self._receive(0, FE | BI)
        else:
            self._receive(character, 0)

    # -- status and interrupts --------------------------------------------------------------

    def _line_status(self) -> int:
        errors, received = self.line_errors, self.received
        if not errors and not received:
            return IDLE
        status = IDLE | errors
        if received:
            status |= DR
        if self.fcr & FCR_ENABLE and (
            errors & CHARACTER_ERRORS or (received and max(received) > 0xFF)
        ):
            status |= FIFO_ERROR
        return status

    def _identification(self) -> int:
        """IIR: the pending interrupt of the highest priority (data sheet, table IV)."""
        fifos = IIR_FIFOS if self.fcr & FCR_ENABLE else 0
        if self.ier & ELSI and self.line_errors:
            return fifos | IIR_LINE_STATUS
        if self.ier & ERBFI and self.received:
            level = TRIGGER_LEVELS[self.fcr >> 6] if fifos else 1
            return fifos | (IIR_RECEIVED if len(self.received) >= level else IIR_TIMEOUT)
        if self.ier & ETBEI and self.thr_empty:
            return fifos | IIR_THR_EMPTY
        if self.ier & EDSSI and self.msr & MODEM_DELTAS:
            return fifos | IIR_MODEM_STATUS
        return fifos | IIR_NONE

    def _update_interrupt(self) -> None:
        level = self.ier != 0 and not self._identification() & IIR_NONE
        if level != self.interrupt:
            self.interrupt = level
            if self.on_interrupt is not None:
                self.on_interrupt(level)

    def _set_modem_inputs(self, inputs: int) -> None:
        """New CTS, DSR, RI, DCD; the deltas remember what changed (TERI: RI has ended)."""
        changed = (self.msr ^ inputs) & 0xF0
        deltas = changed >> 4 & (DCTS | DDSR | DDCD)
        if changed & RI and not inputs & RI:
            deltas |= TERI
        self.msr = inputs | self.msr & MODEM_DELTAS | deltas

    # -- one method a register --------------------------------------------------------------

    def _read_rbr(self) -> int:
        if not self.received:
            return 0
        character = self.received.pop(0) & 0xFF
        self._reveal_errors()
        return character

    def _write_thr(self, value: int) -> None:
        if self.mcr & LOOP:
            self._loop_back(value)
        else:
            self.console.write(CHARACTERS[value])
        self.thr_empty = True

    def _read_dll(self) -> int:
        return self.divisor & 0xFF

    def _write_dll(self, value: int) -> None:
        self.divisor = self.divisor & 0xFF00 | value

    def _read_dlm(self) -> int:
        return self.divisor >> 8

    def _write_dlm(self, value: int) -> None:
        self.divisor = self.divisor & 0xFF | value << 8

    def _read_ier(self) -> int:
        return self.ier

    def _write_ier(self, value: int) -> None:
        if value & ETBEI and not self.ier & ETBEI:
            self.thr_empty = True  # enabling it while THR is empty raises it at once
        self.ier = value & 0x0F

    def _read_iir(self) -> int:
        value = self._identification()
        if value & 0x0F == IIR_THR_EMPTY:
            self.thr_empty = False
        return value

    def _write_fcr(self, value: int) -> None:
        switched = (self.fcr ^ value) & FCR_ENABLE
        if switched or (value & FCR_ENABLE and value & FCR_RESET_RECEIVER):
            self.received.clear()
        if switched or (value & FCR_ENABLE and value & FCR_RESET_TRANSMITTER):
            self.thr_empty = True
        # the other bits count only together with bit 0, and the two resets clear themselves
        self.fcr = value & 0xC9 if value & FCR_ENABLE else 0

    def _read_lcr(self) -> int:
        return self.lcr

    def _write_lcr(self, value: int) -> None:
        self.lcr = value

    def _read_mcr(self) -> int:
        return self.mcr

    def _write_mcr(self, value: int) -> None:
        self.mcr = value & 0x1F
        if self.mcr & LOOP:
            self._set_modem_inputs(sum(pin for out, pin in LOOP_WIRES if self.mcr & out))
        else:
            self._set_modem_inputs(CONNECTED)

    def _read_lsr(self) -> int:
        value = self._line_status()
        self.line_errors = 0
        return value

    def _read_msr(self) -> int:
        value = self.msr
        self.msr &= ~MODEM_DELTAS
        return value

    def _read_scr(self) -> int:
        return self.scr

    def _write_scr(self, value: int) -> None:
        self.scr = value


_READERS: dict[int, tuple[Callable[[Uart], int], ...]] = {
    dlab: tuple(getattr(Uart, f"_read_{name.lower()}") for name in names)
    for dlab, names in READ_NAMES.items()
}
_WRITERS: dict[int, tuple[Callable[[Uart, int], None] | None, ...]] = {
    dlab: tuple(getattr(Uart, f"_write_{name.lower()}") if name else None for name in names)
    for dlab, names in WRITE_NAMES.items()
}
