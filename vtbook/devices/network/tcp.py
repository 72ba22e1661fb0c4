"""One end of a TCP connection (RFC 9293), without sockets and without a clock of its own.

`UserNetwork` plays every host that a guest talks to, so it needs its own TCP. An `Endpoint` takes
segments (`on_segment`), hands out what came in (`received`, `consume`), takes what is to go out
(`write`, `close`), and calls `emit` with each segment that it sends. `tick` runs the timers.

```
   snd_una        snd_nxt     snd_una + snd_wnd
 -----|--------------|---------------|-----
      | sent, not    |  may be sent  |
      | acknowledged |               |
```

The link to a guest is short but not lossless: a card with a full ring drops frames. So there is
retransmission with the back-off of RFC 6298, congestion control, and probes of a closed window.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from vtbook.devices.network.congestion import Congestion
from vtbook.devices.network.receive_window import ReceiveWindow
from vtbook.devices.network.tcp_segment import (
    ACK,
    FIN,
    MASK,
    PSH,
    RST,
    SYN,
    Segment,
    after,
    syn_options,
)

BUFFER = 256 << 10
"""Bytes that an endpoint keeps in each direction, at most."""
SCALE = 3
"""Our windows count in units of 8 bytes (RFC 7323), so that they can be as large as the buffer."""
MSS = 1460
DEFAULT_MSS, SMALLEST_MSS = 536, 64
FIRST_TIMEOUT, LONGEST_TIMEOUT = 1.0, 60.0
"""Seconds before the first retransmission, and between two at most (RFC 6298)."""
ATTEMPTS = 8
"""A segment is sent so many times in vain before the connection is given up."""
QUIET = 2.0
"""Seconds in TIME-WAIT. Nothing lives longer than that on a link without routers."""


class State(Enum):
    """The states of RFC 9293, figure 5, that an endpoint can be in."""

    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"
    CLOSED = "CLOSED"


AFTER_OUR_FIN = {State.ESTABLISHED: State.FIN_WAIT_1, State.CLOSE_WAIT: State.LAST_ACK}
AFTER_ITS_ACK = {
    State.FIN_WAIT_1: State.FIN_WAIT_2,
    State.CLOSING: State.TIME_WAIT,
    State.LAST_ACK: State.CLOSED,
}
AFTER_THEIR_FIN = {
    State.ESTABLISHED: State.CLOSE_WAIT,
    State.FIN_WAIT_1: State.CLOSING,
    State.FIN_WAIT_2: State.TIME_WAIT,
}
RECEIVING = frozenset(AFTER_THEIR_FIN)
SENDING = frozenset({*AFTER_OUR_FIN, *AFTER_ITS_ACK})


class Endpoint:
    """One end of a connection between `local_port` and `remote_port`.

    Make one, then `open` it (we send the SYN) or `accept` one that the guest has sent.

    Args:
        emit: called with each segment that is sent.
        clock: gives the time in seconds.
        first: the initial sequence number.

    Attributes:
        state: see `State`.
        error: ``refused``, ``reset`` or ``timeout`` once the connection broke, else None.
        retransmissions: segments sent again.
    """

    def __init__(
        self,
        local_port: int,
        remote_port: int,
        emit: Callable[[Segment], None],
        clock: Callable[[], float],
        first: int,
    ) -> None:
        self.local_port, self.remote_port = local_port, remote_port
        self.emit, self.clock = emit, clock
        self.state = State.SYN_SENT
        self.error: str | None = None
        self.retransmissions = 0
        self.window = ReceiveWindow(BUFFER)
        self.first = first & MASK
        self.snd_una = self.snd_nxt = self.snd_max = self.first
        self.snd_wnd = 0
        self._window_seq = self._window_ack = 0  # SND.WL1 and SND.WL2: how new snd_wnd is
        self._scale = 0
        self._out = bytearray()  # from snd_una on, SYN and FIN left out
        self._closing = False
        self.mss = DEFAULT_MSS
        self.congestion = Congestion(MSS, BUFFER)
        self._ack_due = False
        self._timeout = FIRST_TIMEOUT
        self._attempts = 0
        self._alarm: float | None = None

    # -- opening ----------------------------------------------------------------------------

    def open(self) -> None:
        """Ask the guest for a connection."""
        self.snd_nxt = self.snd_max = (self.first + 1) & MASK
        self._send_syn()

    def accept(self, syn: Segment) -> None:
        """Answer the guest's `syn`."""
        self.state = State.SYN_RECEIVED
        self.snd_nxt = self.snd_max = (self.first + 1) & MASK
        self._take_syn(syn)
        self._send_syn()

    def _take_syn(self, syn: Segment) -> None:
        self.window.start(syn.seq)
        self.mss = min(max(syn.mss or DEFAULT_MSS, SMALLEST_MSS), MSS)
        self.congestion = Congestion(self.mss, BUFFER)
        self._set_window(syn)
        if syn.scale is not None:
            self._scale, self.window.scale = syn.scale, SCALE

    def _send_syn(self) -> None:
        answer = self.state is State.SYN_RECEIVED
        flags, ack = (SYN | ACK, self.window.nxt) if answer else (SYN, 0)
        scale = SCALE if not answer or self.window.scale else None
        window = min(BUFFER, 0xFFFF)  # in a SYN it is never scaled
        ports = (self.local_port, self.remote_port)
        self.emit(Segment(*ports, self.first, ack, flags, window, options=syn_options(MSS, scale)))
        self._start_timer()

    # -- the application's side -------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the handshake is over and the connection is not."""
        return self.state not in (State.SYN_SENT, State.SYN_RECEIVED, State.CLOSED)

    @property
    def received(self) -> bytearray:
        """What came in, in order, and was not consumed yet."""
        return self.window.buffer

    @property
    def peer_closed(self) -> bool:
        """Whether the guest has sent all that it will send, and all of it is in `received`."""
        return self.window.finished

    @property
    def room(self) -> int:
        """How many bytes `write` takes now."""
        return 0 if self._closing or self.state is State.CLOSED else BUFFER - len(self._out)

    def write(self, data: bytes) -> None:
        """Send `data`, at most `room` bytes, as the guest's window allows; `flush` starts it."""
        assert len(data) <= self.room
        self._out += data

    def consume(self, count: int) -> None:
        """Take the first `count` bytes of `received` away, which opens the window again."""
        self._ack_due |= self.window.consume(count, 2 * MSS)

    def close(self) -> None:
        """We shall send no more: FIN follows what was written. Receiving goes on."""
        self._closing = True

    def abort(self) -> None:
        """Break the connection with a RST."""
        if self.state not in (State.CLOSED, State.TIME_WAIT, State.SYN_SENT):
            self._emit(self.snd_max, RST | ACK)
        self._die(None)

    def _die(self, error: str | None) -> None:
        self.state, self.error, self._alarm = State.CLOSED, error, None
        self.window.forget()
        self._out.clear()

    # -- a segment arrives (RFC 9293 3.10.7) ------------------------------------------------

    def on_segment(self, segment: Segment) -> None:
        """Take a segment from the guest. What it leads to is sent by the next `flush`."""
        if self.state is State.SYN_SENT:
            self._on_answer(segment)
        elif self.state is not State.CLOSED:
            self._on_segment(segment)

    def _on_answer(self, segment: Segment) -> None:
        """A segment in SYN-SENT."""
        good_ack = segment.flags & ACK and segment.ack == self.snd_nxt
        if segment.flags & ACK and not good_ack:
            if not segment.flags & RST:
                self._refuse_ack(segment)
        elif segment.flags & RST:
            if good_ack:
                self._die("refused")
        elif segment.flags & SYN:
            self._take_syn(segment)
            if good_ack:
                self._establish(segment)
                self._ack_due = True
            else:  # both sides have opened at once
                self.state = State.SYN_RECEIVED
                self._send_syn()

    def _refuse_ack(self, segment: Segment) -> None:
        self.emit(Segment(self.local_port, self.remote_port, segment.ack, 0, RST, 0))

    def _establish(self, segment: Segment) -> None:
        self.state = State.ESTABLISHED
        self.snd_una = segment.ack
        self._attempts, self._timeout = 0, FIRST_TIMEOUT
        self._stop_timer()

    def _on_segment(self, segment: Segment) -> None:
        if not self.window.accepts(segment):
            self._on_stray(segment)
        elif segment.flags & RST:
            if segment.seq == self.window.nxt:  # otherwise it may be forged (RFC 5961 3.2)
                self._die("reset")
            else:
                self._ack_due = True
        elif segment.flags & SYN:  # RFC 5961 4.2
            self._ack_due = True
        elif segment.flags & ACK and self._on_ack(segment) and segment.length:
            if self.state in RECEIVING:
                self._on_data(segment)
            else:
                self._ack_due = True

    def _on_stray(self, segment: Segment) -> None:
        """A segment outside our window: tell the guest where we are."""
        if segment.flags & RST:
            return
        if self.state is State.SYN_RECEIVED and segment.flags & SYN:
            self._send_syn()
            return
        self._ack_due = True
        if segment.seq == self.window.nxt and segment.flags & ACK and self.is_open:
            self._on_ack(segment)  # our window is closed; its acknowledgement counts all the same

    def _on_data(self, segment: Segment) -> None:
        if not self.window.take(segment):
            self._acknowledge()  # one for each, since the guest counts them
            return
        self._ack_due = True
        if self.window.finished:
            self.state = AFTER_THEIR_FIN[self.state]
            if self.state is State.TIME_WAIT:
                self._alarm = self.clock() + QUIET

    def _on_ack(self, segment: Segment) -> bool:
        """Take the acknowledgement; False if it is for what was never sent."""
        if self.state is State.SYN_RECEIVED:
            if segment.ack != self.snd_max:
                self._refuse_ack(segment)
                return False
            self._establish(segment)
        newly = after(segment.ack, self.snd_una)
        if after(segment.ack, self.snd_max) > 0:
            self._ack_due = True
            return False
        if newly > 0:
            self._acknowledged(newly)
        elif newly == 0 and self.snd_max != self.snd_una and self._is_duplicate(segment):
            flight = after(self.snd_max, self.snd_una)
            if self.congestion.duplicate(flight, self.snd_max):
                self._repair()
        if after(segment.seq, self._window_seq) > 0 or (
            segment.seq == self._window_seq and after(segment.ack, self._window_ack) >= 0
        ):
            self._set_window(segment)
        return True

    def _is_duplicate(self, segment: Segment) -> bool:
        """Whether it says only what the guest has said before (RFC 5681 2)."""
        return not segment.length and segment.window << self._scale == self.snd_wnd

    def _acknowledged(self, count: int) -> None:
        gone = min(count, len(self._out))
        del self._out[:gone]
        self.snd_una = (self.snd_una + count) & MASK
        if after(self.snd_una, self.snd_nxt) > 0:  # of what was sent before going back
            self.snd_nxt = self.snd_una
        self._attempts, self._timeout = 0, FIRST_TIMEOUT
        self._stop_timer()
        if self.snd_una != self.snd_max:
            self._start_timer()
        if count > gone:  # the number more is our FIN's
            self.state = AFTER_ITS_ACK[self.state]
            if self.state is State.CLOSED:
                self._die(None)
            elif self.state is State.TIME_WAIT:
                self._alarm = self.clock() + QUIET
        if self.congestion.acknowledged(count, self.snd_una):
            self._repair()

    def _set_window(self, segment: Segment) -> None:
        opened = self.snd_wnd == 0
        self.snd_wnd = segment.window << (0 if segment.flags & SYN else self._scale)
        self._window_seq, self._window_ack = segment.seq, segment.ack
        if opened and self.snd_wnd and self.snd_una == self.snd_max and self.state in SENDING:
            self._stop_timer()  # no more probes

    # -- sending ----------------------------------------------------------------------------

    def flush(self) -> None:
        """Send what may be sent, and the acknowledgement that is due."""
        if self.state in SENDING:
            self._send_data()
        if self._ack_due and self.is_open:
            self._acknowledge()

    def _send_data(self) -> None:
        while True:
            offset = after(self.snd_nxt, self.snd_una)
            unsent = len(self._out) - offset
            allowed = min(self.snd_wnd, self.congestion.window) - offset
            size = min(unsent, self.mss, allowed)
            if size <= 0 or (size < min(unsent, self.mss) and offset):
                break  # a piece smaller than it could be waits for the next acknowledgement
            data = bytes(self._out[offset : offset + size])
            self._emit(self.snd_nxt, ACK | (PSH if size == unsent else 0), data)
            self._advance(size)
        if self._closing and unsent == 0 and offset < self.snd_wnd:  # it takes a number too
            sent_before = self.state not in AFTER_OUR_FIN
            if not sent_before:
                self.state = AFTER_OUR_FIN[self.state]
            if not sent_before or self.snd_nxt != self.snd_max:  # never, or lost
                self._emit(self.snd_nxt, FIN | ACK)
                self._advance(1)
        elif (unsent > 0 or self._closing) and self.snd_wnd == 0 and self._alarm is None:
            self._start_timer()  # to probe the window

    def _advance(self, count: int) -> None:
        self.retransmissions += self.snd_nxt != self.snd_max
        self.snd_nxt = (self.snd_nxt + count) & MASK
        if after(self.snd_nxt, self.snd_max) > 0:
            self.snd_max = self.snd_nxt
        if self._alarm is None:
            self._start_timer()

    def _repair(self) -> None:
        """Send the first segment again that is not acknowledged."""
        data = bytes(self._out[: min(self.mss, after(self.snd_max, self.snd_una))])
        if data:
            self._emit(self.snd_una, ACK, data)
        else:
            self._emit(self.snd_una, FIN | ACK)
        self.retransmissions += 1

    def _acknowledge(self) -> None:
        """Say only what has come in.

        The number is the highest: after going back, the guest would not look at a lower one.
        """
        self._emit(self.snd_max, ACK)

    def _emit(self, seq: int, flags: int, data: bytes = b"") -> None:
        """Send one segment, with the newest acknowledgement and window."""
        self._ack_due = False
        numbers = (self.local_port, self.remote_port, seq, self.window.nxt, flags)
        self.emit(Segment(*numbers, self.window.tell(), data))

    # -- timers -----------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do, by the clock; None if never."""
        return self._alarm

    def _start_timer(self) -> None:
        self._alarm = self.clock() + self._timeout

    def _stop_timer(self) -> None:
        self._alarm = None

    def tick(self) -> None:
        """Do what is due by the clock: send again, probe a closed window, end TIME-WAIT."""
        if self._alarm is None or self.clock() < self._alarm:
            return
        if self.state is State.TIME_WAIT:
            self._die(None)
            return
        self._timeout = min(2 * self._timeout, LONGEST_TIMEOUT)
        probing = self.is_open and self.snd_wnd == 0
        if not probing:  # a window may stay closed for ever
            self._attempts += 1
        if self._attempts >= ATTEMPTS:
            self.abort()
            self.error = "timeout"
        elif not self.is_open:
            self.retransmissions += 1
            self._send_syn()
        elif probing:
            self._start_timer()
            self._emit((self.snd_una - 1) & MASK, ACK)
        else:
            self._start_timer()
            self.congestion.timed_out(after(self.snd_max, self.snd_una))
            self.snd_nxt = self.snd_una
            self.flush()
