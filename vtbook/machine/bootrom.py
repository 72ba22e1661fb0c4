"""The boot ROM: the first instructions that every hart executes, at 0x1000.

They are those of QEMU's ``virt`` (hw/riscv/boot.c, `riscv_setup_rom_reset_vec`). The firmware
finds its hart's number in a0, the address of the device tree in a1, and in a2 the address of a
record that says where to go on after it. That record is OpenSBI's `struct fw_dynamic_info`
(include/sbi/fw_dynamic.h), version 2: six numbers of 64 bits.
"""

from __future__ import annotations

import functools

from vtbook.isa.assembler import assemble

ROM_BASE = 0x1000
DYNAMIC_MAGIC = 0x4942_534F  # "OSBI", read as a little-endian number
DYNAMIC_VERSION = 2
USER, SUPERVISOR, MACHINE = 0, 1, 3  # modes, as mstatus.MPP has them
ANY_HART = (1 << 64) - 1

SOURCE = """
# What every hart does first.
_start:
        auipc   t0, 0                   # t0 = the address of _start
        addi    a2, t0, info - _start   # a2 = what the firmware shall do next
        csrr    a0, mhartid             # a0 = number of this hart
        ld      a1, tree - _start(t0)   # a1 = the device tree
        ld      t0, entry - _start(t0)
        jr      t0                      # to the firmware

entry:  .quad   ENTRY
tree:   .quad   TREE

# struct fw_dynamic_info
info:   .quad   MAGIC
        .quad   VERSION
        .quad   NEXT_ADDRESS            # where the firmware shall jump
        .quad   NEXT_MODE               # in which mode: 1 supervisor, 3 machine
        .quad   OPTIONS                 # bit 0: print no banner, bit 1: debug messages
        .quad   BOOT_HART               # the hart that boots; all ones: any
"""


@functools.lru_cache(maxsize=64)
def boot_rom(
    entry: int,
    dtb_address: int,
    *,
    next_address: int = 0,
    next_mode: int = SUPERVISOR,
    options: int = 0,
    boot_hart: int = ANY_HART,
    base: int = ROM_BASE,
) -> bytes:
    """The bytes of the boot ROM.

    Args:
        entry: where the firmware begins.
        dtb_address: where the device tree is.
        next_address: where the firmware shall go on; 0 if it knows by itself, or has nothing to.
        next_mode: the mode to go on in.
        options: bits for OpenSBI.
        boot_hart: the id of the hart that shall boot; by default the firmware chooses.
            (QEMU gives 0, which OpenSBI takes as a wish for hart 0.)
        base: the address of the ROM; the code does not depend on it.

    Raises:
        AssemblyError: a number does not fit 64 bits.
    """
    values = {
        "ENTRY": entry,
        "TREE": dtb_address,
        "MAGIC": DYNAMIC_MAGIC,
        "VERSION": DYNAMIC_VERSION,
        "NEXT_ADDRESS": next_address,
        "NEXT_MODE": next_mode,
        "OPTIONS": options,
        "BOOT_HART": boot_hart,
    }
    return bytes(assemble(SOURCE, origin=base, filename="bootrom.S", symbols=values))
