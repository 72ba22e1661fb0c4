"""M, integer multiplication and division (unprivileged specification, chapter 13)."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.operations import div, divu, mulh, mulhsu, mulhu, rem, remu, sext32


@instruction("mul rd, rs1, rs2", "0000001 rs2 rs1 000 rd 0110011")
def mul(h, d):
    """The low 64 bits of the product (13.1)."""
    h.x[d.rd] = h.x[d.rs1] * h.x[d.rs2]


@instruction("mulh rd, rs1, rs2", "0000001 rs2 rs1 001 rd 0110011")
def mulh_(h, d):
    """The high 64 bits of the signed product (13.1)."""
    h.x[d.rd] = mulh(h.x[d.rs1], h.x[d.rs2])


@instruction("mulhsu rd, rs1, rs2", "0000001 rs2 rs1 010 rd 0110011")
def mulhsu_(h, d):
    """The high 64 bits of signed times unsigned (13.1)."""
    h.x[d.rd] = mulhsu(h.x[d.rs1], h.x[d.rs2])


@instruction("mulhu rd, rs1, rs2", "0000001 rs2 rs1 011 rd 0110011")
def mulhu_(h, d):
    """The high 64 bits of the unsigned product (13.1)."""
    h.x[d.rd] = mulhu(h.x[d.rs1], h.x[d.rs2])


@instruction("div rd, rs1, rs2", "0000001 rs2 rs1 100 rd 0110011")
def div_(h, d):
    """Signed quotient (13.2)."""
    h.x[d.rd] = div(h.x[d.rs1], h.x[d.rs2])


@instruction("divu rd, rs1, rs2", "0000001 rs2 rs1 101 rd 0110011")
def divu_(h, d):
    """Unsigned quotient (13.2)."""
    h.x[d.rd] = divu(h.x[d.rs1], h.x[d.rs2])


@instruction("rem rd, rs1, rs2", "0000001 rs2 rs1 110 rd 0110011")
def rem_(h, d):
    """Signed remainder (13.2)."""
    h.x[d.rd] = rem(h.x[d.rs1], h.x[d.rs2])


@instruction("remu rd, rs1, rs2", "0000001 rs2 rs1 111 rd 0110011")
def remu_(h, d):
    """Unsigned remainder (13.2)."""
    h.x[d.rd] = remu(h.x[d.rs1], h.x[d.rs2])


@instruction("mulw rd, rs1, rs2", "0000001 rs2 rs1 000 rd 0111011")
def mulw(h, d):
    """The low 32 bits of the product, sign-extended (13.1)."""
    h.x[d.rd] = sext32(h.x[d.rs1] * h.x[d.rs2])


@instruction("divw rd, rs1, rs2", "0000001 rs2 rs1 100 rd 0111011")
def divw(h, d):
    """Signed quotient of the low 32 bits, sign-extended (13.2)."""
    h.x[d.rd] = sext32(div(sext32(h.x[d.rs1]), sext32(h.x[d.rs2])))


@instruction("divuw rd, rs1, rs2", "0000001 rs2 rs1 101 rd 0111011")
def divuw(h, d):
    """Unsigned quotient of the low 32 bits, sign-extended (13.2)."""
    h.x[d.rd] = sext32(divu(h.x[d.rs1] & 0xFFFFFFFF, h.x[d.rs2] & 0xFFFFFFFF))


@instruction("remw rd, rs1, rs2", "0000001 rs2 rs1 110 rd 0111011")
def remw(h, d):
    """Signed remainder of the low 32 bits, sign-extended (13.2)."""
    h.x[d.rd] = sext32(rem(sext32(h.x[d.rs1]), sext32(h.x[d.rs2])))


@instruction("remuw rd, rs1, rs2", "0000001 rs2 rs1 111 rd 0111011")
def remuw(h, d):
    """Unsigned remainder of the low 32 bits, sign-extended (13.2)."""
    h.x[d.rd] = sext32(remu(h.x[d.rs1] & 0xFFFFFFFF, h.x[d.rs2] & 0xFFFFFFFF))


RV64M = Extension.of("M", "Integer multiplication and division", globals())
