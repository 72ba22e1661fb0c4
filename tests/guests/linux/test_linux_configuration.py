"""The configurations of kernel and BusyBox: our lines, and what became of them."""

import pytest

from vtbook.guests import linux
from vtbook.guests.linux import configuration
from vtbook.guests.linux.building import BUSYBOX_CONFIG

IMAGE = linux.find()
needs_image = pytest.mark.skipif(IMAGE is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}")


@pytest.mark.parametrize("name", [configuration.KERNEL, configuration.BUSYBOX])
def test_our_lines_set_each_option_once_and_nothing_else_stands_there(name):
    lines = configuration.ours(name).splitlines()
    options = configuration.parse("\n".join(lines))
    settings = [x for x in lines if x.startswith("CONFIG_") or x.endswith(" is not set")]
    assert len(settings) == len(options)
    assert all(not x or x.startswith("# ") for x in lines if x not in settings)


@needs_image
def test_every_option_of_the_kernel_is_in_what_was_built():
    if not IMAGE.is_current:
        pytest.skip("needs an image of today's recipe: vtbook guests linux --force")
    wanted = configuration.parse(configuration.ours(configuration.KERNEL))
    known = {x: y for x, y in wanted.items() if x not in IMAGE.manifest["options_not_known"]}
    finished = configuration.parse(IMAGE.config.read_text(encoding="utf-8"))
    assert configuration.missing(known, finished) == {}
    assert len(wanted) - len(known) < 5


@needs_image
def test_every_option_of_busybox_is_in_what_was_built():
    if not IMAGE.is_current:
        pytest.skip("needs an image of today's recipe: vtbook guests linux --force")
    wanted = configuration.parse(configuration.ours(configuration.BUSYBOX))
    finished = configuration.parse((IMAGE.folder / BUSYBOX_CONFIG).read_text(encoding="utf-8"))
    assert configuration.missing(wanted, finished) == {}


@needs_image
def test_nothing_that_slows_the_boot_was_selected_by_another_option():
    finished = configuration.parse(IMAGE.config.read_text(encoding="utf-8"))
    slow = {"MODULES", "DEBUG_INFO", "KALLSYMS", "EFI", "ACPI", "CRYPTO_SELFTESTS", "RAID6_PQ"}
    slow |= {"RISCV_PROBE_UNALIGNED_ACCESS", "FW_LOADER", "FTRACE", "PROVE_LOCKING", "BTRFS_FS"}
    assert {name for name in slow if finished.get(name, "n") != "n"} == set()


def test_merging_changes_adds_and_turns_off():
    text = '#\n# Title\n#\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_NAME="old"\nCONFIG_AB=y\n'
    merged = configuration.merge(text, {"A": "n", "B": "y", "NAME": '"new"', "C": "5"})
    assert merged == (
        '#\n# Title\n#\n# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_NAME="new"\nCONFIG_AB=y\n'
        "CONFIG_C=5\n"
    )
    assert configuration.missing({"A": "n", "B": "y"}, configuration.parse(merged)) == {}


def test_an_option_that_vanished_counts_as_off():
    finished = configuration.parse('CONFIG_A=y\nCONFIG_S="a=b"\n')
    assert finished == {"A": "y", "S": '"a=b"'}
    wanted = {"A": "y", "GONE": "y", "OFF": "n"}
    assert configuration.missing(wanted, finished) == {"GONE": ("y", "n")}


def test_definitions_are_found_in_kconfig_files(tmp_path):
    (tmp_path / "Kconfig").write_text(
        "menuconfig NET\n\tbool\n  config INDENTED\nchoice\nconfig A_1 # no\n# config OLD\n"
    )
    assert configuration.defined_in([tmp_path / "Kconfig"]) == {"NET", "INDENTED", "A_1"}
