"""The teaching kernel on our own machine, below the book's firmware."""

import random

import pytest

from tests.guests.kernel import on_qemu
from vtbook.devices.storage import MemoryDisk
from vtbook.guests.kernel import Disk, check, disk_image, kernel_image
from vtbook.machine import Board, Machine
from vtbook.machine import Disk as BoardDisk

MOST = 1_000_000_000  # instructions; the longest run here needs a quarter


def machine_with(run, *, harts=1, image=None, reverse=False, **how):
    """A machine that will run this line."""
    disks = [] if image is None else [BoardDisk(storage=MemoryDisk(image))]
    machine = Machine(Board(harts=harts, disks=disks), reverse=reverse)
    machine.boot(kernel_image(), append=f'run="{run}"', **how)
    return machine


def disk_of(machine):
    disk = machine.board.disks["disk0"]
    return bytes(disk.read(0, disk.size))


def boot(run, **how):
    """Run a line to power-off; what was printed, and where the machine then was."""
    with machine_with(f"{run}; poweroff", **how) as machine:
        ended = machine.run(MOST)
        assert ended.reason == "shutdown", machine.console.text
        return output_of(machine), machine.position


def output_of(machine):
    text = on_qemu.after_banner(machine.console.text)
    return text.removesuffix("\n") if text.endswith("\n\n") else text


@pytest.mark.parametrize("harts", [1, 3])
def test_the_kernels_own_tests_pass(harts):
    output, _ = boot("tests", harts=harts)
    assert output.endswith("ALL TESTS PASSED\n"), output


def test_files_are_on_the_disk_afterwards():
    run = (
        "tests write_and_read large_file several_at_once; disk 64; echo one > a; mkdir d; mv a d/b"
    )
    with machine_with(f"{run}; poweroff", image=disk_image()) as machine:
        assert machine.run(MOST).reason == "shutdown"
        assert "ALL TESTS PASSED\n" in output_of(machine)
        image = disk_of(machine)
    assert check(image) == []
    assert Disk(image).files() == Disk(disk_image()).files() | {"d/": b"", "d/b": b"one\n"}


LINE = "cpu 50; syscalls 200; pages 5; disk 64; dirty 64 500; cat welcome.txt | wc; ls /bin/sh/x"


@on_qemu.needs_qemu
@pytest.mark.parametrize("harts", [1, 4])
def test_programs_print_what_they_print_on_qemu(harts):
    assert boot(LINE, harts=harts)[0] == on_qemu.boot(LINE)


@pytest.mark.parametrize("harts", [1, 2])
def test_a_run_is_the_same_twice(harts):
    line = "cpu 20 & pages 3; disk 16; sleep 2; ps; time cpu 10"
    assert boot(line, harts=harts, image=disk_image()) == boot(
        line, harts=harts, image=disk_image()
    )


def test_somebody_types():
    with Machine(Board(), reverse=False) as machine:
        machine.boot(kernel_image())
        assert machine.run(MOST, until_output="\n$ ").reason == "output"
        machine.console.feed("echo a\x7fhello | cat > f; cat f f\r")
        assert machine.run(MOST, until_output="hello\nhello\n$ ").reason == "output"
        machine.console.feed("cat\r")
        machine.run(50_000_000)
        machine.console.feed("\x03ps\r")
        assert machine.run(MOST, until_output=" ps\n$ ").reason == "output"
        machine.console.feed("poweroff\r")
        assert machine.run(MOST).reason == "shutdown"
        _, _, after = machine.console.text.partition("^C\n")
        assert after.startswith("ps\n$ ")  # echoed at once, done when cat has ended
        assert " cat\n" not in after


def test_power_off_tells_whether_something_failed():
    for word, ok in (("", True), (" 1", False)):
        with machine_with(f"poweroff{word}") as machine:
            ended = machine.run(MOST)
            assert (ended.reason, ended.ok) == ("shutdown", ok)


def test_the_disk_is_sound_wherever_the_machine_stops():
    rng = random.Random(1)
    with machine_with("tests links several_at_once large_file", image=disk_image()) as machine:
        machine.run(MOST, until_output="vtbook kernel")
        for _ in range(40):
            assert machine.run(rng.randrange(200_000, 1_200_000)).reason in ("budget", "wfi")
            assert check(disk_of(machine)) == []
        assert disk_of(machine) != disk_image()
