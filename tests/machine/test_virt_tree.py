"""The device tree of the board: against QEMU's own, and against what dtc says about it."""

import shutil
import subprocess

import pytest

from vtbook.machine.devicetree import DeviceTreeError, read_dtb
from vtbook.machine.virt_tree import UART, VIRT_DEVICES, DeviceRow, isa_extensions, virt_tree

DTC = shutil.which("dtc")
QEMU = shutil.which("qemu-system-riscv64")
ISA = "rv64imafdc_zicsr_zifencei_sstc"


@pytest.fixture(scope="module")
def qemu_tree(tmp_path_factory):
    if QEMU is None:
        pytest.skip("needs qemu-system-riscv64")
    path = tmp_path_factory.mktemp("tree") / "virt.dtb"
    machine = ["-M", f"virt,dumpdtb={path}", "-smp", "2", "-m", "256M"]
    subprocess.run([QEMU, *machine], check=True, capture_output=True)
    return read_dtb(path.read_bytes())


def resolved(tree):
    """Path -> properties, with phandles as the paths of their nodes."""
    nodes = dict(tree.root.walk())
    paths = {
        node.cells("phandle")[0]: p for p, node in nodes.items() if "phandle" in node.properties
    }
    found = {}
    for path, node in nodes.items():
        values = dict(node.properties)
        values.pop("phandle", None)
        for name in ("interrupt-parent", "regmap", "cpu"):
            if name in values:
                values[name] = paths[node.cells(name)[0]]
        if "interrupts-extended" in values:
            cells = node.cells("interrupts-extended")
            pairs = zip(cells[::2], cells[1::2], strict=True)
            values["interrupts-extended"] = [(paths[phandle], number) for phandle, number in pairs]
        found[path] = values
    return found


def test_every_node_is_as_qemu_has_it(qemu_tree):
    ours = resolved(virt_tree(harts=2, ram_size=256 << 20, isa=ISA, mmu="riscv,sv48"))
    theirs = resolved(qemu_tree)
    kinds = ("pci", "flash", "fw-cfg", "platform-bus", "pmu")
    missing = {path for path in theirs.keys() - ours.keys() if not any(k in path for k in kinds)}
    assert not missing
    assert not ours.keys() - theirs.keys()
    # What differs on purpose: other instructions and another name; the newer words for the ISA; a
    # seed only where one is given; QEMU before version 8 counted source 0 in riscv,ndev, and lets
    # the harts' controllers inherit #address-cells, of which dtc warns.
    own = {"model", "riscv,isa", "riscv,isa-base", "riscv,isa-extensions", "rng-seed", "riscv,ndev"}
    for path, values in ours.items():
        if path.endswith("/interrupt-controller"):
            assert values.pop("#address-cells") == bytes(4)
        for name in (values.keys() | theirs[path].keys()) - own:
            assert values.get(name) == theirs[path].get(name), (path, name)


def test_dtc_has_nothing_to_complain_of():
    if DTC is None:
        pytest.skip("needs dtc: apt install device-tree-compiler")
    tree = virt_tree(
        harts=4,
        ram_size=1 << 33,
        bootargs="console=ttyS0 quiet",
        initrd=(0x9000_0000, 0x9010_0000),
        rng_seed=bytes(range(32)),
    )
    command = [DTC, "-I", "dtb", "-O", "dtb"]
    done = subprocess.run(command, input=bytes(tree), capture_output=True, check=True)
    assert done.stdout == bytes(tree)
    assert done.stderr.decode() == ""


def test_chosen_has_what_the_kernel_is_told():
    start, end = 0x1_8000_0000, 0x1_8012_3456
    tree = virt_tree(ram_size=4 << 30, bootargs="quiet", initrd=(start, end), rng_seed=b"abcd")
    chosen = tree["/chosen"]
    assert chosen.text("bootargs") == "quiet"
    assert chosen.text("stdout-path") == "/soc/serial@10000000"
    assert chosen.cells64("linux,initrd-start") == [start]
    assert chosen.cells64("linux,initrd-end") == [end]
    assert chosen.properties["rng-seed"] == b"abcd"
    assert tree["/memory"].cells64("reg") == [0x8000_0000, 4 << 30]
    assert "bootargs" not in virt_tree(ram_size=4096)["/chosen"].properties


def test_harts_say_their_instruction_set_in_the_old_and_the_new_way():
    cpu = virt_tree(ram_size=4096, isa="rv64imac_zicsr", mmu=None)["/cpus/cpu@0"]
    assert cpu.text("riscv,isa") == "rv64imac_zicsr"
    assert cpu.text("riscv,isa-base") == "rv64i"
    assert cpu.texts("riscv,isa-extensions") == ["i", "m", "a", "c", "zicsr"]
    assert "mmu-type" not in cpu.properties
    given = virt_tree(ram_size=4096, extensions=["i", "svadu"])["/cpus/cpu@0"]
    assert given.texts("riscv,isa-extensions") == ["i", "svadu"]


def test_isa_strings():
    assert isa_extensions("rv64gc_sstc") == [*"imafdc", "zicsr", "zifencei", "sstc"]
    for wrong in ("", "rv64", "RV64I", "rv32i", "rv64i_", "x86"):
        with pytest.raises(DeviceTreeError, match="no ISA string"):
            isa_extensions(wrong)


def test_another_board_is_another_table():
    display = DeviceRow("display", 0x5000_0000, 0x10_0000, ("vtbook,display",), 20, {"width": 640})
    tree = virt_tree(ram_size=4096, devices=[*VIRT_DEVICES, display], virtio_slots=[0, 5])
    node = tree["/soc/display@50000000"]
    assert (node.cells("width"), node.cells("interrupts")) == ([640], [20])
    names = [child.name for child in tree["/soc"].children if child.name.startswith("virtio")]
    assert names == ["virtio_mmio@10001000", "virtio_mmio@10006000"]
    bare = virt_tree(ram_size=4096, devices=[], virtio_slots=0, clint=None, plic=None, stdout=None)
    assert bare["/soc"].children == []
    assert [child.name for child in bare.root.children] == [
        "chosen", "memory@80000000", "cpus", "soc",
    ]  # fmt: skip


def test_boards_that_do_not_fit_together_are_refused():
    with pytest.raises(DeviceTreeError, match=r"rtc@101000 has an interrupt.*no PLIC"):
        virt_tree(ram_size=4096, plic=None)
    with pytest.raises(DeviceTreeError, match="the PLIC has 1 to 4"):
        virt_tree(ram_size=4096, plic_sources=4)
    with pytest.raises(DeviceTreeError, match="two devices are serial@10000000"):
        virt_tree(ram_size=4096, devices=[UART, UART])
    with pytest.raises(DeviceTreeError, match=r"stdout='screen'.*there are test, rtc, serial, vir"):
        virt_tree(ram_size=4096, stdout="screen")
    with pytest.raises(DeviceTreeError, match="at least 1"):
        virt_tree(ram_size=4096, harts=0)
