"""RV64I, the base integer instruction set (unprivileged specification, chapters 2 and 4)."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import (
    branch,
    check_target,
    jump,
    load8,
    load16,
    load32,
    load64,
    raise_trap,
    select,
    sext8,
    sext16,
    sext32,
    srl,
    store8,
    store16,
    store32,
    store64,
    ult,
)

# --- 2.4 integer computation: register with immediate --------------------------------------------


@instruction("lui rd, imm[31:12]", "imm[31:12] rd 0110111")
def lui(h, d):
    """Load the upper 20 bits (2.4.1)."""
    h.x[d.rd] = d.imm


@instruction("auipc rd, imm[31:12]", "imm[31:12] rd 0010111")
def auipc(h, d):
    """Add the upper 20 bits to the pc (2.4.1)."""
    h.x[d.rd] = h.pc + d.imm


@instruction("addi rd, rs1, imm", "imm[11:0] rs1 000 rd 0010011")
def addi(h, d):
    """Add the immediate (2.4.1)."""
    h.x[d.rd] = h.x[d.rs1] + d.imm


@instruction("slti rd, rs1, imm", "imm[11:0] rs1 010 rd 0010011")
def slti(h, d):
    """1 if less than the immediate, signed, else 0 (2.4.1)."""
    h.x[d.rd] = select(h.x[d.rs1] < d.imm, 1, 0)


@instruction("sltiu rd, rs1, imm", "imm[11:0] rs1 011 rd 0010011")
def sltiu(h, d):
    """1 if less than the sign-extended immediate, unsigned, else 0 (2.4.1)."""
    h.x[d.rd] = select(ult(h.x[d.rs1], d.imm), 1, 0)


@instruction("xori rd, rs1, imm", "imm[11:0] rs1 100 rd 0010011")
def xori(h, d):
    """Exclusive or with the immediate (2.4.1)."""
    h.x[d.rd] = h.x[d.rs1] ^ d.imm


@instruction("ori rd, rs1, imm", "imm[11:0] rs1 110 rd 0010011")
def ori(h, d):
    """Or with the immediate (2.4.1)."""
    h.x[d.rd] = h.x[d.rs1] | d.imm


@instruction("andi rd, rs1, imm", "imm[11:0] rs1 111 rd 0010011")
def andi(h, d):
    """And with the immediate (2.4.1)."""
    h.x[d.rd] = h.x[d.rs1] & d.imm


@instruction("slli rd, rs1, shamt", "000000 shamt[5:0] rs1 001 rd 0010011")
def slli(h, d):
    """Shift left (4.2.1)."""
    h.x[d.rd] = h.x[d.rs1] << d.shamt


@instruction("srli rd, rs1, shamt", "000000 shamt[5:0] rs1 101 rd 0010011")
def srli(h, d):
    """Shift right, zeros enter (4.2.1)."""
    h.x[d.rd] = srl(h.x[d.rs1], d.shamt)


@instruction("srai rd, rs1, shamt", "010000 shamt[5:0] rs1 101 rd 0010011")
def srai(h, d):
    """Shift right, the sign enters (4.2.1)."""
    h.x[d.rd] = h.x[d.rs1] >> d.shamt


@instruction("addiw rd, rs1, imm", "imm[11:0] rs1 000 rd 0011011")
def addiw(h, d):
    """Add the immediate in 32 bits, sign-extended (4.2.1)."""
    h.x[d.rd] = sext32(h.x[d.rs1] + d.imm)


@instruction("slliw rd, rs1, shamt", "0000000 shamt[4:0] rs1 001 rd 0011011")
def slliw(h, d):
    """Shift left in 32 bits, sign-extended (4.2.1)."""
    h.x[d.rd] = sext32(h.x[d.rs1] << d.shamt)


@instruction("srliw rd, rs1, shamt", "0000000 shamt[4:0] rs1 101 rd 0011011")
def srliw(h, d):
    """Shift the low 32 bits right, zeros enter; sign-extended (4.2.1)."""
    h.x[d.rd] = sext32((h.x[d.rs1] & 0xFFFFFFFF) >> d.shamt)


@instruction("sraiw rd, rs1, shamt", "0100000 shamt[4:0] rs1 101 rd 0011011")
def sraiw(h, d):
    """Shift the low 32 bits right, their sign enters (4.2.1)."""
    h.x[d.rd] = sext32(h.x[d.rs1]) >> d.shamt


# --- 2.4 integer computation: register with register ---------------------------------------------


@instruction("add rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0110011")
def add(h, d):
    """Add (2.4.2)."""
    h.x[d.rd] = h.x[d.rs1] + h.x[d.rs2]


@instruction("sub rd, rs1, rs2", "0100000 rs2 rs1 000 rd 0110011")
def sub(h, d):
    """Subtract (2.4.2)."""
    h.x[d.rd] = h.x[d.rs1] - h.x[d.rs2]


@instruction("sll rd, rs1, rs2", "0000000 rs2 rs1 001 rd 0110011")
def sll(h, d):
    """Shift left by the low 6 bits of rs2 (4.2.2)."""
    h.x[d.rd] = h.x[d.rs1] << (h.x[d.rs2] & 63)


@instruction("slt rd, rs1, rs2", "0000000 rs2 rs1 010 rd 0110011")
def slt(h, d):
    """1 if less, signed, else 0 (2.4.2)."""
    h.x[d.rd] = select(h.x[d.rs1] < h.x[d.rs2], 1, 0)


@instruction("sltu rd, rs1, rs2", "0000000 rs2 rs1 011 rd 0110011")
def sltu(h, d):
    """1 if less, unsigned, else 0 (2.4.2)."""
    h.x[d.rd] = select(ult(h.x[d.rs1], h.x[d.rs2]), 1, 0)


@instruction("xor rd, rs1, rs2", "0000000 rs2 rs1 100 rd 0110011")
def xor(h, d):
    """Exclusive or (2.4.2)."""
    h.x[d.rd] = h.x[d.rs1] ^ h.x[d.rs2]


@instruction("srl rd, rs1, rs2", "0000000 rs2 rs1 101 rd 0110011")
def srl_(h, d):
    """Shift right by the low 6 bits of rs2, zeros enter (4.2.2)."""
    h.x[d.rd] = srl(h.x[d.rs1], h.x[d.rs2] & 63)


@instruction("sra rd, rs1, rs2", "0100000 rs2 rs1 101 rd 0110011")
def sra(h, d):
    """Shift right by the low 6 bits of rs2, the sign enters (4.2.2)."""
    h.x[d.rd] = h.x[d.rs1] >> (h.x[d.rs2] & 63)


@instruction("or rd, rs1, rs2", "0000000 rs2 rs1 110 rd 0110011")
def or_(h, d):
    """Or (2.4.2)."""
    h.x[d.rd] = h.x[d.rs1] | h.x[d.rs2]


@instruction("and rd, rs1, rs2", "0000000 rs2 rs1 111 rd 0110011")
def and_(h, d):
    """And (2.4.2)."""
    h.x[d.rd] = h.x[d.rs1] & h.x[d.rs2]


@instruction("addw rd, rs1, rs2", "0000000 rs2 rs1 000 rd 0111011")
def addw(h, d):
    """Add the low 32 bits, sign-extended (4.2.2)."""
    h.x[d.rd] = sext32(h.x[d.rs1] + h.x[d.rs2])


@instruction("subw rd, rs1, rs2", "0100000 rs2 rs1 000 rd 0111011")
def subw(h, d):
    """Subtract the low 32 bits, sign-extended (4.2.2)."""
    h.x[d.rd] = sext32(h.x[d.rs1] - h.x[d.rs2])


@instruction("sllw rd, rs1, rs2", "0000000 rs2 rs1 001 rd 0111011")
def sllw(h, d):
    """Shift left in 32 bits by the low 5 bits of rs2, sign-extended (4.2.2)."""
    h.x[d.rd] = sext32(h.x[d.rs1] << (h.x[d.rs2] & 31))


@instruction("srlw rd, rs1, rs2", "0000000 rs2 rs1 101 rd 0111011")
def srlw(h, d):
    """Shift the low 32 bits right by the low 5 bits of rs2, sign-extended (4.2.2)."""
    h.x[d.rd] = sext32((h.x[d.rs1] & 0xFFFFFFFF) >> (h.x[d.rs2] & 31))


@instruction("sraw rd, rs1, rs2", "0100000 rs2 rs1 101 rd 0111011")
def sraw(h, d):
    """Shift the low 32 bits right by the low 5 bits of rs2, their sign enters (4.2.2)."""
    h.x[d.rd] = sext32(h.x[d.rs1]) >> (h.x[d.rs2] & 31)


# --- 2.5 control transfer ------------------------------------------------------------------------


@instruction("jal rd, imm", "imm[20|10:1|11|19:12] rd 1101111")
def jal(h, d):
    """Jump and link, pc-relative (2.5.1)."""
    check_target(h, h.pc + d.imm)
    h.x[d.rd] = h.pc + d.size
    branch(h, True, d.imm)


@instruction("jalr rd, imm(rs1)", "imm[11:0] rs1 000 rd 1100111")
def jalr(h, d):
    """Jump and link to a register's address; bit 0 is cleared (2.5.1)."""
    target = (h.x[d.rs1] + d.imm) & ~1
    check_target(h, target)
    h.x[d.rd] = h.pc + d.size
    jump(h, target)


@instruction("beq rs1, rs2, imm", "imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011")
def beq(h, d):
    """Branch if equal (2.5.2)."""
    branch(h, h.x[d.rs1] == h.x[d.rs2], d.imm)


@instruction("bne rs1, rs2, imm", "imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011")
def bne(h, d):
    """Branch if not equal (2.5.2)."""
    branch(h, h.x[d.rs1] != h.x[d.rs2], d.imm)


@instruction("blt rs1, rs2, imm", "imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011")
def blt(h, d):
    """Branch if less, signed (2.5.2)."""
    branch(h, h.x[d.rs1] < h.x[d.rs2], d.imm)


@instruction("bge rs1, rs2, imm", "imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011")
def bge(h, d):
    """Branch if greater or equal, signed (2.5.2)."""
    branch(h, h.x[d.rs1] >= h.x[d.rs2], d.imm)


@instruction("bltu rs1, rs2, imm", "imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011")
def bltu(h, d):
    """Branch if less, unsigned (2.5.2)."""
    branch(h, ult(h.x[d.rs1], h.x[d.rs2]), d.imm)


@instruction("bgeu rs1, rs2, imm", "imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011")
def bgeu(h, d):
    """Branch if greater or equal, unsigned (2.5.2)."""
    branch(h, ult(h.x[d.rs1], h.x[d.rs2]) == False, d.imm)  # noqa: E712


# --- 2.6 loads and stores ------------------------------------------------------------------------


@instruction("lb rd, imm(rs1)", "imm[11:0] rs1 000 rd 0000011")
def lb(h, d):
    """Load a byte, sign-extended (2.6)."""
    h.x[d.rd] = sext8(load8(h, h.x[d.rs1] + d.imm))


@instruction("lh rd, imm(rs1)", "imm[11:0] rs1 001 rd 0000011")
def lh(h, d):
    """Load two bytes, sign-extended (2.6)."""
    h.x[d.rd] = sext16(load16(h, h.x[d.rs1] + d.imm))


@instruction("lw rd, imm(rs1)", "imm[11:0] rs1 010 rd 0000011")
def lw(h, d):
    """Load four bytes, sign-extended (2.6)."""
    h.x[d.rd] = sext32(load32(h, h.x[d.rs1] + d.imm))


@instruction("ld rd, imm(rs1)", "imm[11:0] rs1 011 rd 0000011")
def ld(h, d):
    """Load eight bytes (4.3)."""
    h.x[d.rd] = load64(h, h.x[d.rs1] + d.imm)


@instruction("lbu rd, imm(rs1)", "imm[11:0] rs1 100 rd 0000011")
def lbu(h, d):
    """Load a byte, zero-extended (2.6)."""
    h.x[d.rd] = load8(h, h.x[d.rs1] + d.imm)


@instruction("lhu rd, imm(rs1)", "imm[11:0] rs1 101 rd 0000011")
def lhu(h, d):
    """Load two bytes, zero-extended (2.6)."""
    h.x[d.rd] = load16(h, h.x[d.rs1] + d.imm)


@instruction("lwu rd, imm(rs1)", "imm[11:0] rs1 110 rd 0000011")
def lwu(h, d):
    """Load four bytes, zero-extended (4.3)."""
    h.x[d.rd] = load32(h, h.x[d.rs1] + d.imm)


@instruction("sb rs2, imm(rs1)", "imm[11:5] rs2 rs1 000 imm[4:0] 0100011")
def sb(h, d):
    """Store the low byte (2.6)."""
    store8(h, h.x[d.rs1] + d.imm, h.x[d.rs2])


@instruction("sh rs2, imm(rs1)", "imm[11:5] rs2 rs1 001 imm[4:0] 0100011")
def sh(h, d):
    """Store the low two bytes (2.6)."""
    store16(h, h.x[d.rs1] + d.imm, h.x[d.rs2])


@instruction("sw rs2, imm(rs1)", "imm[11:5] rs2 rs1 010 imm[4:0] 0100011")
def sw(h, d):
    """Store the low four bytes (2.6)."""
    store32(h, h.x[d.rs1] + d.imm, h.x[d.rs2])


@instruction("sd rs2, imm(rs1)", "imm[11:5] rs2 rs1 011 imm[4:0] 0100011")
def sd(h, d):
    """Store eight bytes (4.3)."""
    store64(h, h.x[d.rs1] + d.imm, h.x[d.rs2])


# --- 2.7 memory ordering, 2.8 environment --------------------------------------------------------


@instruction("fence pred, succ", "fm pred succ rs1 000 rd 0001111")
def fence(h, d):
    """Order memory accesses (2.7). One hart after the other keeps them in order anyway."""


@instruction("ecall", "000000000000 00000 000 00000 1110011")
def ecall(h, d):
    """Call the environment: a trap whose cause names the mode, 8 for U, 9 for S, 11 for M (2.8)."""
    raise_trap(h, 8 + h.mode, 0)


@instruction("ebreak", "000000000001 00000 000 00000 1110011")
def ebreak(h, d):
    """Break to a debugger: a breakpoint trap (2.8)."""
    raise_trap(h, 3, h.pc)


RV64I = Extension.of("I", "Base integer instructions, 64-bit", globals())
