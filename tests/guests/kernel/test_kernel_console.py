"""The teaching kernel's console on QEMU: somebody types."""

import subprocess
import threading

import pytest

from tests.guests.kernel.on_qemu import TIMEOUT, command, needs_qemu

pytestmark = needs_qemu

CTRL_C, CTRL_D, CTRL_U, BACKSPACE = "\x03", "\x04", "\x15", "\x7f"


class Terminal:
    """Somebody at the console, who waits for what is printed."""

    def __init__(self, machine):
        self.machine = machine
        self.output = ""

    def type(self, text):
        self.machine.stdin.write(text.encode())
        self.machine.stdin.flush()

    def wait_for(self, text):
        """Read on until `text` comes; what came before it."""
        while text not in self.output:
            part = self.machine.stdout.read1(4096)
            assert part, f"the machine is off; {self.output!r}"
            self.output += part.decode()
        before, self.output = self.output.split(text, 1)
        return before

    def do(self, line):
        """Type a line; what it printed before the next prompt, without the line itself."""
        self.type(line + "\r")
        return self.wait_for("\n$ ").partition("\n")[2] + "\n"

    def comes_to(self, line, condition):
        """Type a line again and again until what it prints is right."""
        return any(condition(self.do(line)) or self.do("sleep 5") is None for _ in range(50))


@pytest.fixture(scope="module")
def machine():
    process = subprocess.Popen(
        command(harts=2), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    alarm = threading.Timer(TIMEOUT, process.kill)  # then wait_for() fails
    alarm.start()
    terminal = Terminal(process)
    try:
        terminal.wait_for("\n$ ")
        yield terminal
        terminal.type("poweroff\r")
        assert process.wait(TIMEOUT) == 0
    finally:
        alarm.cancel()
        process.kill()
        process.wait()


def test_what_is_typed_is_echoed_and_done(machine):
    machine.type("echo hello\r")
    assert machine.wait_for("\n$ ") == "echo hello\nhello"


def test_backspace_takes_a_character_back(machine):
    machine.type(f"echo abx{BACKSPACE}c{BACKSPACE}\x08d\r")
    assert machine.wait_for("\n$ ").endswith("\nad")


def test_nothing_is_taken_back_past_the_start_of_the_line(machine):
    machine.type(f"{BACKSPACE * 5}echo x\r")
    assert machine.wait_for("\n$ ") == "echo x\nx"


def test_ctrl_u_takes_the_line_back(machine):
    machine.type(f"never{CTRL_U}echo x\r")
    assert machine.wait_for("\n$ ").endswith("\nx")


def test_ctrl_d_is_the_end_of_the_input(machine):
    machine.type("cat | wc\r")
    machine.type("two words\r")
    machine.type(f"and more{CTRL_D}{CTRL_D}")  # the first one ends what stands before it
    assert machine.wait_for("\n$ ").endswith("      1       4      18 ")


def test_ctrl_c_ends_the_programs_in_front_and_not_the_shell(machine):
    machine.type("sh -c 'echo begun; sleep 100000 | cat | wc'\r")
    machine.wait_for("begun\n")
    machine.type(CTRL_C)
    assert machine.wait_for("\n$ ") == "^C"
    assert machine.comes_to("ps", lambda said: "sleep" not in said)


def test_ctrl_c_ends_a_program_that_does_no_system_calls(machine):
    machine.type("sh -c 'echo begun; cpu 1000000000'\r")
    machine.wait_for("begun\n")
    machine.type(CTRL_C)
    assert machine.wait_for("\n$ ") == "^C"


def test_ctrl_c_at_the_prompt_begins_a_new_line(machine):
    machine.type(f"abc{CTRL_C}")
    assert machine.wait_for("\n$ ") == "abc^C"


def test_what_is_in_the_background_stays(machine):
    printed = machine.do("sleep 100000 &")
    pid = printed.strip()[1:-1]
    machine.type(CTRL_C)
    machine.wait_for("\n$ ")
    assert machine.comes_to("ps | grep sleep", lambda said: f" {pid} " in said)
    machine.do(f"kill {pid}")
    assert machine.comes_to("ps | grep sleep", lambda said: said == "\n")


def test_a_line_that_is_too_long_is_cut(machine):
    machine.type("echo " + "x" * 400 + "\r")
    echoed, printed = machine.wait_for("\n$ ").split("\n")
    assert len(echoed) == 255
    assert printed == "x" * 250


def test_a_shell_that_ends_is_followed_by_another(machine):
    machine.type("exit\r")
    machine.wait_for("$ ")
    machine.type(CTRL_D)
    assert machine.wait_for("$ ") == "\n"
    assert machine.do("echo still here") == "still here\n"
