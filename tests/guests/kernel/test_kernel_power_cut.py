"""The kernel's disk after a power cut at any moment: QEMU logs each write and flush of a run."""

import random
import struct
import subprocess

import pytest

from tests.guests.kernel.on_qemu import TIMEOUT, boot, command, needs_qemu
from vtbook.guests.kernel import Disk, check, disk_image

pytestmark = needs_qemu

FLUSH, DISCARD = 1, 4  # flags of an entry of the log
SECTOR = 512
WORK = "tests several_at_once links directories large_file append"


@pytest.fixture(scope="module")
def writes(tmp_path_factory):
    """What the disk was asked for while the kernel worked: (place, bytes, flags), in order."""
    folder = tmp_path_factory.mktemp("disk")
    base, log = folder / "base", folder / "log"
    base.write_bytes(disk_image())
    log.write_bytes(b"")
    line = command(f'run="{WORK}; poweroff"')
    for name in ("base", "log"):
        line += ["-blockdev", f"driver=file,node-name={name},filename={folder / name}"]
    line += ["-blockdev", "driver=blklogwrites,node-name=disk,file=base,log=log"]
    line += ["-device", "virtio-blk-device,drive=disk"]
    done = subprocess.run(line, input=b"", capture_output=True, timeout=TIMEOUT, check=False)
    if b"blklogwrites" in done.stderr:
        pytest.skip("needs a QEMU that has the block driver blklogwrites")
    assert b"ALL TESTS PASSED" in done.stdout, done.stderr.decode()
    return read_log(log.read_bytes())


def read_log(log):
    """Entries of the log, in the format of Linux's dm-log-writes."""
    _, _, count, size = struct.unpack_from("<QQQI", log)
    at, entries = size, []
    for _ in range(count):
        sector, sectors, flags, _ = struct.unpack_from("<QQQQ", log, at)
        at += size
        data = b"" if flags & DISCARD else log[at : at + sectors * size]
        at += len(data)
        entries.append((sector * size, data, flags))
    return entries


def cuts(writes, chance, rng, *, heed_flushes=True):
    """Yield what may be on the disk after a power cut, at random moments.

    What was written before the last flush is there. Of what came after it, any sectors may be.
    """
    sure, since = bytearray(disk_image()), []
    for place, data, flags in writes:
        if flags & FLUSH and heed_flushes:
            for start, content in since:
                sure[start : start + len(content)] = content
            since = []
        if data:
            since.append((place, data))
        if rng.random() < chance:
            image = bytearray(sure)
            for start, content in since:
                for part in range(0, len(content), SECTOR):
                    if rng.random() < 0.5:
                        sector = content[part : part + SECTOR]
                        image[start + part : start + part + SECTOR] = sector
            yield bytes(image)


def test_the_disk_is_sound_after_a_cut_at_any_moment(writes):
    images = list(cuts(writes, 0.1, random.Random(1)))
    assert len(images) > 50
    assert any(Disk(image).replayed for image in images)
    for image in images:
        assert check(image) == []


def test_without_flushes_it_would_not_be(writes):
    images = cuts(writes[: len(writes) // 3], 0.05, random.Random(2), heed_flushes=False)
    assert any(check(image) for image in images)


def test_the_kernel_goes_on_after_a_cut(writes, tmp_path):
    images = list(cuts(writes, 0.1, random.Random(3)))
    for image in images[:: len(images) // 3]:
        path = tmp_path / "disk.img"
        path.write_bytes(image)
        before = Disk(image).files()
        boot("sync", disk=path)
        after = path.read_bytes()
        assert check(after) == []
        assert Disk(after).files() == before
        used = [n for n in range(1, Disk(after).super.inodes) if Disk(after).inode(n).type]
        assert all(Disk(after).inode(n).links for n in used)  # files without names are gone
