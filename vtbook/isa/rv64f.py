"""F, single-precision floating point (unprivileged specification, chapter 20).

The arithmetic is in ``vtbook.isa.softfloat``."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.floating import accrue, need_float, rounding
from vtbook.isa.operations import load32, sext32, store32
from vtbook.isa.softfloat import (
    box32,
    f32_add_fast,
    f32_classify,
    f32_div_fast,
    f32_eq,
    f32_fma_fast,
    f32_le,
    f32_lt,
    f32_max,
    f32_min,
    f32_mul_fast,
    f32_sqrt_fast,
    f32_sub_fast,
    f32_to_i32,
    f32_to_i64,
    f32_to_u32,
    f32_to_u64,
    i32_to_f32,
    i64_to_f32,
    u32_to_f32,
    u64_to_f32,
    unbox32,
)

# --- 20.5 loads and stores


@instruction("flw fd, imm(rs1)", "imm[11:0] rs1 010 fd 0000111")
def flw(h, d):
    """Load a single (20.5)."""
    need_float(h)
    h.f[d.fd] = box32(load32(h, h.x[d.rs1] + d.imm))
    accrue(h, 0)


@instruction("fsw fs2, imm(rs1)", "imm[11:5] fs2 rs1 010 imm[4:0] 0100111")
def fsw(h, d):
    """Store the low 32 bits of a register (20.5)."""
    need_float(h)
    store32(h, h.x[d.rs1] + d.imm, h.f[d.fs2])


# --- 20.6 computation


@instruction("fadd.s fd, fs1, fs2, rm", "0000000 fs2 fs1 rm fd 1010011")
def fadd_s(h, d):
    """Sum (20.6)."""
    mode = rounding(h, d.rm)
    value, flags = f32_add_fast(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]), mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fsub.s fd, fs1, fs2, rm", "0000100 fs2 fs1 rm fd 1010011")
def fsub_s(h, d):
    """Difference (20.6)."""
    mode = rounding(h, d.rm)
    value, flags = f32_sub_fast(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]), mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fmul.s fd, fs1, fs2, rm", "0001000 fs2 fs1 rm fd 1010011")
def fmul_s(h, d):
    """Product (20.6)."""
    mode = rounding(h, d.rm)
    value, flags = f32_mul_fast(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]), mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fdiv.s fd, fs1, fs2, rm", "0001100 fs2 fs1 rm fd 1010011")
def fdiv_s(h, d):
    """Quotient (20.6)."""
    mode = rounding(h, d.rm)
    value, flags = f32_div_fast(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]), mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fsqrt.s fd, fs1, rm", "0101100 00000 fs1 rm fd 1010011")
def fsqrt_s(h, d):
    """Square root (20.6)."""
    mode = rounding(h, d.rm)
    value, flags = f32_sqrt_fast(unbox32(h.f[d.fs1]), mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fmin.s fd, fs1, fs2", "0010100 fs2 fs1 000 fd 1010011")
def fmin_s(h, d):
    """The smaller number; a NaN gives way (20.6)."""
    need_float(h)
    value, flags = f32_min(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]))
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fmax.s fd, fs1, fs2", "0010100 fs2 fs1 001 fd 1010011")
def fmax_s(h, d):
    """The larger number; a NaN gives way (20.6)."""
    need_float(h)
    value, flags = f32_max(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]))
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fmadd.s fd, fs1, fs2, fs3, rm", "fs3 00 fs2 fs1 rm fd 1000011")
def fmadd_s(h, d):
    """fs1 × fs2 + fs3, rounded once (20.6)."""
    mode = rounding(h, d.rm)
    product = unbox32(h.f[d.fs1])
    addend = unbox32(h.f[d.fs3])
    value, flags = f32_fma_fast(product, unbox32(h.f[d.fs2]), addend, mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fmsub.s fd, fs1, fs2, fs3, rm", "fs3 00 fs2 fs1 rm fd 1000111")
def fmsub_s(h, d):
    """fs1 × fs2 - fs3, rounded once (20.6)."""
    mode = rounding(h, d.rm)
    product = unbox32(h.f[d.fs1])
    addend = unbox32(h.f[d.fs3]) ^ 0x80000000
    value, flags = f32_fma_fast(product, unbox32(h.f[d.fs2]), addend, mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fnmsub.s fd, fs1, fs2, fs3, rm", "fs3 00 fs2 fs1 rm fd 1001011")
def fnmsub_s(h, d):
    """-(fs1 × fs2) + fs3, rounded once (20.6)."""
    mode = rounding(h, d.rm)
    product = unbox32(h.f[d.fs1]) ^ 0x80000000
    addend = unbox32(h.f[d.fs3])
    value, flags = f32_fma_fast(product, unbox32(h.f[d.fs2]), addend, mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fnmadd.s fd, fs1, fs2, fs3, rm", "fs3 00 fs2 fs1 rm fd 1001111")
def fnmadd_s(h, d):
    """-(fs1 × fs2) - fs3, rounded once (20.6)."""
    mode = rounding(h, d.rm)
    product = unbox32(h.f[d.fs1]) ^ 0x80000000
    addend = unbox32(h.f[d.fs3]) ^ 0x80000000
    value, flags = f32_fma_fast(product, unbox32(h.f[d.fs2]), addend, mode, h.fflags)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


# --- 20.7 conversion and moves


@instruction("fcvt.w.s rd, fs1, rm", "1100000 00000 fs1 rm rd 1010011")
def fcvt_w_s(h, d):
    """To a signed 32-bit integer, clamped (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = f32_to_i32(unbox32(h.f[d.fs1]), mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.s.w fd, rs1, rm", "1101000 00000 rs1 rm fd 1010011")
def fcvt_s_w(h, d):
    """From a signed 32-bit integer (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = i32_to_f32(h.x[d.rs1], mode)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fcvt.wu.s rd, fs1, rm", "1100000 00001 fs1 rm rd 1010011")
def fcvt_wu_s(h, d):
    """To a unsigned 32-bit integer, clamped (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = f32_to_u32(unbox32(h.f[d.fs1]), mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.s.wu fd, rs1, rm", "1101000 00001 rs1 rm fd 1010011")
def fcvt_s_wu(h, d):
    """From a unsigned 32-bit integer (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = u32_to_f32(h.x[d.rs1], mode)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fcvt.l.s rd, fs1, rm", "1100000 00010 fs1 rm rd 1010011")
def fcvt_l_s(h, d):
    """To a signed 64-bit integer, clamped (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = f32_to_i64(unbox32(h.f[d.fs1]), mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.s.l fd, rs1, rm", "1101000 00010 rs1 rm fd 1010011")
def fcvt_s_l(h, d):
    """From a signed 64-bit integer (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = i64_to_f32(h.x[d.rs1], mode)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fcvt.lu.s rd, fs1, rm", "1100000 00011 fs1 rm rd 1010011")
def fcvt_lu_s(h, d):
    """To a unsigned 64-bit integer, clamped (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = f32_to_u64(unbox32(h.f[d.fs1]), mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.s.lu fd, rs1, rm", "1101000 00011 rs1 rm fd 1010011")
def fcvt_s_lu(h, d):
    """From a unsigned 64-bit integer (20.7)."""
    mode = rounding(h, d.rm)
    value, flags = u64_to_f32(h.x[d.rs1], mode)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fsgnj.s fd, fs1, fs2", "0010000 fs2 fs1 000 fd 1010011")
def fsgnj_s(h, d):
    """The magnitude of fs1 with the sign of fs2 (20.7)."""
    need_float(h)
    a = unbox32(h.f[d.fs1])
    b = unbox32(h.f[d.fs2])
    h.f[d.fd] = box32((a & 0x7FFFFFFF) | (b & 0x80000000))
    accrue(h, 0)


@instruction("fsgnjn.s fd, fs1, fs2", "0010000 fs2 fs1 001 fd 1010011")
def fsgnjn_s(h, d):
    """The magnitude of fs1 with the opposite sign of fs2 (20.7)."""
    need_float(h)
    a = unbox32(h.f[d.fs1])
    b = unbox32(h.f[d.fs2])
    h.f[d.fd] = box32((a & 0x7FFFFFFF) | (~b & 0x80000000))
    accrue(h, 0)


@instruction("fsgnjx.s fd, fs1, fs2", "0010000 fs2 fs1 010 fd 1010011")
def fsgnjx_s(h, d):
    """The magnitude of fs1 with the product of both signs (20.7)."""
    need_float(h)
    a = unbox32(h.f[d.fs1])
    b = unbox32(h.f[d.fs2])
    h.f[d.fd] = box32((a & 0x7FFFFFFF) | ((a ^ b) & 0x80000000))
    accrue(h, 0)


@instruction("fmv.x.w rd, fs1", "1110000 00000 fs1 000 rd 1010011")
def fmv_x_w(h, d):
    """The register's bits, sign-extended from 32 (20.7)."""
    need_float(h)
    h.x[d.rd] = sext32(h.f[d.fs1])


@instruction("fmv.w.x fd, rs1", "1111000 00000 rs1 000 fd 1010011")
def fmv_w_x(h, d):
    """Bits from an integer register (20.7)."""
    need_float(h)
    h.f[d.fd] = box32(h.x[d.rs1] & 0xFFFFFFFF)
    accrue(h, 0)


# --- 20.8 comparison, classification


@instruction("feq.s rd, fs1, fs2", "1010000 fs2 fs1 010 rd 1010011")
def feq_s(h, d):
    """1 if equal; quiet (20.8)."""
    need_float(h)
    value, flags = f32_eq(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]))
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("flt.s rd, fs1, fs2", "1010000 fs2 fs1 001 rd 1010011")
def flt_s(h, d):
    """1 if less; signals on any NaN (20.8)."""
    need_float(h)
    value, flags = f32_lt(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]))
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fle.s rd, fs1, fs2", "1010000 fs2 fs1 000 rd 1010011")
def fle_s(h, d):
    """1 if less or equal; signals on any NaN (20.8)."""
    need_float(h)
    value, flags = f32_le(unbox32(h.f[d.fs1]), unbox32(h.f[d.fs2]))
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fclass.s rd, fs1", "1110000 00000 fs1 001 rd 1010011")
def fclass_s(h, d):
    """Ten bits, one of them set: what kind of number it is (20.9)."""
    need_float(h)
    h.x[d.rd] = f32_classify(unbox32(h.f[d.fs1]))


RV64F = Extension.of("F", "Single-precision floating point", globals())
