"""A, atomic instructions (unprivileged specification, chapter 14).

Harts take turns at instruction boundaries, so every instruction is atomic by itself; what is left
is the reservation, the alignment rule, and the traps, which are store traps for every AMO (14.4).
"""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import (
    amo_address,
    load32,
    load64,
    lr_address,
    select,
    sext32,
    store32,
    store64,
    ult,
)

# --- 14.2 load-reserved, store-conditional -------------------------------------------------------


@instruction("lr.w rd, (rs1)", "00010 aq rl 00000 rs1 010 rd 0101111")
def lr_w(h, d):
    """Load four bytes and reserve their address (14.2)."""
    address = lr_address(h, h.x[d.rs1], 4)
    value = sext32(load32(h, address))
    h.reservation = address
    h.x[d.rd] = value


@instruction("lr.d rd, (rs1)", "00010 aq rl 00000 rs1 011 rd 0101111")
def lr_d(h, d):
    """Load eight bytes and reserve their address (14.2)."""
    address = lr_address(h, h.x[d.rs1], 8)
    value = load64(h, address)
    h.reservation = address
    h.x[d.rd] = value


@instruction("sc.w rd, rs2, (rs1)", "00011 aq rl rs2 rs1 010 rd 0101111")
def sc_w(h, d):
    """Store four bytes if the reservation still stands; rd is 0 if it did, else 1 (14.2)."""
    address = amo_address(h, h.x[d.rs1], 4)
    if h.reservation == address:
        store32(h, address, h.x[d.rs2])
        h.x[d.rd] = 0
    else:
        h.x[d.rd] = 1
    h.reservation = -1


@instruction("sc.d rd, rs2, (rs1)", "00011 aq rl rs2 rs1 011 rd 0101111")
def sc_d(h, d):
    """Store eight bytes if the reservation still stands; rd is 0 if it did, else 1 (14.2)."""
    address = amo_address(h, h.x[d.rs1], 8)
    if h.reservation == address:
        store64(h, address, h.x[d.rs2])
        h.x[d.rd] = 0
    else:
        h.x[d.rd] = 1
    h.reservation = -1


# --- 14.4 read, change and write: 32 bits --------------------------------------------------------


@instruction("amoswap.w rd, rs2, (rs1)", "00001 aq rl rs2 rs1 010 rd 0101111")
def amoswap_w(h, d):
    """Swap in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    store32(h, address, h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoadd.w rd, rs2, (rs1)", "00000 aq rl rs2 rs1 010 rd 0101111")
def amoadd_w(h, d):
    """Add in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    store32(h, address, old + h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoxor.w rd, rs2, (rs1)", "00100 aq rl rs2 rs1 010 rd 0101111")
def amoxor_w(h, d):
    """Exclusive or in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    store32(h, address, old ^ h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoand.w rd, rs2, (rs1)", "01100 aq rl rs2 rs1 010 rd 0101111")
def amoand_w(h, d):
    """And in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    store32(h, address, old & h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoor.w rd, rs2, (rs1)", "01000 aq rl rs2 rs1 010 rd 0101111")
def amoor_w(h, d):
    """Or in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    store32(h, address, old | h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amomin.w rd, rs2, (rs1)", "10000 aq rl rs2 rs1 010 rd 0101111")
def amomin_w(h, d):
    """Signed minimum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    new = sext32(h.x[d.rs2])
    store32(h, address, select(old < new, old, new))
    h.x[d.rd] = old


@instruction("amomax.w rd, rs2, (rs1)", "10100 aq rl rs2 rs1 010 rd 0101111")
def amomax_w(h, d):
    """Signed maximum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    new = sext32(h.x[d.rs2])
    store32(h, address, select(old < new, new, old))
    h.x[d.rd] = old


@instruction("amominu.w rd, rs2, (rs1)", "11000 aq rl rs2 rs1 010 rd 0101111")
def amominu_w(h, d):
    """Unsigned minimum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    new = sext32(h.x[d.rs2])
    store32(h, address, select(ult(old, new), old, new))
    h.x[d.rd] = old


@instruction("amomaxu.w rd, rs2, (rs1)", "11100 aq rl rs2 rs1 010 rd 0101111")
def amomaxu_w(h, d):
    """Unsigned maximum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 4)
    old = sext32(load32(h, address))
    new = sext32(h.x[d.rs2])
    store32(h, address, select(ult(old, new), new, old))
    h.x[d.rd] = old


# --- 14.4 read, change and write: 64 bits --------------------------------------------------------


@instruction("amoswap.d rd, rs2, (rs1)", "00001 aq rl rs2 rs1 011 rd 0101111")
def amoswap_d(h, d):
    """Swap in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    store64(h, address, h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoadd.d rd, rs2, (rs1)", "00000 aq rl rs2 rs1 011 rd 0101111")
def amoadd_d(h, d):
    """Add in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    store64(h, address, old + h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoxor.d rd, rs2, (rs1)", "00100 aq rl rs2 rs1 011 rd 0101111")
def amoxor_d(h, d):
    """Exclusive or in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    store64(h, address, old ^ h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoand.d rd, rs2, (rs1)", "01100 aq rl rs2 rs1 011 rd 0101111")
def amoand_d(h, d):
    """And in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    store64(h, address, old & h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amoor.d rd, rs2, (rs1)", "01000 aq rl rs2 rs1 011 rd 0101111")
def amoor_d(h, d):
    """Or in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    store64(h, address, old | h.x[d.rs2])
    h.x[d.rd] = old


@instruction("amomin.d rd, rs2, (rs1)", "10000 aq rl rs2 rs1 011 rd 0101111")
def amomin_d(h, d):
    """Signed minimum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    new = h.x[d.rs2]
    store64(h, address, select(old < new, old, new))
    h.x[d.rd] = old


@instruction("amomax.d rd, rs2, (rs1)", "10100 aq rl rs2 rs1 011 rd 0101111")
def amomax_d(h, d):
    """Signed maximum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    new = h.x[d.rs2]
    store64(h, address, select(old < new, new, old))
    h.x[d.rd] = old


@instruction("amominu.d rd, rs2, (rs1)", "11000 aq rl rs2 rs1 011 rd 0101111")
def amominu_d(h, d):
    """Unsigned minimum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    new = h.x[d.rs2]
    store64(h, address, select(ult(old, new), old, new))
    h.x[d.rd] = old


@instruction("amomaxu.d rd, rs2, (rs1)", "11100 aq rl rs2 rs1 011 rd 0101111")
def amomaxu_d(h, d):
    """Unsigned maximum in memory, atomically; rd is the old value (14.4)."""
    address = amo_address(h, h.x[d.rs1], 8)
    old = load64(h, address)
    new = h.x[d.rs2]
    store64(h, address, select(ult(old, new), new, old))
    h.x[d.rd] = old


RV64A = Extension.of("A", "Atomic instructions", globals())
