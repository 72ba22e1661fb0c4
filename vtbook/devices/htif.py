"""HTIF, the host-target interface of Spike: a program talks to the host through two words of RAM.

The program stores a command in the 64-bit word at its symbol ``tohost``; the host takes it, writes
zero there, and answers in the word at ``fromhost`` when that is zero. Source: Spike's front-end
server, ``fesvr/htif.cc``, ``device.cc`` and ``syscall.cc``.

```
 63      56 55      48 47                                            0
+----------+----------+-----------------------------------------------+
|  device  | command  |  payload                                      |
+----------+----------+-----------------------------------------------+
device 0, system proxy   command 0: payload odd: exit with code payload >> 1
                                    payload even: address of a request block, 8 words of 64 bits,
                                    number then arguments; the result replaces the number
device 1, console        command 0: read a byte, answered with 0x100 | byte
                         command 1: write the byte in the payload
```
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, ClassVar

from vtbook.devices import state
from vtbook.devices.bus import BusFault
from vtbook.devices.console import Console
from vtbook.devices.memory import Memory
from vtbook.devices.shutdown import Shutdown, is_shutdown

WORD = 8
REQUEST_WORDS = 8
WRITE_LIMIT = 1 << 20
"""A longer proxied write is cut to this length, as POSIX lets ``write`` do."""

SYS_WRITE, SYS_EXIT = 64, 93
IDENTIFY = 0xFF
IDENTITY_SIZE = 64
QUEUE_LIMIT = 1024
"""Commands that may wait for an answer to be picked up, or for typed input."""


class Htif:
    """The host's side of HTIF.

    It has no registers: the board calls `poll` when the program may have stored to ``tohost``.

    Args:
        memory: where the two words live.
        tohost: physical address of the command word.
        fromhost: physical address of the answer word; None if the program has none.
        console: where device 1 reads and writes, and proxied writes to files 1 and 2 go.
        on_shutdown: called with the request when the program exits.

    Attributes:
        request: the last `Shutdown`; the board reads it and sets it back to None. A command that
            the proxy cannot do is a request of kind ``error``, with a message.
    """

    STATE: ClassVar[dict[str, state.Check]] = {
        "answers": state.listing(state.uint(64), QUEUE_LIMIT),
        "reads": state.listing(state.uint(64), QUEUE_LIMIT),
        "request": state.optional(is_shutdown),
        "tohost": state.uint(64),
        "fromhost": state.optional(state.uint(64)),
    }

    def __init__(
        self,
        memory: Memory,
        tohost: int,
        fromhost: int | None = None,
        console: Console | None = None,
        on_shutdown: Callable[[Shutdown], None] | None = None,
    ) -> None:
        self.memory, self.tohost, self.fromhost = memory, tohost, fromhost
        self.console = Console() if console is None else console
        self.on_shutdown = on_shutdown
        self.request: Shutdown | None = None
        self.answers: list[int] = []
        """Answers that wait for ``fromhost`` to become zero."""
        self.reads: list[int] = []
        """Console reads that wait for typed input."""

    def poll(self) -> bool:
        """Take a command if there is one, then deliver an answer if there is room.

        Returns:
            Whether there was a command.
        """
        command = self._word(self.tohost)
        if command:
            self._store(self.tohost, 0)
            self._handle(command)
        while self.reads and self.console.waiting:
            self._answer(self.reads.pop(0), 0x100 | (self.console.take() or 0))
        if self.answers and self.fromhost is not None and self._word(self.fromhost) == 0:
            self._store(self.fromhost, self.answers.pop(0))
        return bool(command)

    def state(self) -> dict[str, Any]:
        """Everything but memory and console, as plain data."""
        return {
            "answers": list(self.answers),
            "reads": list(self.reads),
            "request": self.request and self.request.as_list(),
            "tohost": self.tohost,
            "fromhost": self.fromhost,
        }

    def load_state(self, saved: dict[str, Any]) -> None:
        """Go back to a state that `state` gave.

        Raises:
            DeviceStateError: `saved` is not such a state.
        """
        state.check_state("Htif", saved, self.STATE)
        self.answers, self.reads = list(saved["answers"]), list(saved["reads"])
        self.tohost, self.fromhost = saved["tohost"], saved["fromhost"]
        request = saved["request"]
        self.request = None if request is None else Shutdown.from_list(request)

    # -- commands ---------------------------------------------------------------------------

    def _handle(self, command: int) -> None:
        device, number, payload = command >> 56, command >> 48 & 0xFF, command & (1 << 48) - 1
        handler = self._HANDLERS.get((device, number))
        if handler is not None:
            handler(self, command, payload)
        elif number == IDENTIFY:
            self._identify(command, payload)
        else:
            self._refuse(f"device {device} has no command {number} (tohost = {command:#x})")

    def _proxy(self, command: int, payload: int) -> None:
        """Device 0 command 0: exit, or a system call described by a request block."""
        if payload & 1:
            self._shut_down(payload >> 1)
            return
        try:
            block = self.memory.read(payload, REQUEST_WORDS * WORD)
        except BusFault as fault:
            self._refuse(f"the request block cannot be read: {fault}")
            return
        number, *arguments = (
            int.from_bytes(block[at : at + WORD], "little") for at in range(0, len(block), WORD)
        )
        if number == SYS_WRITE:
            result = self._write(*arguments[:3])
        elif number == SYS_EXIT:
            self._shut_down(arguments[0] & 0xFFFF_FFFF)
            return
        else:
            self._refuse(
                f"system call {number} is not proxied, only write ({SYS_WRITE}) and exit "
                f"({SYS_EXIT}) are; link the program against a library for bare metal"
            )
            return
        self._store(payload, result)
        self._answer(command, 1)

    def _write(self, file: int, address: int, length: int) -> int:
        """The system call ``write``: bytes written, or a negative error number."""
        if file not in (1, 2):
            return -errno.EBADF
        try:
            data = self.memory.read(address, min(length, WRITE_LIMIT))
        except BusFault:
            return -errno.EFAULT
        self.console.write(data)
        return len(data)

    def _get_character(self, command: int, payload: int) -> None:
        """Device 1 command 0: answered when there is typed input."""
        self._queue(self.reads, command)

    def _put_character(self, command: int, payload: int) -> None:
        """Device 1 command 1: the byte goes to the console; there is no answer."""
        self.console.write(bytes([payload & 0xFF]))

    def _identify(self, command: int, payload: int) -> None:
        """Command 255: write a 64-byte name of the device, or of one of its commands."""
        device, what, address = command >> 56, payload & 0xFF, payload >> 8
        name = self._NAMES.get((device, what), "")
        try:
            self.memory.write(address, name.encode().ljust(IDENTITY_SIZE, b"\0"))
        except BusFault as fault:
            self._refuse(f"the name of device {device} cannot be written: {fault}")
            return
        self._answer(command, 1)

    _HANDLERS: ClassVar[dict[tuple[int, int], Callable[[Htif, int, int], None]]] = {
        (0, 0): _proxy,
        (1, 0): _get_character,
        (1, 1): _put_character,
    }
    _NAMES: ClassVar[dict[tuple[int, int], str]] = {
        (0, IDENTIFY): "syscall_proxy",
        (0, 0): "syscall",
        (1, IDENTIFY): "bcd",
        (1, 0): "read",
        (1, 1): "write",
    }

    # -- the two words ----------------------------------------------------------------------

    def _word(self, address: int) -> int:
        try:
            return int.from_bytes(self.memory.read(address, WORD), "little")
        except BusFault:
            return 0

    def _store(self, address: int, value: int) -> None:
        try:
            self.memory.write(address, (value & (1 << 64) - 1).to_bytes(WORD, "little"))
        except BusFault as fault:
            self._refuse(f"the answer cannot be stored: {fault}")

    def _answer(self, command: int, value: int) -> None:
        """Queue an answer: device and command of the request, and a 48-bit value."""
        if self.fromhost is not None:
            self._queue(self.answers, command >> 48 << 48 | value & (1 << 48) - 1)

    def _queue(self, queue: list[int], word: int) -> None:
        if len(queue) < QUEUE_LIMIT:
            queue.append(word)
        else:
            self._refuse(f"{QUEUE_LIMIT} commands wait; pick up the answers in fromhost")

    def _shut_down(self, code: int) -> None:
        self._request(Shutdown("fail" if code else "pass", code, source="htif"))

    def _refuse(self, message: str) -> None:
        self._request(Shutdown("error", 1, source="htif", message=message))

    def _request(self, request: Shutdown) -> None:
        self.request = request
        if self.on_shutdown is not None:
            self.on_shutdown(request)
