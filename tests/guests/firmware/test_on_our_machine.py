"""Every call on our own machine: as on OpenSBI there, and as on QEMU."""

import pytest

from tests.guests.c_oracles import needs_compiler
from tests.guests.firmware.qemu import Ended, build_payload, needs_qemu, run_payload
from tests.guests.firmware.test_calls import printed
from vtbook.guests.firmware import firmware_image
from vtbook.machine import Machine
from vtbook.machine.board import Board
from vtbook.machine.firmware import FirmwareError, find_firmware

pytestmark = needs_compiler
MOST = 100_000_000  # instructions; all the calls take 5 million


def run_here(firmware: str, name: str = "payload", **board) -> Ended:
    """Run a payload on our machine."""
    machine = Machine(Board(**board), reverse=False)
    machine.boot(build_payload(name), firmware=firmware)
    ended = machine.run(MOST, until_output="reset of type 3")
    if ended.reason == "output":
        machine.console.feed(b"s")
        ended = machine.run(MOST)
    assert ended.reason == "shutdown", ended
    return Ended(machine.console.text.replace("\r", ""), ended.code)


@pytest.mark.parametrize("board", [{"harts": 1}, {"harts": 4}, {"harts": 2, "pmp": 0}], ids=str)
def test_each_call_does_as_on_opensbi(board):
    try:
        find_firmware("opensbi")
    except FirmwareError as error:
        pytest.skip(str(error))
    ours, theirs = run_here("vtbook", **board), run_here("opensbi", **board)
    assert printed(ours) == printed(theirs)
    assert ours.code == theirs.code == 0


@needs_qemu
@pytest.mark.parametrize("harts", [1, 3])
def test_each_call_does_as_on_qemu(harts):
    """QEMU without the hypervisor extension; only the maker of the hart differs."""
    here = run_here("vtbook", harts=harts)
    there = run_payload(firmware_image(), build_payload(), harts=harts, cpu="rv64,h=false")
    differ = [(a, b) for a, b in zip(printed(here), printed(there), strict=True) if a != b]
    assert {a.partition(":")[0] for a, _ in differ} <= {"marchid", "mimpid"}
    assert [x for x in here.lines if x.startswith("dbcn:")] == [
        x for x in there.lines if x.startswith("dbcn:")
    ]


def test_calls_that_nobody_should_make_do_no_harm():
    assert run_here("vtbook", "hostile").code == 0
