"""D, double-precision floating point (unprivileged specification, chapter 21).

The arithmetic is in ``vtbook.isa.softfloat``."""

from vtbook.isa.definition import Extension, instruction
from vtbook.isa.floating import accrue, need_float, rounding
from vtbook.isa.operations import load64, store64
from vtbook.isa.softfloat import (
    box32,
    f32_to_f64,
    f64_add_fast,
    f64_classify,
    f64_div_fast,
    f64_eq,
    f64_fma_fast,
    f64_le,
    f64_lt,
    f64_max,
    f64_min,
    f64_mul_fast,
    f64_sqrt_fast,
    f64_sub_fast,
    f64_to_f32,
    f64_to_i32,
    f64_to_i64,
    f64_to_u32,
    f64_to_u64,
    i32_to_f64,
    i64_to_f64,
    u32_to_f64,
    u64_to_f64,
    unbox32,
)

SIGN = -(1 << 63)  # the sign bit of a double, as a signed integer

# --- 21.3 loads and stores


@instruction("fld fd, imm(rs1)", "imm[11:0] rs1 011 fd 0000111")
def fld(h, d):
    """Load a double (21.3)."""
    need_float(h)
    h.f[d.fd] = load64(h, h.x[d.rs1] + d.imm)
    accrue(h, 0)


@instruction("fsd fs2, imm(rs1)", "imm[11:5] fs2 rs1 011 imm[4:0] 0100111")
def fsd(h, d):
    """Store a double (21.3)."""
    need_float(h)
    store64(h, h.x[d.rs1] + d.imm, h.f[d.fs2])


# --- 21.4 computation


@instruction("fadd.d fd, fs1, fs2, rm", "0000001 fs2 fs1 rm fd 1010011")
def fadd_d(h, d):
    """Sum (21.4)."""
    mode = rounding(h, d.rm)
    value, flags = f64_add_fast(h.f[d.fs1], h.f[d.fs2], mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fsub.d fd, fs1, fs2, rm", "0000101 fs2 fs1 rm fd 1010011")
def fsub_d(h, d):
    """Difference (21.4)."""
    mode = rounding(h, d.rm)
    value, flags = f64_sub_fast(h.f[d.fs1], h.f[d.fs2], mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fmul.d fd, fs1, fs2, rm", "0001001 fs2 fs1 rm fd 1010011")
def fmul_d(h, d):
    """Product (21.4)."""
    mode = rounding(h, d.rm)
    value, flags = f64_mul_fast(h.f[d.fs1], h.f[d.fs2], mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fdiv.d fd, fs1, fs2, rm", "0001101 fs2 fs1 rm fd 1010011")
def fdiv_d(h, d):
    """Quotient (21.4)."""
    mode = rounding(h, d.rm)
    value, flags = f64_div_fast(h.f[d.fs1], h.f[d.fs2], mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fsqrt.d fd, fs1, rm", "0101101 00000 fs1 rm fd 1010011")
def fsqrt_d(h, d):
    """Square root (21.4)."""
    mode = rounding(h, d.rm)
    value, flags = f64_sqrt_fast(h.f[d.fs1], mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fmin.d fd, fs1, fs2", "0010101 fs2 fs1 000 fd 1010011")
def fmin_d(h, d):
    """The smaller number; a NaN gives way (21.4)."""
    need_float(h)
    value, flags = f64_min(h.f[d.fs1], h.f[d.fs2])
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fmax.d fd, fs1, fs2", "0010101 fs2 fs1 001 fd 1010011")
def fmax_d(h, d):
    """The larger number; a NaN gives way (21.4)."""
    need_float(h)
    value, flags = f64_max(h.f[d.fs1], h.f[d.fs2])
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fmadd.d fd, fs1, fs2, fs3, rm", "fs3 01 fs2 fs1 rm fd 1000011")
def fmadd_d(h, d):
    """fs1 × fs2 + fs3, rounded once (21.4)."""
    mode = rounding(h, d.rm)
    product = h.f[d.fs1]
    addend = h.f[d.fs3]
    value, flags = f64_fma_fast(product, h.f[d.fs2], addend, mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fmsub.d fd, fs1, fs2, fs3, rm", "fs3 01 fs2 fs1 rm fd 1000111")
def fmsub_d(h, d):
    """fs1 × fs2 - fs3, rounded once (21.4)."""
    mode = rounding(h, d.rm)
    product = h.f[d.fs1]
    addend = h.f[d.fs3] ^ SIGN
    value, flags = f64_fma_fast(product, h.f[d.fs2], addend, mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fnmsub.d fd, fs1, fs2, fs3, rm", "fs3 01 fs2 fs1 rm fd 1001011")
def fnmsub_d(h, d):
    """-(fs1 × fs2) + fs3, rounded once (21.4)."""
    mode = rounding(h, d.rm)
    product = h.f[d.fs1] ^ SIGN
    addend = h.f[d.fs3]
    value, flags = f64_fma_fast(product, h.f[d.fs2], addend, mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fnmadd.d fd, fs1, fs2, fs3, rm", "fs3 01 fs2 fs1 rm fd 1001111")
def fnmadd_d(h, d):
    """-(fs1 × fs2) - fs3, rounded once (21.4)."""
    mode = rounding(h, d.rm)
    product = h.f[d.fs1] ^ SIGN
    addend = h.f[d.fs3] ^ SIGN
    value, flags = f64_fma_fast(product, h.f[d.fs2], addend, mode, h.fflags)
    h.f[d.fd] = value
    accrue(h, flags)


# --- 21.5 conversion and moves


@instruction("fcvt.w.d rd, fs1, rm", "1100001 00000 fs1 rm rd 1010011")
def fcvt_w_d(h, d):
    """To a signed 32-bit integer, clamped (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = f64_to_i32(h.f[d.fs1], mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.d.w fd, rs1, rm", "1101001 00000 rs1 rm fd 1010011")
def fcvt_d_w(h, d):
    """From a signed 32-bit integer (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = i32_to_f64(h.x[d.rs1], mode)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fcvt.wu.d rd, fs1, rm", "1100001 00001 fs1 rm rd 1010011")
def fcvt_wu_d(h, d):
    """To a unsigned 32-bit integer, clamped (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = f64_to_u32(h.f[d.fs1], mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.d.wu fd, rs1, rm", "1101001 00001 rs1 rm fd 1010011")
def fcvt_d_wu(h, d):
    """From a unsigned 32-bit integer (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = u32_to_f64(h.x[d.rs1], mode)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fcvt.l.d rd, fs1, rm", "1100001 00010 fs1 rm rd 1010011")
def fcvt_l_d(h, d):
    """To a signed 64-bit integer, clamped (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = f64_to_i64(h.f[d.fs1], mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.d.l fd, rs1, rm", "1101001 00010 rs1 rm fd 1010011")
def fcvt_d_l(h, d):
    """From a signed 64-bit integer (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = i64_to_f64(h.x[d.rs1], mode)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fcvt.lu.d rd, fs1, rm", "1100001 00011 fs1 rm rd 1010011")
def fcvt_lu_d(h, d):
    """To a unsigned 64-bit integer, clamped (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = f64_to_u64(h.f[d.fs1], mode)
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fcvt.d.lu fd, rs1, rm", "1101001 00011 rs1 rm fd 1010011")
def fcvt_d_lu(h, d):
    """From a unsigned 64-bit integer (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = u64_to_f64(h.x[d.rs1], mode)
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fcvt.s.d fd, fs1, rm", "0100000 00001 fs1 rm fd 1010011")
def fcvt_s_d(h, d):
    """Double to single (21.5)."""
    mode = rounding(h, d.rm)
    value, flags = f64_to_f32(h.f[d.fs1], mode)
    h.f[d.fd] = box32(value)
    accrue(h, flags)


@instruction("fcvt.d.s fd, fs1, rm", "0100001 00000 fs1 rm fd 1010011")
def fcvt_d_s(h, d):
    """Single to double, exact (21.5)."""
    rounding(h, d.rm)
    value, flags = f32_to_f64(unbox32(h.f[d.fs1]))
    h.f[d.fd] = value
    accrue(h, flags)


@instruction("fsgnj.d fd, fs1, fs2", "0010001 fs2 fs1 000 fd 1010011")
def fsgnj_d(h, d):
    """The magnitude of fs1 with the sign of fs2 (21.5)."""
    need_float(h)
    a = h.f[d.fs1]
    b = h.f[d.fs2]
    h.f[d.fd] = (a & ~SIGN) | (b & SIGN)
    accrue(h, 0)


@instruction("fsgnjn.d fd, fs1, fs2", "0010001 fs2 fs1 001 fd 1010011")
def fsgnjn_d(h, d):
    """The magnitude of fs1 with the opposite sign of fs2 (21.5)."""
    need_float(h)
    a = h.f[d.fs1]
    b = h.f[d.fs2]
    h.f[d.fd] = (a & ~SIGN) | (~b & SIGN)
    accrue(h, 0)


@instruction("fsgnjx.d fd, fs1, fs2", "0010001 fs2 fs1 010 fd 1010011")
def fsgnjx_d(h, d):
    """The magnitude of fs1 with the product of both signs (21.5)."""
    need_float(h)
    a = h.f[d.fs1]
    b = h.f[d.fs2]
    h.f[d.fd] = (a & ~SIGN) | ((a ^ b) & SIGN)
    accrue(h, 0)


@instruction("fmv.x.d rd, fs1", "1110001 00000 fs1 000 rd 1010011")
def fmv_x_d(h, d):
    """The register's bits (21.5)."""
    need_float(h)
    h.x[d.rd] = h.f[d.fs1]


@instruction("fmv.d.x fd, rs1", "1111001 00000 rs1 000 fd 1010011")
def fmv_d_x(h, d):
    """Bits from an integer register (21.5)."""
    need_float(h)
    h.f[d.fd] = h.x[d.rs1]
    accrue(h, 0)


# --- 21.6 comparison, classification


@instruction("feq.d rd, fs1, fs2", "1010001 fs2 fs1 010 rd 1010011")
def feq_d(h, d):
    """1 if equal; quiet (21.6)."""
    need_float(h)
    value, flags = f64_eq(h.f[d.fs1], h.f[d.fs2])
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("flt.d rd, fs1, fs2", "1010001 fs2 fs1 001 rd 1010011")
def flt_d(h, d):
    """1 if less; signals on any NaN (21.6)."""
    need_float(h)
    value, flags = f64_lt(h.f[d.fs1], h.f[d.fs2])
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fle.d rd, fs1, fs2", "1010001 fs2 fs1 000 rd 1010011")
def fle_d(h, d):
    """1 if less or equal; signals on any NaN (21.6)."""
    need_float(h)
    value, flags = f64_le(h.f[d.fs1], h.f[d.fs2])
    h.x[d.rd] = value
    accrue(h, flags)


@instruction("fclass.d rd, fs1", "1110001 00000 fs1 001 rd 1010011")
def fclass_d(h, d):
    """Ten bits, one of them set: what kind of number it is (21.7)."""
    need_float(h)
    h.x[d.rd] = f64_classify(h.f[d.fs1])


RV64D = Extension.of("D", "Double-precision floating point", globals())
