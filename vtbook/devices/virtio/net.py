"""The virtio network device (virtio 1.2, 5.1): an Ethernet card with one pair of queues.

A buffer of either queue begins with a header, then comes the frame::

    flags 8 | gso_type 8 | hdr_len 16 | gso_size 16 | csum_start 16 | csum_offset 16 | buffers 16

The last field is there with MRG_RXBUF or from version 1 on. The card sends frames of up to 1518
bytes, so the fields of segmentation are not used; it can fill in the checksum of what it sends.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from vtbook.devices import state
from vtbook.devices.network.ethernet import BROADCAST, HEADER, LONGEST, is_group, mac_bytes
from vtbook.devices.network.ip import checksum
from vtbook.devices.network.port import Port
from vtbook.devices.virtio.device import F_VERSION_1, VirtioDevice
from vtbook.devices.virtio.queue import Buffer, QueueError, Virtqueue

# Features (5.1.3)
F_CSUM, F_MAC, F_MRG_RXBUF, F_STATUS = 1 << 0, 1 << 5, 1 << 15, 1 << 16
F_CTRL_VQ, F_CTRL_RX, F_CTRL_RX_EXTRA, F_CTRL_MAC_ADDR = 1 << 17, 1 << 18, 1 << 20, 1 << 23

RECEIVE, TRANSMIT, CONTROL = 0, 1, 2
FRAME_HEADER = Struct("<BBHHHH")
NUM_BUFFERS = Struct("<H")
NEEDS_CSUM = 1
CONFIG = Struct("<6sHHH")
"""mac, status, max_virtqueue_pairs, mtu (5.1.4)."""
S_LINK_UP = 1

# The control queue (5.1.6.5): class and command, then data, then a place for the answer
RX, MAC = 0, 1
RX_MODES = ("promiscuous", "all_multicast", "all_unicast", "no_multicast", "no_unicast")
RX_MODES_ALL = (*RX_MODES, "no_broadcast")
FIRST_EXTRA_MODE = 2
MAC_TABLE_SET, MAC_ADDR_SET = 0, 1
OK, ERR = 0, 1

DEFAULT_MAC = "52:54:00:12:34:56"
BACKLOG_LIMIT = 256
"""Frames that wait for the driver to offer buffers."""
TABLE_LIMIT = 64
"""Addresses in each table of the filter; with more, all of that kind are let in, as on QEMU."""


def _frame(value: object) -> bool:
    return state.octets(value) and len(value) <= LONGEST  # type: ignore[arg-type]


def _mac(value: object) -> bool:
    return state.octets(value) and len(value) == 6  # type: ignore[arg-type]


class VirtioNet(VirtioDevice):
    """A network card behind `port`.

    Args:
        port: the cable; a new one unless given. `UserNetwork` and `Switch` have ``attach(port)``.
        mac: the card's address; the driver may change it.

    Attributes:
        address: the address now, six bytes.
        link_up: whether the cable is plugged in; `Port.set_link` changes it.
        backlog: frames that wait for buffers.
        taken: heads of buffers that were taken and are too few for the next frame.
        sent, received: frames; no part of the state, like the following.
        dropped: frames lost because no buffer could take them, or that were no frames.
        filtered: frames for others.
    """

    NAME = "network card"
    DEVICE_ID = 1
    QUEUES = ("receive", "transmit", "control")
    QUEUE_SIZE = 256
    STATE: ClassVar[dict[str, state.Check]] = {
        "address": _mac,
        "link_up": state.flag,
        "backlog": state.listing(_frame, BACKLOG_LIMIT),
        "taken": state.listing(state.uint(16), QUEUE_SIZE),
        "unicast": state.listing(_mac, TABLE_LIMIT),
        "multicast": state.listing(_mac, TABLE_LIMIT),
        "unicast_overflow": state.flag,
        "multicast_overflow": state.flag,
        **dict.fromkeys(RX_MODES_ALL, state.flag),
    }

    def __init__(self, port: Port | None = None, *, mac: str = DEFAULT_MAC) -> None:
        super().__init__()
        self.mac = mac_bytes(mac)
        self.port = Port() if port is None else port
        self.port.on_frame, self.port.on_link = self._on_frame, self._on_link
        self.port.can_receive = self._can_receive
        self.link_up = True
        self.power_on()
        self.reset()

    def power_on(self) -> None:
        """Count from 0; the cable is plugged in."""
        self.sent = self.received = self.dropped = self.filtered = 0
        self.link_up = True

    def reset(self) -> None:
        """Forget waiting frames, filters, and the address that the driver has set."""
        self.address = self.mac
        self.backlog: list[bytes] = []
        self.taken: list[int] = []
        self.unicast: list[bytes] = []
        self.multicast: list[bytes] = []
        self.unicast_overflow = self.multicast_overflow = False
        self.promiscuous = True  # until the driver says otherwise (5.1.6.5.1)
        self.all_multicast = self.all_unicast = False
        self.no_multicast = self.no_unicast = self.no_broadcast = False

    def queue_restarted(self, queue: Virtqueue) -> None:
        """What waited was for the buffers of before."""
        if queue.index == RECEIVE:
            self.backlog.clear()
            self.taken.clear()

    # -- features and configuration space ---------------------------------------------------

    def device_features(self) -> int:
        """Address, link status, merged buffers, checksums of what is sent, the control queue."""
        control = F_CTRL_VQ | F_CTRL_RX | F_CTRL_RX_EXTRA | F_CTRL_MAC_ADDR
        return F_CSUM | F_MAC | F_MRG_RXBUF | F_STATUS | control

    def accepts(self, features: int) -> bool:
        """What the control queue does needs the control queue (5.1.3.1)."""
        needs_control = F_CTRL_RX | F_CTRL_RX_EXTRA | F_CTRL_MAC_ADDR
        return bool(features & F_CTRL_VQ) or not features & needs_control

    def config(self) -> bytes:
        """struct virtio_net_config up to mtu."""
        return CONFIG.pack(self.address, S_LINK_UP if self.link_up else 0, 1, 0)

    def write_config(self, offset: int, data: bytes) -> None:
        """A driver of version 1 without CTRL_MAC_ADDR sets the address here (5.1.4.3)."""
        end = offset + len(data)
        if end <= 6 and not self.features & (F_VERSION_1 | F_CTRL_MAC_ADDR):
            self.address = self.address[:offset] + data + self.address[end:]

    def _on_link(self, up: bool) -> None:
        if up != self.link_up:
            self.link_up = up
            self.config_changed()

    @property
    def header_size(self) -> int:
        """Bytes before each frame (5.1.6.1)."""
        with_count = self.features & (F_VERSION_1 | F_MRG_RXBUF)
        return FRAME_HEADER.size + (NUM_BUFFERS.size if with_count else 0)

    # -- queues -----------------------------------------------------------------------------

    def handle(self, queue: Virtqueue) -> None:
        """Fill buffers with the frames that wait, send frames, or obey commands.

        Raises:
            QueueError: a buffer has no room for what it needs.
            BusFault: a part is not in RAM.
        """
        if queue.index == RECEIVE:
            self._deliver(queue)
            if self.port.waiting:
                self.port.wake()
        else:
            super().handle(queue)

    def serve(self, queue: Virtqueue, buffer: Buffer) -> None:
        """Send one frame, or obey one command.

        Raises:
            QueueError: the buffer is too short for its header, or for the answer.
            BusFault: a part is not in RAM.
        """
        if queue.index == TRANSMIT:
            self._send(buffer)
        else:
            self._obey(buffer)

    # -- sending ----------------------------------------------------------------------------

    def _send(self, buffer: Buffer) -> None:
        header = buffer.read(self.header_size)
        if len(header) < self.header_size:
            raise QueueError(f"{self.NAME}: buffer {buffer.head} has no room for a header")
        flags, segmentation, _, _, start, offset = FRAME_HEADER.unpack_from(header)
        if not HEADER <= buffer.readable_left <= LONGEST or segmentation or not self.link_up:
            self.dropped += 1
            return
        frame = buffer.read()
        if flags & NEEDS_CSUM and self.features & F_CSUM:
            frame = _with_checksum(frame, start, start + offset)
        self.sent += 1
        self.port.send(frame)

    # -- receiving --------------------------------------------------------------------------

    def _can_receive(self) -> bool:
        """Whether a frame would not be lost for want of buffers; further ones wait in the port."""
        return len(self.backlog) < BACKLOG_LIMIT

    def _on_frame(self, frame: bytes) -> None:
        """A frame arrives at the port."""
        if not HEADER <= len(frame) <= LONGEST or not self.link_up:
            self.dropped += 1
        elif not self._is_for_us(frame[:6]):
            self.filtered += 1
        elif len(self.backlog) >= BACKLOG_LIMIT or not (self.queues and self.queues[RECEIVE].ready):
            self.dropped += 1
        else:
            self.backlog.append(frame)
            self.service(RECEIVE)

    def _is_for_us(self, destination: bytes) -> bool:
        """The filter (5.1.6.5.1, 5.1.6.5.2)."""
        if self.promiscuous or not self.features & F_CTRL_RX:
            return True
        if destination == BROADCAST:
            return not self.no_broadcast
        if is_group(destination):
            everyone = self.all_multicast or self.multicast_overflow
            return not self.no_multicast and (everyone or destination in self.multicast)
        everyone = self.all_unicast or self.unicast_overflow
        known = destination == self.address or destination in self.unicast
        return not self.no_unicast and (everyone or known)

    def _deliver(self, queue: Virtqueue) -> None:
        """Put frames that wait into buffers, as long as there are enough (5.1.6.4)."""
        done = 0
        for frame in self.backlog:
            buffers = self._take(queue, self.header_size + len(frame))
            if buffers is None:
                break
            done += 1
            if not buffers:
                self.dropped += 1
                continue
            data = FRAME_HEADER.pack(0, 0, 0, 0, 0, 0)
            if self.header_size > len(data):
                data += NUM_BUFFERS.pack(len(buffers))
            data += frame
            for buffer in buffers:
                data = data[buffer.write(data) :]
                queue.push(buffer)
            self.received += 1
        del self.backlog[:done]

    def _take(self, queue: Virtqueue, size: int) -> list[Buffer] | None:
        """Buffers with room for `size` bytes; None: not yet; empty: it does not fit into one.

        What is taken and not enough is noted in `taken`, and used first the next time.
        """
        buffers = [queue.chain(head) for head in self.taken]
        self.taken = []
        while True:
            room = sum(buffer.writable_left for buffer in buffers)
            if room >= size:
                return buffers
            if buffers and not self.features & F_MRG_RXBUF:
                self.taken = [buffers[0].head]
                return []
            buffer = queue.pop()
            if buffer is None:
                self.taken = [buffer.head for buffer in buffers]
                return None
            if buffer.writable_left < self.header_size:
                raise QueueError(f"{self.NAME}: buffer {buffer.head} has no room to receive")
            buffers.append(buffer)

    # -- control ----------------------------------------------------------------------------

    def _obey(self, buffer: Buffer) -> None:
        if buffer.writable_left < 1:
            raise QueueError(f"{self.NAME}: command {buffer.head} has no place for the answer")
        command = buffer.read(2)
        data = buffer.read(4 + 6 * 1024)  # more than any command has
        done = len(command) == 2 and self._command(command[0], command[1], data)
        buffer.write(bytes((OK if done else ERR,)))

    def _command(self, group: int, command: int, data: bytes) -> bool:
        """Obey one command; False if it is not known, or not well formed."""
        if group == RX and self.features & F_CTRL_RX and command < len(RX_MODES_ALL):
            if command >= FIRST_EXTRA_MODE and not self.features & F_CTRL_RX_EXTRA:
                return False
            if len(data) != 1 or data[0] > 1:
                return False
            setattr(self, RX_MODES_ALL[command], data[0] == 1)
            return True
        if group != MAC:
            return False
        if command == MAC_ADDR_SET and self.features & F_CTRL_MAC_ADDR:
            if len(data) != 6:
                return False
            self.address = data
            return True
        return command == MAC_TABLE_SET and bool(self.features & F_CTRL_RX) and self._tables(data)

    def _tables(self, data: bytes) -> bool:
        """Take the two tables of addresses: a count of 32 bits, then so many, and once more."""
        tables = []
        for _ in range(2):
            size = 4 + 6 * int.from_bytes(data[:4], "little")
            if len(data) < max(size, 4):
                return False
            tables.append([data[at : at + 6] for at in range(4, size, 6)])
            data = data[size:]
        if data:
            return False
        self.unicast_overflow, self.multicast_overflow = (len(t) > TABLE_LIMIT for t in tables)
        self.unicast, self.multicast = (t if len(t) <= TABLE_LIMIT else [] for t in tables)
        return True


def _with_checksum(frame: bytes, start: int, place: int) -> bytes:
    """`frame` with the checksum of what follows `start` at `place` (5.1.6.2).

    The driver has put the sum of the pseudo header there. Numbers that lead outside change nothing.
    """
    if place + 2 > len(frame):
        return frame
    total = checksum(frame[start:]) or 0xFFFF  # UDP takes 0 for "none"; to TCP both are the same
    return frame[:place] + total.to_bytes(2, "big") + frame[place + 2 :]
