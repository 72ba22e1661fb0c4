"""Firmware on our machine, most of it not ours: OpenSBI to its hand-over, U-Boot to its prompt."""

import re

import pytest

from vtbook.isa.assembler import assemble
from vtbook.machine import Machine
from vtbook.machine.board import Board
from vtbook.machine.firmware import KNOWN_FIRMWARE, FirmwareError, find_firmware

MOST = 1_000_000_000

# A kernel of few lines: says over SBI in which hart it is, whether it has a device tree, what
# version of SBI is below it; starts the next hart; the last one switches off.
KERNEL = """
_start:
    mv   s0, a0
    lwu  s1, 0(a1)
    li   s2, 0xedfe0dd0         # the magic number of a device tree, read little-endian
    xor  s1, s1, s2
    seqz s1, s1
next:
    li   a0, 'H'
    call put
    addi a0, s0, '0'
    call put
    li   a0, 'T'
    call put
    addi a0, s1, '0'
    call put
    li   a7, 0x10               # base: version of SBI
    li   a6, 0
    ecall
    srli a0, a1, 24
    addi a0, a0, '0'
    call put
    li   a0, 10
    call put
    addi a0, s0, 1
    la   a1, other
    mv   a2, s1
    li   a7, 0x48534d           # hart state management: start
    li   a6, 0
    ecall
    beqz a0, wait
    li   a7, 0x53525354         # system reset: switch off
    li   a6, 0
    li   a0, 0
    li   a1, 0
    ecall
wait:
    wfi
    j    wait
other:
    mv   s0, a0
    mv   s1, a1
    j    next
put:
    li   a7, 1                  # legacy: console putchar
    ecall
    ret
"""


def flat(source: str) -> bytes:
    """A program as bytes for where firmware jumps to."""
    return b"".join(x.data for x in assemble(source, origin=0x8020_0000).sections)


def needs(name: str):
    try:
        find_firmware(name)
        there = True
    except FirmwareError:
        there = False
    package = KNOWN_FIRMWARE[name].package
    return pytest.mark.skipif(not there, reason=f"needs {name}: apt install {package}")


opensbi, opensbi_jump = needs("opensbi"), needs("opensbi-jump")
u_boot, u_boot_m = needs("u-boot"), needs("u-boot-m")


@pytest.mark.parametrize("harts", [1, 4])
@pytest.mark.parametrize(
    "firmware",
    [
        pytest.param("opensbi", marks=opensbi),
        pytest.param("opensbi-jump", marks=opensbi_jump),
        "vtbook",
    ],
)
def test_a_kernel_is_handed_over_to_and_starts_the_other_harts(firmware, harts):
    with Machine(Board(harts=harts), reverse=False) as machine:
        machine.boot(flat(KERNEL), firmware=firmware)
        ended = machine.run(MOST)
        assert ended.reason == "shutdown", machine.console.text
        assert ended.ok
        said = re.findall(r"^H(\d)T(\d)(\d)\r?$", machine.console.text, re.MULTILINE)
    version = "2" if firmware == "vtbook" else said[0][2]
    first = int(said[0][0])  # OpenSBI may choose another hart than the first to boot
    assert said == [(str(hart), "1", version) for hart in range(first, harts)]


@pytest.mark.parametrize("name", [pytest.param("opensbi", marks=opensbi)])
def test_opensbi_describes_our_board_as_qemus(name):
    with Machine(Board(harts=2), reverse=False) as machine:
        machine.boot(flat("_start: wfi; j _start"), firmware=name)
        machine.run(MOST, until_output="MEDELEG")
        rows = dict(re.findall(r"^(\w[\w ]*?) +: (.*?)\r?$", machine.console.text, re.MULTILINE))
    wanted = {
        "Platform HART Count": "2",
        "Platform IPI Device": "aclint-mswi",
        "Platform Timer Device": "aclint-mtimer @ 10000000Hz",
        "Platform Console Device": "uart8250",
        "Platform Reboot Device": "sifive_test",
        "Platform Shutdown Device": "sifive_test",
        "Domain0 Next Address": "0x0000000080200000",
        "Domain0 Next Mode": "S-mode",
        "Boot HART Base ISA": "rv64imafdc",
        "Boot HART PMP Count": "16",
    }
    assert {name: rows.get(name) for name in wanted} == wanted
    assert "sstc" in rows["Boot HART ISA Extensions"]


@pytest.mark.parametrize(
    ("kernel", "firmware"),
    [
        pytest.param(None, "u-boot-m", marks=u_boot_m, id="machine-mode"),
        pytest.param("u-boot", "opensbi", marks=[u_boot, opensbi], id="opensbi"),
        pytest.param("u-boot", "vtbook", marks=u_boot, id="vtbook"),
    ],
)
def test_u_boot_comes_to_its_prompt_and_takes_commands(kernel, firmware):
    with Machine(Board(), reverse=False) as machine:
        machine.boot(find_firmware(kernel) if kernel else None, firmware=firmware)
        assert machine.run(MOST, until_output="autoboot:").reason == "output"
        machine.console.feed(" ")
        assert machine.run(MOST, until_output="=> ").reason == "output"
        machine.console.feed("md.l 0x80200000 1\r")
        assert machine.run(MOST, until_output="80200000: ").reason == "output"
        assert machine.run(MOST, until_output="=> ").reason == "output"
        machine.console.feed("poweroff\r")
        ended = machine.run(MOST)
        text = machine.console.text
    assert (ended.reason, ended.code) == ("shutdown", 0)
    assert "U-Boot 20" in text
    assert re.search(r"DRAM: +128 MiB", text)
    assert "riscv-virtio" in text
