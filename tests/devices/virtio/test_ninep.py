"""The shared folder: 9P2000.L through a client of our own, and guests that want out of it."""

import errno
import os
import stat
import struct
import sys

import pytest

from tests.devices.virtio import driver as d
from vtbook.devices import DeviceStateError
from vtbook.devices.virtio import Virtio9P, ninep
from vtbook.devices.virtio import ninep_server as p9
from vtbook.devices.virtio.folder import Folder, FolderError
from vtbook.errors import VtbookError

pytestmark = pytest.mark.skipif(
    os.open not in os.supports_dir_fd, reason="needs Linux or macOS: opening in a directory"
)
READ, WRITE, BOTH, CREATE, EXCLUSIVE, TRUNCATE = 0, 1, 2, 0o100, 0o200, 0o1000
ROOT = 0


class Client:
    """Speaks 9P2000.L over a device's queue: ours that shares `path`, or one that `driver` drives.

    `ok` wants an answer, `fails` an error number.
    """

    def __init__(self, path=None, *, driver=None, attach=True, **options):
        if driver is None:
            self.device = Virtio9P(path, **options)
            driver = d.Driver(d.Board(self.device), features=~0)
        self.driver = driver
        if attach:
            self.ok(100, struct.pack("<I", 65536) + name(b"9P2000.L"))
            self.ok(
                104, struct.pack("<II", ROOT, 0xFFFFFFFF) + name(b"root") + name(b"") + bytes(4)
            )

    def message(self, kind, body=b"", room=8192):
        request = struct.pack("<IBH", 7 + len(body), kind, 77) + body
        length, answer = self.driver.rings[0].request([request], [room])
        size, kind, tag = struct.unpack_from("<IBH", answer)
        assert (size, tag) == (length, 77)
        return kind, answer[7:]

    def ok(self, kind, body=b"", **options):
        got, answer = self.message(kind, body, **options)
        assert got == kind + 1, f"error {struct.unpack_from('<I', answer)[0]}"
        return answer

    def fails(self, kind, body=b""):
        got, answer = self.message(kind, body)
        assert got == 7, "an error was expected"
        return errno.errorcode[struct.unpack("<I", answer)[0]]

    def walk(self, new, *names, fid=ROOT):
        return self.ok(110, walk_body(fid, new, names))

    def open(self, fid, flags=READ):
        return self.ok(12, struct.pack("<II", fid, flags))

    def create(self, fid, what, flags=BOTH, mode=0o644):
        """Make a file in the root; `fid` is then that file."""
        self.walk(fid)
        self.ok(14, create_body(fid, what, flags, mode))

    def read(self, fid, offset=0, count=4096):
        answer = self.ok(116, struct.pack("<IQI", fid, offset, count))
        assert struct.unpack_from("<I", answer)[0] == len(answer) - 4
        return answer[4:]

    def write(self, fid, data, offset=0):
        answer = self.ok(118, struct.pack("<IQI", fid, offset, len(data)) + data)
        return struct.unpack("<I", answer)[0]

    def listing(self, fid, count=4096):
        found, offset = [], 0
        while True:
            answer = self.ok(40, struct.pack("<IQI", fid, offset, count))[4:]
            if not answer:
                return found
            while answer:
                offset, kind, size = struct.unpack_from("<QBH", answer, 13)
                found.append((answer[24 : 24 + size], answer[0], kind))
                answer = answer[24 + size :]

    def attributes(self, fid):
        answer = self.ok(24, struct.pack("<IQ", fid, 0x7FF))
        mode, uid, gid = struct.unpack_from("<III", answer, 21)
        links, _, size = struct.unpack_from("<QQQ", answer, 33)
        mtime = struct.unpack_from("<QQ", answer, 33 + 40 + 16)
        return {"mode": mode, "owner": (uid, gid), "links": links, "size": size, "mtime": mtime}


def name(text):
    return struct.pack("<H", len(text)) + text


def walk_body(fid, new, names):
    return struct.pack("<IIH", fid, new, len(names)) + b"".join(map(name, names))


def create_body(fid, what, flags=BOTH, mode=0o644):
    return struct.pack("<I", fid) + name(what) + struct.pack("<III", flags | CREATE, mode, 0)


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "shared"
    (inside / "sub" / "deep").mkdir(parents=True)
    (inside / "hello.txt").write_bytes(b"hello, guest\n")
    (inside / "sub" / "two").write_bytes(b"2" * 5000)
    (tmp_path / "secret").write_bytes(b"not for guests")
    return inside


@pytest.fixture
def client(folder):
    made = Client(folder)
    yield made
    made.device.close()


# -- what a guest wants -------------------------------------------------------------------------


def test_the_tag_is_in_the_configuration_space(folder):
    client = Client(folder, tag="my-files")
    assert client.driver.read(d.DEVICE_ID) == 9
    assert client.driver.config(0, 2) == 8
    assert bytes(client.driver.config(2 + i, 1) for i in range(8)) == b"my-files"


def test_another_version_is_not_spoken(folder):
    client = Client(folder, attach=False)
    answer = client.ok(100, struct.pack("<I", 10**6) + name(b"9P2000.u"))
    assert answer == struct.pack("<I", p9.MESSAGE_MAX) + name(b"unknown")


def test_a_file_is_read(client):
    client.walk(1, b"hello.txt")
    client.open(1)
    assert client.read(1) == b"hello, guest\n"
    assert client.read(1, 7, 3) == b"gue"
    assert client.read(1, 100) == b""
    client.ok(120, struct.pack("<I", 1))
    assert client.fails(116, struct.pack("<IQI", 1, 0, 10)) == "EBADF"


def test_a_read_is_as_long_as_there_is_room(client):
    client.walk(1, b"sub", b"two")
    client.open(1)
    answer = client.ok(116, struct.pack("<IQI", 1, 0, 5000), room=111)
    assert answer[4:] == b"2" * 100


def test_files_are_written(client, folder):
    client.create(1, b"new")
    assert client.write(1, b"abcdef") == 6
    assert client.write(1, b"XY", 2) == 2
    assert client.read(1) == b"abXYef"
    client.ok(50, struct.pack("<II", 1, 0))
    assert (folder / "new").read_bytes() == b"abXYef"
    client.walk(2, b"new")
    client.open(2, WRITE | TRUNCATE)
    assert (folder / "new").read_bytes() == b""


def test_a_file_that_is_there_is_not_made_again(client, folder):
    client.walk(1)
    assert client.fails(14, create_body(1, b"hello.txt", BOTH | EXCLUSIVE)) == "EEXIST"
    client.ok(14, create_body(1, b"hello.txt"))
    assert client.read(1) == b"hello, guest\n"


def test_directories_are_listed_in_order_and_in_pieces(client, folder):
    for n in range(30):
        (folder / f"file{n:02}").touch()
    client.walk(1)
    client.open(1)
    listed = client.listing(1)
    assert [entry[0] for entry in listed[:3]] == [b".", b"..", b"file00"]
    assert [entry[0] for entry in listed[2:]] == sorted(os.listdir(os.fsencode(folder)))
    assert (b"sub", 0x80, stat.S_IFDIR >> 12) in listed
    assert (b"hello.txt", 0, stat.S_IFREG >> 12) in listed
    assert client.listing(1, count=100) == listed


def test_attributes(client, folder):
    client.walk(1, b"sub", b"two")
    found = client.attributes(1)
    assert (found["size"], found["owner"]) == (5000, (0, 0))
    assert stat.S_ISREG(found["mode"])
    times = (11, 22, 33, 44)
    body = struct.pack("<IIIIIQ4Q", 1, 1 | 8 | 16 | 32 | 128 | 256, 0o4640, 0, 0, 17, *times)
    client.ok(26, body)
    found = client.attributes(1)
    assert found["size"] == 17
    assert found["mtime"] == (33, 44)
    assert stat.S_IMODE(found["mode"]) == 0o640, "no set-user-id"
    client.ok(26, struct.pack("<IIIIIQ4Q", 1, 32, 0, 0, 0, 0, *times))
    assert client.attributes(1)["mtime"][0] > 10**9, "set to now"


def test_directories_are_made_and_removed(client, folder):
    body = struct.pack("<I", ROOT) + name(b"made") + struct.pack("<II", 0o755, 0)
    assert client.ok(72, body)[0] == 0x80
    assert client.fails(72, body) == "EEXIST"
    (folder / "made" / "x").touch()
    remove = struct.pack("<I", ROOT) + name(b"made") + struct.pack("<I", 0x200)
    assert client.fails(76, remove) == "ENOTEMPTY"
    client.walk(1, b"made")
    client.ok(76, struct.pack("<I", 1) + name(b"x") + bytes(4))
    client.ok(76, remove)
    assert not (folder / "made").exists()


def test_a_move_takes_open_names_along(client, folder):
    client.walk(1, b"sub", b"two")
    client.walk(2, b"sub")
    client.ok(74, struct.pack("<I", ROOT) + name(b"sub") + struct.pack("<I", ROOT) + name(b"other"))
    assert (folder / "other" / "two").exists()
    client.open(1)
    assert client.read(1, 0, 2) == b"22"
    client.walk(3, b"deep", fid=2)


def test_a_walk_stops_where_nothing_is(client):
    assert client.fails(110, walk_body(ROOT, 1, [b"nothing"])) == "ENOENT"
    answer = client.walk(1, b"sub", b"nothing")
    assert struct.unpack_from("<H", answer)[0] == 1
    assert client.fails(24, struct.pack("<IQ", 1, 0)) == "EBADF", "no new name came of it"
    answer = client.walk(1, b"sub", b"deep")
    assert (len(answer), answer[2], answer[15]) == (2 + 26, 0x80, 0x80)
    assert client.fails(110, walk_body(ROOT, 1, [b"sub"])) == "EINVAL", "the name is in use"
    answer = client.walk(2, b"hello.txt", b"x")
    assert answer[:2] == b"\1\0", "a file has nothing in it"


def test_what_there_is_not_is_refused(client):
    for kind in (16, 18, 30, 32, 70, 102, 0, 255):
        assert client.fails(kind, bytes(64)) in ("EOPNOTSUPP", "ENOTSUP")
    client.ok(108, bytes(2))
    assert client.ok(52, bytes(40)) == b"\0"


def test_the_space_of_the_host_is_told(client):
    answer = client.ok(8, struct.pack("<I", ROOT))
    kind, block, blocks = struct.unpack_from("<IIQ", answer)
    assert (len(answer), kind) == (60, 0x01021997)
    assert block * blocks > 0


# -- read-only ----------------------------------------------------------------------------------


def test_a_folder_shared_read_only_does_not_change(folder):
    client = Client(folder, read_only=True)
    client.walk(1, b"hello.txt")
    client.walk(2)
    assert client.fails(12, struct.pack("<II", 1, WRITE)) == "EROFS"
    assert client.fails(12, struct.pack("<II", 1, TRUNCATE)) == "EROFS"
    assert client.fails(14, create_body(2, b"x")) == "EROFS"
    root = struct.pack("<I", ROOT)
    assert client.fails(72, root + name(b"x") + bytes(8)) == "EROFS"
    assert client.fails(76, root + name(b"hello.txt") + bytes(4)) == "EROFS"
    assert client.fails(74, root + name(b"sub") + root + name(b"x")) == "EROFS"
    assert client.fails(26, struct.pack("<IIIIIQ4Q", 1, 8, *[0] * 8)) == "EROFS"
    client.open(1)
    assert client.read(1) == b"hello, guest\n"
    assert sorted(os.listdir(folder)) == ["hello.txt", "sub"]


# -- the way out --------------------------------------------------------------------------------

HOSTILE = [b"", b".", b"/", b"/etc", b"../secret", b"sub/../../secret", b"a\0b", b"..\0", b"sub/"]


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_names_are_refused_everywhere(client, folder, what):
    root = struct.pack("<I", ROOT)
    client.walk(1)
    before = sorted(folder.parent.rglob("*"))
    for kind, body in (
        (110, walk_body(ROOT, 9, [what])),
        (110, walk_body(ROOT, 9, [b"sub", b"..", what])),
        (14, create_body(1, what)),
        (72, root + name(what) + bytes(8)),
        (76, root + name(what) + bytes(4)),
        (76, root + name(what) + struct.pack("<I", 0x200)),
        (74, root + name(b"hello.txt") + root + name(what)),
        (74, root + name(what) + root + name(b"x")),
    ):
        assert client.fails(kind, body) == "EINVAL"
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", [14, 72, 76, 74])
def test_dot_dot_is_only_for_walking(client, kind):
    root = struct.pack("<I", ROOT)
    client.walk(1)
    body = {14: create_body(1, b".."), 74: root + name(b"..") + root + name(b"x")}
    assert client.fails(kind, body.get(kind, root + name(b"..") + bytes(8))) == "EINVAL"


def test_above_the_folder_is_the_folder(client, folder):
    root = client.walk(1)
    assert root == b"\0\0"
    qids = client.walk(2, b"..", b"..", b"sub", b"..")[2:]
    assert qids[:13] == qids[13:26] == qids[39:52]
    assert client.walk(3, b"..", b"secret")[:2] == b"\1\0", "the walk stops there"
    client.open(2)
    assert b"secret" not in [entry[0] for entry in client.listing(2)]


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "..", "/", "hello.txt", "sub"])
def test_symbolic_links_are_not_followed(client, folder, target):
    (folder / "link").symlink_to(target)
    client.walk(1, b"link")
    assert client.ok(22, struct.pack("<I", 1)) == name(target.encode()), "it can be read"
    assert client.fails(12, struct.pack("<II", 1, READ)) == "ELOOP"
    assert client.fails(26, struct.pack("<IIIIIQ4Q", 1, 8, *[0] * 8)) == "ELOOP"
    client.walk(2)
    assert client.fails(14, create_body(2, b"link")) == "ELOOP"
    kind, answer = client.message(110, walk_body(ROOT, 3, [b"link", b"passwd"]))
    assert (kind, answer[:2]) == (111, b"\1\0"), "the walk stops at the link"
    assert (folder.parent / "secret").read_bytes() == b"not for guests"


def test_a_directory_that_becomes_a_link_leads_nowhere(client, folder):
    client.walk(1, b"sub")
    client.walk(2, b"sub", b"two")
    (folder / "sub").rename(folder / "moved")
    (folder / "sub").symlink_to("..")
    (folder.parent / "two").write_bytes(b"not for guests")
    for kind, body in (
        (12, struct.pack("<II", 2, READ)),
        (24, struct.pack("<IQ", 2, 0)),
        (110, walk_body(1, 3, [b"secret"])),
        (14, create_body(1, b"new")),
        (76, struct.pack("<I", 1) + name(b"secret") + bytes(4)),
    ):
        assert client.fails(kind, body) in ("ENOTDIR", "ELOOP")
    assert (folder.parent / "secret").exists()


def test_pipes_and_devices_of_the_host_are_not_opened(client, folder):
    os.mkfifo(folder / "pipe")
    client.walk(1, b"pipe")
    assert client.fails(12, struct.pack("<II", 1, READ)) == "EPERM"
    client.walk(2)
    assert client.fails(14, create_body(2, b"pipe")) == "EPERM"


def test_a_guest_holds_a_bounded_number_of_names_and_files(client, monkeypatch):
    monkeypatch.setattr(p9, "FIDS_MAX", 10)
    monkeypatch.setattr(p9, "OPEN_MAX", 3)
    for fid in range(1, 10):
        client.walk(fid, b"hello.txt")
    assert client.fails(110, walk_body(ROOT, 99, [])) == "ENFILE"
    for fid in range(1, 4):
        client.open(fid)
    assert client.fails(12, struct.pack("<II", 4, READ)) == "EMFILE"
    client.ok(120, struct.pack("<I", 1))
    client.open(4)


def test_a_tower_of_directories_has_an_end(client, monkeypatch):
    monkeypatch.setattr(p9, "DEPTH_MAX", 3)
    for fid in range(3):
        where = struct.pack("<I", fid)
        client.ok(72, where + name(b"d") + struct.pack("<II", 0o755, 0))
        client.walk(fid + 1, b"d", fid=fid)
    body = struct.pack("<I", 3) + name(b"d") + struct.pack("<II", 0o755, 0)
    assert client.fails(72, body) == "ENAMETOOLONG"


@pytest.mark.parametrize("kind", sorted(p9.Server._NAMES))
def test_messages_that_are_cut_short_or_random_give_errors(client, folder, kind):
    client.walk(1)
    client.walk(2, b"hello.txt")
    client.open(2, BOTH)
    bodies = [os.urandom(0), b"\xff" * 3, b"\xff" * 200, struct.pack("<I", 2) + b"\xff" * 60]
    bodies += [struct.pack("<I", 2)[:n] for n in range(4)]
    for body in bodies:
        got, _ = client.message(kind, body)
        assert got in (7, kind + 1)
    assert client.driver.read(d.STATUS) == 0xF
    assert (folder.parent / "secret").exists()


@pytest.mark.parametrize("message", [b"", b"\7\0\0\0\x64", struct.pack("<IBH", 6, 100, 0)])
def test_what_is_no_message_breaks_the_device(client, message):
    client.driver.rings[0].add([message] if message else [], [100])
    client.driver.rings[0].kick()
    assert client.driver.read(d.STATUS) & d.NEEDS_RESET


def test_no_room_for_the_answer_breaks_the_device(client):
    client.driver.rings[0].add([struct.pack("<IBHIQ", 19, 24, 0, ROOT, 0)], [10])
    client.driver.rings[0].kick()
    assert client.driver.read(d.STATUS) & d.NEEDS_RESET


# -- resources and state ------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: open files under /proc")
def test_a_reset_closes_all_files(folder):
    before = len(os.listdir("/proc/self/fd"))
    client = Client(folder)
    for fid in range(1, 20):
        client.walk(fid, b"sub", b"two")
        client.open(fid)
    assert len(os.listdir("/proc/self/fd")) == before + 20
    client.driver.start()
    assert len(os.listdir("/proc/self/fd")) == before + 1
    client.device.close()
    client.device.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_state_comes_back_with_files_open(folder):
    client = Client(folder)
    client.walk(1, b"sub", b"two")
    client.open(1)
    client.walk(2)
    client.open(2)
    client.walk(3, b"hello.txt")
    saved = client.driver.board.slot.state()
    other = d.Board(Virtio9P(folder), memory=client.driver.board.memory)
    other.slot.load_state(saved)
    assert other.slot.state() == saved
    client.driver.board = other
    assert client.read(1, 0, 2) == b"22"
    assert (b"sub", 0x80, 4) in client.listing(2)
    client.open(3)
    assert client.read(3, 0, 5) == b"hello"


def messages_of_a_day(client):
    """Some messages that use all that is kept; their answers."""
    root = struct.pack("<I", ROOT)
    client.walk(1, b"sub", b"two")
    client.walk(2)
    answers = [client.open(1), client.read(1, 0, 9)]
    answers.append(client.ok(14, create_body(2, b"new")))
    answers.append(client.write(2, b"first"))
    answers.append(client.ok(74, root + name(b"sub") + root + name(b"moved")))
    answers.append(client.message(110, walk_body(ROOT, 3, [b"nothing"])))
    client.walk(3, b"moved", b"none")
    client.walk(3, b"moved", b"..", b"moved")
    answers.append(client.open(3))
    answers.append(client.listing(3))
    answers.append(client.ok(76, root + name(b"hello.txt") + bytes(4)))
    client.ok(120, struct.pack("<I", 1))
    return answers


def test_a_past_that_is_repeated_touches_nothing(client, folder):
    start = client.driver.board.slot.state()
    ring, memory = client.driver.rings[0], client.driver.board.memory
    seen, ram = (ring.seen, ring.added, list(ring.free)), bytes(memory.data)
    answers = messages_of_a_day(client)
    end = client.device.state()

    def go_back():
        client.driver.board.slot.load_state(start)
        memory.write(memory.base, ram)
        ring.seen, ring.added, ring.free = seen[0], seen[1], list(seen[2])

    (folder / "new").write_bytes(b"changed since")
    (folder / "hello.txt").write_bytes(b"there again")
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    for _ in range(2):
        go_back()
        client.device.muted = True
        assert messages_of_a_day(client) == answers
        client.device.muted = False
        assert client.device.state() == end
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
    assert client.read(2) == b"changed since", "from now on it is the folder of now"
    go_back()
    client.walk(1, b"hello.txt")
    client.open(1)
    assert client.read(1) == b"there again", "another future has other answers"


def test_a_past_that_is_too_long_ago_changes_nothing(client, folder, monkeypatch):
    monkeypatch.setattr(ninep, "PAST_MAX", 100)
    start = client.device.state()
    client.create(1, b"new")
    client.write(1, b"text")
    for _ in range(10):
        client.read(1)
    client.device.load_state(start)
    client.device.muted = True
    (folder / "new").unlink()
    assert client.fails(110, walk_body(ROOT, 1, [])) == "EIO"
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    "fid", [None, [], [1], [1, 4], [-1, None], [1, None, b".."], [1, None, b"a/b"], [1, 0, "a"]]
)
def test_a_saved_name_that_leads_out_is_refused(folder, fid):
    device = Virtio9P(folder)
    with pytest.raises(DeviceStateError):
        device.load_state({"message_size": 4096, "count": 0, "fids": [fid]})


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FolderError, match="give an existing directory"):
        Virtio9P(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(FolderError):
        Folder(tmp_path / "file")
    with pytest.raises(VtbookError, match="1 to 255 bytes"):
        Virtio9P(tmp_path, tag="")
