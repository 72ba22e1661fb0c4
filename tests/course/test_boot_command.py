"""`vtbook boot` as a user runs it: a computer with the teaching kernel, in a process of its own."""

import re
import signal
import struct
import subprocess
import sys
import time

import pytest

from tests.course.conftest import COMMAND, environment
from vtbook.guests.kernel import Disk, check, disk_image

LOOP = "_start: addi a0, a0, 1\n j _start\n"


def text(done):
    return done.stdout.decode().replace("\r", "")


def said(done):
    """What the command itself says, frames and line breaks taken out."""
    return re.sub(r"[\s│]+", " ", done.stderr.decode())


@pytest.fixture
def disk(tmp_path):
    """A disk with the teaching kernel's programs and one more file."""
    path = tmp_path / "disk.img"
    path.write_bytes(disk_image({"note": b"from outside\n"}))
    return path


# -- input ----------------------------------------------------------------------------------


def test_lines_from_a_pipe_are_typed_when_the_shell_asks_for_them(vtbook):
    lines = [f"echo line {n}; sleep 1" for n in range(30)]  # more than the guest's buffers hold
    typed = "\n".join([*lines, "poweroff", ""])
    done = vtbook("boot", input=typed.encode())
    assert done.returncode == 0
    assert text(done).count("$ echo line ") == 30
    assert re.findall(r"^line (\d+)$", text(done), re.M) == [str(n) for n in range(30)]
    assert done.stderr == b""


def test_a_script_prints_the_same_each_time(vtbook):
    script = b"sleep 3; uptime; ps\ntime cpu 1\npoweroff\n"
    first, second = (vtbook("boot", "--harts", "2", input=script) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert b"cpu" in first.stdout


def test_who_writes_to_a_pipe_can_wait_for_answers(tmp_path):
    child = subprocess.Popen(
        [*COMMAND, "boot"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(),
    )
    try:
        output = b""
        for command, answer in (
            (b"echo on | cat; echo e\n", b"\non\ne\n"),
            (b"sleep 1; echo over\n", b"\nover\n"),
        ):
            child.stdin.write(command)
            child.stdin.flush()
            while answer not in output:
                piece = child.stdout.read1(4096)
                assert piece, output
                output += piece
        child.communicate(b"poweroff\n", timeout=60)
        assert child.returncode == 0
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("typed", [b"", b"echo hi\n"])
def test_a_shell_that_waits_after_the_end_of_input_is_left(vtbook, typed):
    done = vtbook("boot", input=typed)
    assert done.returncode == 125
    assert "the guest waits for input and there is no more" in said(done)
    assert (b"\nhi\n" in done.stdout) == bool(typed)


def test_a_long_sleep_after_the_end_of_input_is_not_the_end(vtbook):
    done = vtbook("boot", "--append", 'run="sleep 300; echo awake; poweroff"')
    assert done.returncode == 0
    assert "awake" in text(done)


def test_standard_input_may_be_closed(tmp_path):
    command = f"{sys.executable} -m vtbook boot --append 'run=\"echo x; poweroff\"' <&-"
    done = subprocess.run(
        command, shell=True, capture_output=True, cwd=tmp_path, env=environment(), timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert b"\nx\n" in done.stdout


def test_a_guest_that_polls_gets_its_lines_too(vtbook, tmp_path):
    # M mode, no firmware: echo in capitals until "q"
    (tmp_path / "poll.s").write_text(
        """_start:
        li   t0, 0x10000000
    1:  lbu  t1, 5(t0)
        andi t1, t1, 1
        beqz t1, 1b
        lbu  a0, (t0)
        addi a0, a0, -32
        sb   a0, (t0)
        addi a0, a0, 32 - 'q'
        bnez a0, 1b
        li   t0, 0x100000
        li   t1, 0x5555
        sw   t1, (t0)
        """
    )
    assert vtbook("asm", "poll.s", "-o", "poll").returncode == 0
    boot = ["boot", "--kernel", "poll", "--bios", "none"]
    assert vtbook(*boot, input=b"ab\nq").stdout == b"AB\xeaQ"
    done = vtbook(*boot, input=b"ab")
    assert (done.returncode, done.stdout[:2]) == (125, b"AB")
    assert "there is no more" in said(done)


@pytest.mark.parametrize("seconds", [30, 500])
def test_a_guest_without_ticks_that_waits_for_its_timer_gets_there(vtbook, tmp_path, seconds):
    # M mode: wait for keys and for the timer, both by interrupts; the timer ends it
    (tmp_path / "wait.s").write_text(
        f"""_start:
        la   t0, alarm
        csrw mtvec, t0
        li   t0, 0x10000000
        li   t1, 1
        sb   t1, 1(t0)
        li   t0, 0x2004000
        li   t1, {seconds * 10_000_000}
        sd   t1, (t0)
        li   t0, 0x80
        csrw mie, t0
        csrsi mstatus, 8
    1:  wfi
        j    1b
        .balign 4
    alarm:
        li   t0, 0x10000000
        li   t1, 'T'
        sb   t1, (t0)
        li   t0, 0x100000
        li   t1, 0x5555
        sw   t1, (t0)
        """
    )
    assert vtbook("asm", "wait.s", "-o", "wait").returncode == 0
    done = vtbook("boot", "--kernel", "wait", "--bios", "none")
    assert (done.returncode, done.stdout) == (0, b"T"), done.stderr


# -- the command line, disks, networks ------------------------------------------------------


def test_the_command_line_reaches_the_kernel(vtbook):
    done = vtbook("boot", "--append", "root=ram", "--append", 'run="echo hello; poweroff"')
    assert (done.returncode, done.stderr) == (0, b"")
    assert "vtbook firmware" in text(done)
    assert text(done).endswith("\nhello\n")


def test_several_harts_start(vtbook):
    done = vtbook("boot", "--harts", "4", "--append", 'run="poweroff"')
    assert done.returncode == 0
    assert "4 harts" in text(done)


def test_an_empty_disk_is_there(vtbook):
    done = vtbook("boot", "--disk", "size=2MiB", "--append", 'run="poweroff"')
    assert done.returncode == 0
    assert "none of our file systems" in text(done)


def test_a_disks_file_stays_as_it_is_unless_told(vtbook, disk):
    before = disk.read_bytes()
    run = 'run="cat note; echo more > note; cat note; sync; poweroff"'
    done = vtbook("boot", "--disk", disk, "--append", run)
    assert "from outside\nmore\n" in text(done)
    assert disk.read_bytes() == before
    done = vtbook("boot", "--disk", f"{disk},mode=read", "--append", run)
    assert "read-only" in text(done)
    assert disk.read_bytes() == before
    done = vtbook("boot", "--disk", f"{disk},mode=write", "--append", run)
    assert done.returncode == 0
    assert "from outside\nmore\n" in text(done)
    check(disk.read_bytes())
    assert Disk(disk.read_bytes()).files()["note"] == b"more\n"


def test_frames_are_captured_for_wireshark(vtbook, tmp_path):
    done = vtbook(
        "boot", "--net", "restricted", "--pcap", "net.pcapng", "--append", 'run="poweroff"'
    )
    assert done.returncode == 0
    block, length = struct.unpack("<II", (tmp_path / "net.pcapng").read_bytes()[:8])
    assert (block, length % 4) == (0x0A0D0D0A, 0)  # a section header of pcapng


def test_a_folder_is_shared_as_a_ninth_kind_of_device(vtbook, tmp_path):
    (tmp_path / "folder").mkdir()
    plain = text(vtbook("boot", "--layout"))
    shared = text(vtbook("boot", "--layout", "--share", "folder"))
    assert shared.count("virtio_mmio@") == plain.count("virtio_mmio@") + 1


def test_the_layout_is_shown_and_nothing_runs(vtbook):
    done = vtbook("boot", "--layout", "--harts", "2", "--ram", "64MiB", "--append", "quiet")
    assert done.returncode == 0
    assert re.search(r"^0x80000000-\S+ +fw", text(done), re.M) or "firmware" in text(done)
    assert re.search(r"^0x80200000-\S+ +kernel.elf$", text(done), re.M)
    assert "/dts-v1/;" in text(done)
    assert 'bootargs = "quiet";' in text(done)
    assert "cpu@1" in text(done)
    assert "SBI" not in text(done)


# -- limits and snapshots -------------------------------------------------------------------


def test_a_limit_of_instructions_ends_the_run(vtbook):
    done = vtbook("boot", "--max-instructions", "100k")
    assert done.returncode == 124
    assert "100,000 instructions" in said(done)
    assert done.stdout.endswith(b"\n")


def test_a_snapshot_goes_on_in_another_process(vtbook, tmp_path):
    run = 'run="echo one; sleep 1; echo two; poweroff"'
    board = ["--harts", "2", "--disk", "size=1MiB", "--append", run]
    whole = vtbook("boot", *board)
    first = vtbook("boot", *board, "--max-instructions", "900k", "--save", "half")
    assert first.returncode == 124
    assert "half: saved after 900,000 instructions" in said(first)
    second = vtbook("boot", *board, "--snapshot", "half")
    assert second.returncode == 0
    both = first.stdout + second.stdout  # between them may be a line's end of the command's own
    assert b"".join(both.split()) == b"".join(whole.stdout.split())
    assert b"two" in second.stdout
    assert b"firmware" not in second.stdout
    other = vtbook("boot", "--harts", "1", "--snapshot", "half")
    assert other.returncode == 2
    assert "number of harts: the snapshot has 2, this machine 1" in said(other)


def test_a_computer_that_is_off_is_not_saved(vtbook, tmp_path):
    done = vtbook("boot", "--append", 'run="poweroff"', "--save", "off")
    assert done.returncode == 0
    assert "not saved" in said(done)
    assert not (tmp_path / "off").exists()


# -- what goes wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: no such file; give a path, or one of teaching, linux"),
        (["--kernel", "missing"], "missing: no such file"),
        (["--kernel", "teaching"], "teaching: no such file"),
        (["--initrd", "missing"], "RAM disk missing: cannot be read"),
        (["--bios", "missing"], "firmware missing: cannot be read"),
        (["--disk", "missing"], "missing: cannot open"),
        (["--disk", "size=much"], "'much' is not a size"),
        (["--disk", "a,mode=maybe"], "write FILE[,mode=overlay|write|read] or size=16MiB"),
        (["--net", "other"], "write none, restricted or user"),
        (["--net", "user,fwd=22"], "forward '22': write it as"),
        (["--net", "user,speed=1"], "write host, or fwd="),
        (["--pcap", "x"], "there is no network; give --net restricted too"),
        (["--net", "restricted", "--pcap", "missing/x"], "missing/x: No such file"),
        (["--share", "missing"], "missing: cannot be shared"),
        (["--ram", "1MiB"], "give ram='8 MiB'"),
        (["--ram", "lots"], "'lots' is not a size"),
        (["--harts", "9"], "less than or equal to 8"),
        (["--engine", "warp"], "'warp' is not one of"),
        (["--max-instructions", "none"], "no number of instructions"),
        (["--gdb", "0", "--max-instructions", "5"], "without a limit"),
        (["--snapshot", "missing"], "missing: cannot be read"),
        (["--save", "missing/x"], "no such folder"),
        (["--save", "x", "--disk", "d,mode=write"], "use mode=overlay to save one"),
        ([f"--disk=size={n}MiB" for n in range(1, 9)], "9 virtio devices; the board has 8"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(vtbook, tmp_path, arguments, message):
    (tmp_path / "d").write_bytes(bytes(1 << 20))
    done = vtbook("boot", *arguments)
    assert done.returncode == 2
    assert message in said(done)
    assert "Traceback" not in said(done)
    assert done.stdout == b""


def test_a_file_that_is_no_snapshot_is_refused(vtbook, tmp_path):
    (tmp_path / "x").write_bytes(b"no snapshot")
    done = vtbook("boot", "--snapshot", "x")
    assert done.returncode == 2
    assert "x: not a snapshot" in said(done)


def test_what_is_no_kernel_traps_and_the_command_doubts_it(vtbook, tmp_path):
    (tmp_path / "letter").write_text("Dear kernel,\n" * 1000)
    done = vtbook("boot", "letter")
    assert done.returncode == 125
    assert "trap:" in said(done)
    assert "letter: no ELF file and no Linux image" in said(done)
    assert "Traceback" not in said(done)


def test_ctrl_c_ends_an_endless_loop_without_a_terminal(vtbook, tmp_path):
    (tmp_path / "loop.s").write_text(LOOP)
    assert vtbook("asm", "loop.s", "-o", "loop").returncode == 0
    child = subprocess.Popen(
        [*COMMAND, "boot", "--kernel", "loop", "--bios", "none"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(),
    )
    try:
        while child.poll() is None:  # until it has begun to listen to the signal
            time.sleep(1)
            child.send_signal(signal.SIGINT)
        assert child.returncode == 130
    finally:
        child.kill()
        child.communicate()


def test_help_fits_and_names_the_systems(vtbook):
    done = vtbook("boot", "-h")
    assert done.returncode == 0
    assert "teaching (the book's kernel), linux" in re.sub(r"[\s│]+", " ", text(done))
    assert max(map(len, text(done).splitlines())) <= 100


# -- on a terminal --------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path):
    """Start the command in a pseudo-terminal; it is closed after the test."""
    pexpect = pytest.importorskip("pexpect")
    started = []

    def start(*arguments):
        child = pexpect.spawn(
            sys.executable,
            ["-m", "vtbook", "boot", *arguments],
            env=environment(),
            timeout=60,
            cwd=tmp_path,
        )
        child.delaybeforesend = None
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def ended(child):
    """Wait for its end; returns the exit status."""
    import pexpect

    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def test_on_a_terminal_ctrl_c_is_the_guests_and_ctrl_a_x_quits(terminal):
    child = terminal("teaching", "--save", "kept")
    child.expect("Ctrl-A h for help")
    child.expect_exact("$ ")
    child.send("cat\rin front\r")
    child.expect(r"in front\r+\n.*in front\r")
    child.send("\x01p")
    child.expect(r"paused at .*: [a-z]+.*; [\d,]+ instructions")  # a virtual address
    assert b"no instruction" not in child.after
    child.send("\x01p")
    child.expect("goes on")
    child.send("\x03echo free\r")
    child.expect(r"(\n|\$ )free\r")
    child.send("\x01x")
    assert ended(child) == 130
    again = terminal("teaching", "--snapshot", "kept")
    again.expect("to quit")
    again.send("echo again; poweroff\r")
    again.expect(r"\nagain\r")
    assert ended(again) == 0


def test_on_a_terminal_an_endless_loop_can_be_left(terminal, vtbook, tmp_path):
    (tmp_path / "loop.s").write_text(LOOP)
    assert vtbook("asm", "loop.s", "-o", "loop").returncode == 0
    child = terminal("--kernel", "loop", "--bios", "none")
    child.expect("to quit")
    child.send("\x03\x01s")
    child.expect("running at")
    child.send("\x01x")
    assert ended(child) == 130
