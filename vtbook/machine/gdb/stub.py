"""What each packet asks for, and the answer to it (gdb manual, E.2 "Packets").

`Stub.answer` takes a payload and returns the payload to send back, or what the server shall do: go
on (`Resume`), or let go of the machine (`Leave`). Error numbers are QEMU's: E14 for memory that is
not there, E22 for a request that makes no sense. An empty answer means "not known here".
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from xml.sax.saxutils import escape, quoteattr

from vtbook.errors import VtbookError
from vtbook.machine.gdb import monitor
from vtbook.machine.gdb.packets import PACKET_SIZE, BadPacket, number, octets
from vtbook.machine.gdb.registers import (
    CORE,
    EXPEDITED,
    Register,
    description,
    read_register,
    registers_of,
    write_register,
)
from vtbook.machine.gdb.target import Ended, Resume, Stop, Stopped, Target

OK, UNKNOWN, BAD_ADDRESS, BAD_REQUEST = b"OK", b"", b"E14", b"E22"
MOST_MEMORY = (PACKET_SIZE - 16) // 2
"""Bytes of memory that one answer can hold in hexadecimal."""


class Leave(Enum):
    """How gdb lets go: the machine runs on without it, or is ended."""

    DETACH = "detach"
    KILL = "kill"


Answer = bytes | Resume | Leave


class Stub:
    """One gdb's conversation about a machine.

    Attributes:
        target: the machine.
        no_ack: gdb wants no acknowledgements from now on.
        extended: the conversation goes on when the program has ended (``target extended-remote``).
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.no_ack = False
        self.extended = False
        self._known: set[bytes] = set()  # reasons of stops that gdb understands
        self._thread = 1  # the one that g, m and the like are about
        self._stepping = 1  # the one that s is about
        self._last: Stop = Stopped(5)
        isa = target.harts[0].isa
        self._registers = registers_of(isa)
        self._features = description(self._registers).encode()

    # -- answers ------------------------------------------------------------------------------

    def answer(self, packet: bytes) -> Answer:
        """The answer to one packet. Whatever the packet holds, it raises nothing."""
        try:
            return self._answer(packet)
        except BadPacket:
            return BAD_REQUEST
        except VtbookError:
            return BAD_ADDRESS

    def _answer(self, packet: bytes) -> Answer:
        for prefix, handler in _LONG:
            rest = packet[len(prefix) :]
            is_whole = not (prefix[-1:].isalpha() and rest[:1].isalpha())  # qC is not qCRC
            if packet.startswith(prefix) and is_whole:
                return handler(self, rest)
        one = _SHORT.get(packet[:1])
        return one(self, packet[1:]) if one is not None else UNKNOWN

    def stopped(self, stop: Stop) -> bytes:
        """The answer to a request to go on, now that the machine has stopped."""
        self._last = stop
        if isinstance(stop, Ended):
            return b"W%02x" % (stop.code & 0xFF)
        self._thread = self._stepping = stop.thread
        return self._stop_reply(stop)

    def _stop_reply(self, stop: Stopped) -> bytes:
        hart, text = self.target.hart(stop.thread), f"T{stop.signal:02x}"
        for n in EXPEDITED:
            value = read_register(hart, self._registers[n])
            assert value is not None
            text += f"{n:02x}:{value.hex()};"
        text += f"thread:{stop.thread:02x};"
        name = stop.reason.partition(":")[0]
        if name not in ("swbreak", "hwbreak") or name.encode() in self._known:
            text += f"{stop.reason};" if stop.reason else ""
        return text.encode()

    def _why(self, _: bytes) -> Answer:
        if isinstance(self._last, Ended):
            return b"W%02x" % (self._last.code & 0xFF)
        return self._stop_reply(self._last)

    # -- registers ----------------------------------------------------------------------------

    @property
    def _hart(self):
        return self.target.hart(self._thread)

    def _read_all(self, _: bytes) -> Answer:
        values = [read_register(self._hart, self._registers[n]) for n in CORE]
        return b"".join(value or b"" for value in values).hex().encode()

    def _write_all(self, rest: bytes) -> Answer:
        """Set x0 to pc from their bytes; what is missing at the end stays."""
        data = octets(rest)
        for n in CORE:
            piece = data[8 * n : 8 * n + 8]
            if len(piece) == 8 and not write_register(self._hart, self._registers[n], piece):
                return BAD_REQUEST
        return OK

    def _register(self, digits: bytes) -> Register:
        register = self._registers.get(number(digits))
        if register is None:
            raise BadPacket(f"there is no register {digits!r:.20}")
        return register

    def _read_one(self, rest: bytes) -> Answer:
        register = self._register(rest)
        value = read_register(self._hart, register)
        return b"xx" * (register.bits // 8) if value is None else value.hex().encode()

    def _write_one(self, rest: bytes) -> Answer:
        digits, _, value = rest.partition(b"=")
        done = write_register(self._hart, self._register(digits), octets(value))
        return OK if done else BAD_REQUEST

    # -- memory -------------------------------------------------------------------------------

    def _read_memory(self, rest: bytes) -> Answer:
        return self._read(rest).hex().encode()

    def _read_binary(self, rest: bytes) -> Answer:
        return b"b" + self._read(rest)

    def _read(self, rest: bytes) -> bytes:
        address, size = _span(rest)
        return self.target.read_memory(self._thread, address, min(size, MOST_MEMORY))

    def _write_memory(self, rest: bytes) -> Answer:
        where, _, digits = rest.partition(b":")
        return self._write(where, octets(digits))

    def _write_binary(self, rest: bytes) -> Answer:
        where, _, data = rest.partition(b":")
        return self._write(where, data)

    def _write(self, where: bytes, data: bytes) -> Answer:
        address, size = _span(where)
        if size != len(data):
            raise BadPacket(f"{len(data)} bytes, and the packet says {size}")
        self.target.write_memory(self._thread, address, data)
        return OK

    # -- stops --------------------------------------------------------------------------------

    def _insert(self, rest: bytes) -> Answer:
        stop = _stop(rest)
        if stop is None:
            return UNKNOWN
        self.target.insert(*stop)
        return OK

    def _remove(self, rest: bytes) -> Answer:
        stop = _stop(rest)
        if stop is None:
            return UNKNOWN
        return OK if self.target.remove(*stop) else BAD_REQUEST

    # -- going on -----------------------------------------------------------------------------

    def _continue(self, rest: bytes) -> Answer:
        self._jump(rest)
        return Resume("run", self._stepping)

    def _step(self, rest: bytes) -> Answer:
        self._jump(rest)
        return Resume("step", self._stepping, alone=True)

    def _continue_with_signal(self, rest: bytes) -> Answer:
        _, _, address = rest.partition(b";")
        return self._continue(address)

    def _step_with_signal(self, rest: bytes) -> Answer:
        _, _, address = rest.partition(b";")
        return self._step(address)

    def _jump(self, digits: bytes) -> None:
        if digits:
            data = number(digits).to_bytes(8, "little")
            hart = self.target.hart(self._stepping)
            if not write_register(hart, self._registers[32], data):
                raise BadPacket(f"no instruction can be at {digits!r}")

    def _actions(self, rest: bytes) -> Answer:
        """``vCont``: the first action for each thread counts; one thread steps, or all run."""
        if rest == b"?":
            return b"vCont;c;C;s;S;t;r"
        if not rest.startswith(b";"):
            return BAD_REQUEST
        chosen: dict[int, tuple[bytes, bytes]] = {}
        for action in rest[1:].split(b";"):
            verb, _, who = action.partition(b":")
            command = _action(verb)
            for thread in self._threads(who or b"-1"):
                chosen.setdefault(thread, command)
        alone = sum(letter != b"t" for letter, _ in chosen.values()) == 1
        for thread, (letter, span) in sorted(chosen.items()):
            if letter == b"s":
                return Resume("step", thread, alone=alone)
            if letter == b"r":
                first, _, end = span.partition(b",")
                return Resume("range", thread, number(first), number(end), alone)
        for thread, (letter, _) in sorted(chosen.items()):
            if letter == b"c":
                return Resume("run", thread, alone=alone)
        return self._stop_reply(Stopped(0, thread=self._thread))  # all are to stand still

    def _backwards(self, rest: bytes) -> Answer:
        if not self.target.has_past or rest not in (b"s", b"c"):
            return BAD_REQUEST if self.target.has_past else UNKNOWN
        return Resume("step back" if rest == b"s" else "back", self._stepping)

    def _detach(self, _: bytes) -> Answer:
        return Leave.DETACH

    def _kill(self, _: bytes) -> Answer:
        return Leave.KILL

    def _restart(self, _: bytes) -> Answer:
        self.target.restart()
        return self.stopped(Stopped(5))

    def _be_extended(self, _: bytes) -> Answer:
        self.extended = True
        return OK

    # -- threads ------------------------------------------------------------------------------

    def _threads(self, digits: bytes) -> list[int]:
        """The threads that a thread id means: -1 is all, 0 any."""
        threads = self.target.threads
        if digits == b"-1":
            return list(threads)
        thread = number(digits)
        if thread == 0:
            return [self._thread]
        if thread not in threads:
            raise BadPacket(f"there is no thread {thread}")
        return [thread]

    def _choose(self, rest: bytes) -> Answer:
        thread = self._threads(rest[1:])
        if rest[:1] == b"g":
            self._thread = thread[0]
        elif rest[:1] == b"c":
            self._stepping = thread[0] if len(thread) == 1 else self._thread
        else:
            return UNKNOWN
        return OK

    def _is_alive(self, rest: bytes) -> Answer:
        self._threads(rest)
        return OK

    def _list_threads(self, _: bytes) -> Answer:
        return b"m" + b",".join(b"%02x" % thread for thread in self.target.threads)

    def _describe_thread(self, rest: bytes) -> Answer:
        return self.target.describe(self._threads(rest)[0]).encode().hex().encode()

    def _current_thread(self, _: bytes) -> Answer:
        return b"QC%02x" % self._thread

    # -- what the stub can do -----------------------------------------------------------------

    def _supported(self, rest: bytes) -> Answer:
        asked = rest.removeprefix(b":").split(b";")
        self._known = {one[:-1] for one in asked if one.endswith(b"+")}
        features = [
            f"PacketSize={PACKET_SIZE:x}",
            "QStartNoAckMode+",
            "qXfer:features:read+",
            "qXfer:threads:read+",
            "swbreak+",
            "hwbreak+",
            "vContSupported+",
            "binary-upload+",
        ]
        if self.target.has_past:
            features += ["ReverseStep+", "ReverseContinue+"]
        return ";".join(features).encode()

    def _no_acknowledgements(self, _: bytes) -> Answer:
        self.no_ack = True
        return OK

    def _transfer_features(self, rest: bytes) -> Answer:
        annex, _, span = rest.partition(b":")
        return _part(self._features, span) if annex == b"target.xml" else b"E00"

    def _transfer_threads(self, rest: bytes) -> Answer:
        lines = ['<?xml version="1.0"?>', "<threads>"]
        for thread in self.target.threads:
            name = quoteattr(f"hart {self.target.hart(thread).mhartid}")
            text = escape(self.target.describe(thread))
            lines.append(f'<thread id="{thread:x}" core="{thread - 1}" name={name}>{text}</thread>')
        return _part("\n".join([*lines, "</threads>", ""]).encode(), rest.removeprefix(b":"))

    def _monitor(self, rest: bytes) -> Answer:
        """A command of the reader's; the answer is its text."""
        text = monitor.run(self.target, self._thread, octets(rest).decode("utf-8", "replace"))
        return text.encode("utf-8", "replace")[:MOST_MEMORY].hex().encode() or OK


def _span(text: bytes) -> tuple[int, int]:
    """``address,size``."""
    address, comma, size = text.partition(b",")
    if not comma:
        raise BadPacket("no size is given")
    return number(address), number(size)


def _stop(text: bytes) -> tuple[int, int, int] | None:
    """``type,address,size`` of a Z packet, conditions left out; None if the type is not known."""
    kind, _, where = text.partition(b",")
    address, size = _span(where.partition(b";")[0])
    return (int(kind), address, size) if kind in (b"0", b"1", b"2", b"3", b"4") else None


def _action(verb: bytes) -> tuple[bytes, bytes]:
    """An action of ``vCont``: its letter in lower case, and the range of ``r``."""
    letter, rest = verb[:1], verb[1:]
    if letter in (b"C", b"S"):
        number(rest)
    elif letter == b"r":
        first, _, end = rest.partition(b",")
        number(first), number(end)
    elif rest or letter not in (b"c", b"s", b"t"):
        raise BadPacket(f"there is no action {verb!r:.20}")
    return letter.lower(), rest


def _part(data: bytes, span: bytes) -> bytes:
    """A piece of a text: ``l`` and the last of it, or ``m`` and some that is not the last."""
    offset, size = _span(span)
    piece, left = data[offset : offset + min(size, MOST_MEMORY)], len(data) - offset - size
    return (b"m" if left > 0 or len(piece) < min(size, len(data) - offset) else b"l") + piece


def _say(reply: bytes) -> Callable[[Stub, bytes], Answer]:
    return lambda stub, rest: reply


_LONG: tuple[tuple[bytes, Callable[[Stub, bytes], Answer]], ...] = (
    (b"qSupported", Stub._supported),
    (b"QStartNoAckMode", Stub._no_acknowledgements),
    (b"qXfer:features:read:", Stub._transfer_features),
    (b"qXfer:threads:read:", Stub._transfer_threads),
    (b"qRcmd,", Stub._monitor),
    (b"qfThreadInfo", Stub._list_threads),
    (b"qsThreadInfo", _say(b"l")),
    (b"qThreadExtraInfo,", Stub._describe_thread),
    (b"qAttached", _say(b"1")),
    (b"qOffsets", _say(b"Text=0;Data=0;Bss=0")),
    (b"qSymbol:", _say(OK)),
    (b"qC", Stub._current_thread),
    (b"vCont", Stub._actions),
    (b"vKill", Stub._kill),
    (b"vRun", Stub._restart),
)
"""Packets with a name; the first whose beginning fits."""

_SHORT: dict[bytes, Callable[[Stub, bytes], Answer]] = {
    b"?": Stub._why,
    b"g": Stub._read_all,
    b"G": Stub._write_all,
    b"p": Stub._read_one,
    b"P": Stub._write_one,
    b"m": Stub._read_memory,
    b"M": Stub._write_memory,
    b"x": Stub._read_binary,
    b"X": Stub._write_binary,
    b"Z": Stub._insert,
    b"z": Stub._remove,
    b"c": Stub._continue,
    b"C": Stub._continue_with_signal,
    b"s": Stub._step,
    b"S": Stub._step_with_signal,
    b"b": Stub._backwards,
    b"D": Stub._detach,
    b"k": Stub._kill,
    b"R": Stub._restart,
    b"!": Stub._be_extended,
    b"H": Stub._choose,
    b"T": Stub._is_alive,
}
"""Packets of one letter. All other packets, ``vMustReplyEmpty`` among them, are not known here."""
