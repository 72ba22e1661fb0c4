"""The teaching kernel on QEMU: its own tests, its shell, its boot options, its workloads."""

import re
import subprocess

import pytest

from tests.guests.kernel.on_qemu import TIMEOUT, after_banner, boot, command, needs_qemu
from vtbook.guests.compilers import find_compilers
from vtbook.guests.firmware import firmware_image
from vtbook.guests.kernel import (
    Disk,
    build_program,
    check,
    disk_image,
    list_programs,
)

pytestmark = needs_qemu


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(disk_image())
    return path


def verdicts(output):
    return dict(re.findall(r"^(\w+): (ok|FAILED)$", output, re.MULTILINE))


@pytest.mark.parametrize("harts", [1, 4])
def test_the_kernels_own_tests_pass_on_the_ram_disk(harts):
    output = boot("tests", harts=harts)
    assert output.endswith("ALL TESTS PASSED\n"), output
    assert len(verdicts(output)) > 40
    assert set(verdicts(output).values()) == {"ok"}


@pytest.mark.parametrize("harts", [1, 3])
def test_the_kernels_own_tests_pass_on_a_disk_and_leave_it_sound(harts, disk):
    before = Disk(disk.read_bytes()).files()
    output = boot("tests", harts=harts, disk=disk)
    assert output.endswith("ALL TESTS PASSED\n"), output
    image = disk.read_bytes()
    assert check(image) == []
    assert Disk(image).files() == before


@pytest.mark.parametrize("harts", [1, 4])
def test_it_runs_on_the_books_firmware(harts):
    output = boot("tests preemption bad_pointers; free", harts=harts, firmware=firmware_image())
    assert "ALL TESTS PASSED\n" in output
    assert re.search(rf"^harts +{harts}$", output, re.MULTILINE)


@pytest.mark.parametrize(("memory", "mebibytes"), [("16M", 16), ("2G", 2048)])
def test_it_finds_how_much_memory_there_is(memory, mebibytes):
    found = re.search(r"^memory +(\d+) KiB", boot("free; pages 1", memory=memory), re.MULTILINE)
    assert 0.8 < int(found[1]) / 1024 / mebibytes < 1


def test_a_failed_test_is_told(tmp_path):
    """The kernel's tests can fail: without /bin/echo some must."""
    path = tmp_path / "disk.img"
    path.write_bytes(disk_image({"bin/echo": b""}))
    output = boot("tests exec_of_damaged_programs write_and_read", disk=path)
    assert verdicts(output) == {"exec_of_damaged_programs": "FAILED", "write_and_read": "ok"}
    assert output.endswith("1 TESTS FAILED\n")


@pytest.mark.parametrize("harts", [1, 8])
def test_every_hart_is_used(harts):
    output = boot(f"free; {'cpu 100000 & ' * 8} sleep 10; ps", harts=harts)
    assert re.search(rf"^harts +{harts}$", output, re.MULTILINE)
    places = re.findall(r"^ +\d+ +\d+ R +(\d+) ", output, re.MULTILINE)
    assert len(set(places)) >= min(harts, 4), output


WORKLOADS = ["cpu 50", "syscalls 200", "pages 5", "disk 64", "dirty 64 500", "dirty 64 500 1"]


def test_workloads_print_the_same_everywhere(disk):
    line = "; ".join(WORKLOADS)
    first = boot(line)
    assert re.fullmatch(r"(\w+: [0-9a-f]{16}\n){6}", first)
    assert first == boot(line, harts=4, disk=disk)
    assert first.splitlines()[4] == first.splitlines()[5]  # a pause changes nothing


def test_a_workload_of_another_size_prints_something_else():
    output = boot("cpu 50; cpu 51; syscalls 20; syscalls 21; pages 2; pages 3; disk 8; disk 12")
    lines = output.splitlines()
    assert len(set(lines)) == len(lines) == 8


def test_a_run_with_exact_time_is_the_same_twice():
    """Nothing the kernel does depends on a clock outside, or on memory it has not written."""
    runs = [
        boot("cpu 20 & pages 3; sleep 2; ps; uptime; time cpu 10", exact=True) for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert "ticks" in runs[0]


def test_what_programs_write_is_found_on_the_disk(disk):
    line = "mkdir new; echo one > new/a; echo two >> new/a; ln new/a b; rm welcome.txt; cp b c"
    boot(line, disk=disk)
    image = disk.read_bytes()
    assert check(image) == []
    files = Disk(image).files()
    assert files["new/a"] == files["b"] == files["c"] == b"one\ntwo\n"
    assert "welcome.txt" not in files
    assert boot("cat new/a c", disk=disk) == "one\ntwo\none\ntwo\n"


@pytest.mark.parametrize(
    "device",
    [
        pytest.param(",event_idx=off", id="without-event-indices"),
        pytest.param(",write-cache=off,config-wce=off", id="without-flush"),
        pytest.param(",queue-size=8,seg-max-adjust=on", id="a-short-queue"),
        pytest.param(",queue-size=1024,indirect_desc=off", id="a-long-queue"),
        pytest.param(",packed=on,iommu_platform=off", id="packed-offered"),
    ],
)
def test_it_works_with_every_kind_of_disk_device(device, disk):
    output = boot("tests large_file several_at_once; disk 64", disk=disk, device=device)
    assert "ALL TESTS PASSED\ndisk: " in output
    assert check(disk.read_bytes()) == []


def test_a_disk_that_cannot_be_written_is_not_used(disk):
    before = disk.read_bytes()
    disk.chmod(0o400)
    line = command('run="echo x > y; poweroff"', disk=disk)
    line = [part.replace("if=none,", "if=none,readonly=on,") for part in line]
    done = subprocess.run(line, input=b"", capture_output=True, timeout=TIMEOUT, check=False)
    assert "cannot be used (read-only" in after_banner(done.stdout.decode())
    assert disk.read_bytes() == before


def test_a_disk_without_our_file_system_is_left_alone(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    output = boot("ls /welcome.txt; echo x > y", disk=path)
    assert "going on with the RAM disk" in output
    assert "welcome.txt\n" in output
    assert path.read_bytes() == bytes(1 << 20)


def test_a_disk_with_a_damaged_superblock_is_left_alone(disk):
    image = bytearray(disk.read_bytes())
    image[15] = 1  # the log would begin far outside
    disk.write_bytes(image)
    assert "going on with the RAM disk" in boot("echo x > y", disk=disk)
    assert disk.read_bytes() == image


def test_root_ram_leaves_the_disk_alone(disk):
    before = disk.read_bytes()
    boot("echo x > y", options="root=ram", disk=disk)
    assert disk.read_bytes() == before


def test_another_first_program(disk):
    assert boot("ps", options="init=/bin/sh", disk=disk).splitlines()[1].split()[-1] == "sh"


def test_a_first_program_that_is_not_there_stops_the_kernel():
    line = command("init=/bin/nothing")
    done = subprocess.run(line, input=b"", capture_output=True, timeout=TIMEOUT, check=False)
    output = after_banner(done.stdout.decode())
    assert "kernel panic: /bin/nothing cannot be started: error 2" in output


def test_a_program_that_breaks_the_rules_is_named_and_killed():
    output = boot("tests forbidden_things_kill")
    assert re.search(
        r"process \d+ \(tests\): page fault: load, address 8, at pc \w+: killed", output
    )
    assert output.endswith("ALL TESTS PASSED\n")


def test_every_program_is_there():
    output = boot("ls /bin")
    names = {line.split()[-1] for line in output.splitlines()}
    assert names == {".", "..", *list_programs()}


@pytest.mark.skipif(not find_compilers(), reason="needs a compiler: pip install ziglang")
def test_a_program_of_the_reader_runs(tmp_path):
    source = """
        #include <user.h>
        int main(int argc, char *argv[]) {
            char *memory = malloc(100);
            const char *format = "%s has %d words, %5x|%-5s|%05ld";
            snprintf(memory, 100, format, argv[0], argc, 255, "ab", -42L);
            printf("%s\\n", memory);
            return 3;
        }
    """
    path = tmp_path / "disk.img"
    path.write_bytes(disk_image({"bin/mine": build_program(source)}))
    assert boot("mine a b", disk=path) == "mine has 3 words,    ff|ab   |-0042\n"


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("echo a b  c", "a b c\n"),
        ("echo one > f; echo two >> f; cat < f", "one\ntwo\n"),
        ("echo x | cat | cat | wc", "      1       1       2 \n"),
        ("cat welcome.txt | grep '^tests' | wc", "      1       9      43 \n"),
        ("grep -v vtbook welcome.txt | head -1 | grep -v 't.sts'", ""),
        ("cd /bin; cd ..; cd tmp; echo x > y; cd /; cat tmp/y", "x\n"),
        ("nothing; echo after", "sh: nothing: no such file\nafter\n"),
        (
            "cat nothing; ls /bin/sh/x",
            "cat: nothing: no such file\nls: /bin/sh/x: not a directory\n",
        ),
        ("sleep 1 & echo first", "first\n"),
        ("echo 'echo inside; exit 3; echo never' > s; sh s", "inside\n"),
        (
            "mkdir a; echo x > a/b; rm a; mv a/b c; rm a; cat c",
            "rm: a: the directory is not empty\nx\n",
        ),
        ("mkdir d; mkdir d", "mkdir: d: there already\n"),
        ("kill 999; kill x", "kill: 999: no such process\nkill: x: no such process\n"),
    ],
)
def test_the_shell(line, printed):
    assert boot(line) == printed


def test_the_shell_goes_on_after_a_line_that_makes_no_sense(tmp_path):
    path = tmp_path / "disk.img"
    nonsense = ["echo a | | cat", "| cat", "echo a >", "echo a > ; echo b", "cat < < x", "; echo b"]
    long = ["echo 'a", "echo " + "a " * 100]
    lines = ["# a comment", "", *nonsense, *long, "  echo 'a #b'  c # d", "exit 3", "echo never"]
    path.write_bytes(disk_image({"lines": "\n".join(lines).encode()}))
    printed = boot("sh lines", disk=path).splitlines()
    assert set(printed[:5]) == {"sh: this line makes no sense"}
    assert printed[5] == "sh: a command is missing"
    assert set(printed[6:8]) == {"sh: a quote is missing, or the line is too long"}
    assert printed[8:] == ["a #b c"]
