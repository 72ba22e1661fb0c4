"""Every call of the binary interface, on our firmware and on OpenSBI: both answer alike."""

import subprocess

import pytest

from tests.guests.c_oracles import every_compiler, needs_compiler
from tests.guests.firmware.qemu import Running, build_payload, needs_qemu, run_payload
from vtbook.guests.firmware import build_firmware, firmware_image
from vtbook.machine.bootrom import boot_rom
from vtbook.machine.devicetree import Node, cells64, read_dtb
from vtbook.machine.firmware import FirmwareError, find_firmware

pytestmark = [needs_qemu, needs_compiler]

SETTINGS = {
    "one hart": {"harts": 1},
    "four harts": {"harts": 4},
    "without stimecmp": {"harts": 2, "cpu": "rv64,sstc=false"},
    "without the hypervisor extension": {"harts": 2, "cpu": "rv64,h=false"},
    "without memory protection": {"harts": 2, "cpu": "rv64,pmp=false"},
}
every_setting = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)


@pytest.fixture(scope="module")
def payload():
    return build_payload()


@pytest.fixture(scope="module")
def opensbi():
    try:
        return find_firmware("opensbi")
    except FirmwareError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def output(payload):
    """What the payload prints on four harts on our firmware."""
    return run_payload(firmware_image(), payload, harts=4)


def printed(ended):
    """The lines that every implementation must print."""
    start = ended.lines.index("sie at the start: 0")
    apart = ("own:", "dtb:", "dbcn:", "")
    return [x for x in ended.lines[start:] if not x.startswith(apart[:3]) and x]


@every_setting
def test_each_call_does_as_on_opensbi(options, payload, opensbi):
    ours = run_payload(firmware_image(), payload, **options)
    theirs = run_payload(opensbi, payload, **options)
    assert printed(ours) == printed(theirs)
    assert ours.code == theirs.code == 0
    assert len(printed(ours)) > 70


@every_compiler
def test_each_compiler_builds_the_same_behaviour(compiler, payload, output):
    other = run_payload(build_firmware(compiler=compiler), payload, harts=4)
    assert printed(other) == printed(output)


def test_time_is_read_for_harts_that_lack_it(payload, output):
    """The harts' own `time` is hidden, so that each reading traps; nobody sees a difference."""
    hidden = build_firmware(defines={"EMULATE_TIME": 1})
    ended = run_payload(hidden, payload, harts=4)
    assert printed(ended) == printed(output)
    assert "  timer     mtimecmp of the CLINT" in ended.lines
    assert "own: not allowed: cause: 2" in ended.lines


def test_it_says_what_the_board_has(output):
    banner = output.text[: output.text.index("sie at")].strip().split("\n")
    assert banner == [
        "vtbook firmware, SBI 2.0, on riscv-virtio,qemu",
        "  RAM       0x80000000 to 0x87ffffff, the firmware's up to 0x8003ffff",
        "  harts     4, boot hart 0",
        "  timer     stimecmp of the hart",
        "  memory    protected by PMP",
        "  next      0x80200000 in supervisor mode, device tree at 0x87e00000",
    ]
    assert "own: specification 0000000002000000" in output.lines


def test_its_own_traps_leave_nothing_to_supervisor_mode(output):
    assert "load from the firmware's memory: cause: 5" in output.lines
    assert "own: not allowed: cause: 2" in output.lines


def test_the_console_of_sbi_2(output):
    """OpenSBI has it from 1.3 on."""
    lines = [line for line in output.lines if line.startswith("dbcn:")]
    assert lines == [
        "dbcn: written with one call",
        "dbcn: write: error 0, value 28",
        "dbcn: write nothing: error 0, value 0",
        "dbcn: read: error 0, value 0",
        "dbcn: write a byte: error 0, value 0",
        "dbcn: write the firmware's memory: error -3",
        "dbcn: read over it: error -3",
        "dbcn: from its last byte: error -3",
        "dbcn: a device: error -3",
        "dbcn: past all addresses: error -3",
        "dbcn: the high word: error -3",
        "dbcn: no such function: error -2",
    ]


def test_the_device_tree_says_that_its_memory_is_taken(output, tmp_path):
    data = bytes.fromhex(next(x for x in output.lines if x.startswith("dtb: "))[5:])
    tree = read_dtb(data)
    node = tree["/reserved-memory/firmware"]
    assert node.cells64("reg") == [0x8000_0000, 0x4_0000]
    assert "no-map" in node.properties
    assert tree["/reserved-memory"].cells("#address-cells") == [2]
    original = tmp_path / "virt.dtb"
    command = ["qemu-system-riscv64", "-M", f"virt,dumpdtb={original}", "-smp", "4"]
    subprocess.run(command, check=True, capture_output=True)
    before = {path: node.properties for path, node in read_dtb(original.read_bytes()).root.walk()}
    after = {path: node.properties for path, node in tree.root.walk()}
    assert [path for path in after if path not in before] == [
        "/reserved-memory",
        "/reserved-memory/firmware@80000000",
    ]
    for path in before.keys() - {"/chosen"}:  # QEMU's seed is another each time
        assert after[path] == before[path], path


@pytest.mark.parametrize("ours_is_there", [False, True])
def test_memory_that_others_have_reserved_stays_so(payload, tmp_path, ours_is_there):
    """The node goes beside those that are there; after a reset that keeps RAM it is one of them."""
    path = tmp_path / "virt.dtb"
    command = ["qemu-system-riscv64", "-M", f"virt,dumpdtb={path}"]
    subprocess.run(command, check=True, capture_output=True)
    tree = read_dtb(path.read_bytes())
    name, size = ("firmware@80000000", 0x4_0000) if ours_is_there else ("other@87000000", 0x1000)
    other = Node.of(name, reg=cells64(int(name[-8:], 16), size), **{"no-map": True})
    cells = {"#address-cells": 2, "#size-cells": 2}
    tree.root.children.insert(1, Node.of("reserved-memory", other, ranges=True, **cells))
    path.write_bytes(bytes(tree))
    ended = run_payload(firmware_image(), payload, more=["-dtb", str(path)])
    seen = read_dtb(bytes.fromhex(next(x for x in ended.lines if x.startswith("dtb: "))[5:]))
    names = [child.name for child in seen["/reserved-memory"].children]
    assert names == list(dict.fromkeys([name, "firmware@80000000"]))
    assert seen["/reserved-memory/firmware"].cells64("reg") == [0x8000_0000, 0x4_0000]
    assert seen["/chosen"].text("stdout-path") == tree["/chosen"].text("stdout-path")


@pytest.mark.parametrize(
    ("letter", "code"), [("s", 0), ("f", 1), ("o", 0), ("c", 0), ("w", 0)], ids=list("sfocw")
)
def test_ends(payload, letter, code):
    """Shut down, with a failure, by the old call; cold and warm reboot, which end QEMU, too."""
    ended = run_payload(firmware_image(), payload, letter, harts=2)
    assert ended.code == code
    assert "still here" not in ended.text
    assert "nothing more typed: error -1" in ended.lines


def test_a_reboot_starts_again(payload):
    machine = Running("-bios", str(firmware_image()), "-kernel", str(payload), harts=2)
    machine.wait_for("reset of type 3")
    machine.type("c")
    machine.wait_for("reset of type 3", times=2)
    machine.type("s")
    ended = machine.end()
    assert ended.code == 0
    assert ended.text.count("vtbook firmware") == 2


@pytest.mark.parametrize("cpu", ["rv64", "rv64,sstc=false,pmp=false,h=false"], ids=["all", "least"])
def test_calls_that_nobody_should_make_do_no_harm(cpu):
    """100,000 of them; it ends with 0 if the firmware still answers and the code is unchanged."""
    hostile = build_payload("hostile")
    ended = Running("-bios", str(firmware_image()), "-kernel", str(hostile), cpu=cpu).end()
    assert ended.code == 0
    assert "firmware:" not in ended.text


def test_without_something_to_start_it_says_so_and_ends():
    ended = Running("-bios", str(firmware_image())).end()
    assert "firmware: nothing to start at 0x80200000: all is zero there" in ended.lines
    assert ended.code == 1


def from_our_rom(folder, harts, **record):
    """Arguments with which the harts begin at a boot ROM of ours, at the end of RAM."""
    place, rom = 0x87FF_F000, folder / "rom.bin"
    rom.write_bytes(boot_rom(0x8000_0000, 0x87E0_0000, base=place, **record))
    starts = [f"loader,addr={place:#x},cpu-num={hart}" for hart in range(harts)]
    devices = [f"loader,file={rom},addr={place:#x},force-raw=on", *starts]
    return [word for device in devices for word in ("-device", device)]


@pytest.mark.parametrize("wanted", [0, 2])
def test_the_boot_rom_can_choose_the_boot_hart_and_silence(wanted, payload, tmp_path):
    more = from_our_rom(tmp_path, 3, next_address=0x8020_0000, boot_hart=wanted, options=1)
    ended = run_payload(firmware_image(), payload, more=more, harts=3)
    assert f"own: boot hart: {wanted}" in ended.lines
    assert "vtbook firmware" not in ended.text
    assert ended.code == 0


@pytest.mark.parametrize("wanted", [0x1000, 0x7FFF_FFFC, 0x8800_0000, 1 << 63])
def test_what_comes_next_must_be_in_ram(wanted, tmp_path):
    more = from_our_rom(tmp_path, 1, next_address=wanted)
    ended = Running("-bios", str(firmware_image()), *more).end()
    assert f"firmware: nothing to start at {wanted:#x}: it is not RAM" in ended.lines
    assert ended.code == 1
