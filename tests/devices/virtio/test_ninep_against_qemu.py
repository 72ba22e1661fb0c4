"""The shared folder against QEMU's: the same messages, and the same folder in the end."""

import errno
import os
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.qtest import needs_qemu
from tests.devices.virtio import driver as d
from tests.devices.virtio.qemu import QemuBoard
from tests.devices.virtio.test_ninep import (
    BOTH,
    EXCLUSIVE,
    READ,
    ROOT,
    TRUNCATE,
    WRITE,
    Client,
    create_body,
    name,
    walk_body,
)

FUZZ = int(os.environ.get("VTBOOK_FUZZ", "1"))
pytestmark = [
    needs_qemu,
    pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="needs Linux or macOS"),
]


@pytest.fixture(scope="module")
def qemu():
    with tempfile.TemporaryDirectory() as place:
        shared = Path(place) / "shared"
        shared.mkdir()
        share = f"local,id=share,path={shared},security_model=none"
        device = "virtio-9p-device,bus=virtio-mmio-bus.0,fsdev=share,mount_tag=share"
        board = QemuBoard(["-fsdev", share, "-device", device])
        try:
            driver = d.Driver(board, queues=1)
        except (AssertionError, BrokenPipeError):
            board.close()
            pytest.skip("needs a QEMU with shared folders (virtfs)")
        driver.shared = shared
        yield driver
        board.close()


def fill(folder):
    folder.chmod(0o755)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "f").write_bytes(b"first")
    (folder / "a" / "g").write_bytes(bytes(range(200)))


def contents(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = path.stat().st_mode, data
    return found


FIDS, NAMES = st.integers(1, 3), st.sampled_from([b"a", b"b", b"f", b"g", b"new", b"other"])
ANY_FID = st.integers(0, 3)
FLAGS = st.sampled_from([READ, WRITE, BOTH, BOTH | TRUNCATE])
MODES = st.sampled_from([0o644, 0o600, 0o755])
MESSAGES = st.one_of(
    st.tuples(
        st.just("walk"), ANY_FID, FIDS, st.lists(st.one_of(NAMES, st.just(b"..")), max_size=3)
    ),
    st.tuples(st.just("walk"), st.just(ROOT), FIDS, st.sampled_from([[b"f"], [b"a", b"g"], []])),
    st.tuples(st.just("open"), FIDS, FLAGS),
    st.tuples(st.just("create"), FIDS, NAMES, st.just(BOTH | EXCLUSIVE), MODES),
    st.tuples(st.just("read"), FIDS, st.integers(0, 220), st.integers(0, 300)),
    st.tuples(st.just("write"), FIDS, st.integers(0, 220), st.binary(min_size=1, max_size=30)),
    st.tuples(st.just("list"), FIDS),
    st.tuples(st.just("attributes"), ANY_FID),
    st.tuples(st.just("resize"), FIDS, st.integers(0, 300)),
    st.tuples(st.just("mkdir"), ANY_FID, NAMES, MODES),
    st.tuples(st.just("move"), ANY_FID, NAMES, ANY_FID, NAMES),
    st.tuples(st.just("remove"), ANY_FID, NAMES, st.sampled_from([0, 0x200])),
    st.tuples(st.just("clunk"), FIDS),
)


def do(client, what, fid, *rest):
    """Send one message; return what both servers must agree on."""
    number = struct.pack("<I", fid)
    if what == "walk":
        kind, answer = client.message(110, walk_body(fid, *rest))
        types = [answer[2 + 13 * i] for i in range(len(answer) // 13)] if kind == 111 else answer
        return kind, types
    if what == "open":
        kind, answer = client.message(12, struct.pack("<II", fid, *rest))
        return kind, answer[0] if kind == 13 else answer
    if what == "create":
        kind, answer = client.message(14, create_body(fid, *rest))
        return kind, answer[0] if kind == 15 else answer
    if what == "read":
        return client.message(116, struct.pack("<IQI", fid, *rest))
    if what == "write":
        offset, data = rest
        return client.message(118, struct.pack("<IQI", fid, offset, len(data)) + data)
    if what == "list":
        kind, answer = client.message(40, struct.pack("<IQI", fid, 0, 4096))
        if kind == 41:  # QEMU leaves the type out of the qid
            return kind, sorted((what, kind) for what, _, kind in client.listing(fid))
        return kind, answer
    if what == "attributes":
        kind, answer = client.message(24, struct.pack("<IQ", fid, 0x7FF))
        if kind != 25:
            return kind, answer
        (mode,) = struct.unpack_from("<I", answer, 21)
        links, _, size = struct.unpack_from("<QQQ", answer, 33)
        return kind, mode, links, size if mode & 0o100000 else None
    if what == "resize":
        return client.message(26, struct.pack("<IIIIIQ4Q", fid, 8, 0, 0, 0, *rest, 0, 0, 0, 0))
    if what == "mkdir":
        made, mode = rest
        kind, answer = client.message(72, number + name(made) + struct.pack("<II", mode, 0))
        return kind, answer[0] if kind == 73 else answer
    if what == "move":
        old, to, new = rest
        return client.message(74, number + name(old) + struct.pack("<I", to) + name(new))
    if what == "remove":
        gone, flags = rest
        return client.message(76, number + name(gone) + struct.pack("<I", flags))
    return client.message(120, number)


EXACT = [(7, struct.pack("<I", number)) for number in (errno.EEXIST, errno.ENOTEMPTY)]


def alike(ours, theirs):
    """Of the numbers of errors some must agree; others depend on QEMU's way of doing things."""
    if ours in EXACT or theirs in EXACT:
        return ours == theirs
    return ours == theirs or ours[0] == theirs[0] == 7


def as_a_client_would(client, message):
    """QEMU lets directories be opened for writing; no client does so."""
    if message[0] == "open":
        answer = do(client, "attributes", message[1])
        if answer[0] == 25 and answer[1] & 0o40000:
            return *message[:2], READ
    return message


@given(st.lists(MESSAGES, min_size=5, max_size=25))
@settings(max_examples=50 * FUZZ)
def test_the_same_messages_are_answered_alike(qemu, messages):
    with tempfile.TemporaryDirectory() as place:
        ours = Path(place)
        for folder in (ours, qemu.shared):
            fill(folder)
        clients = [Client(ours), Client(driver=qemu)]
        for asked in messages:
            message = as_a_client_would(clients[0], asked)
            assert alike(*(do(client, *message) for client in clients)), message
        assert contents(ours) == contents(qemu.shared)
        clients[0].device.close()
