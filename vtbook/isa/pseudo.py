"""Pseudo-instructions: spellings of other instructions (RISC-V assembly programmer's manual).

One table serves both directions. The assembler rewrites a pseudo-instruction into its steps; the
disassembler prints the first pseudo-instruction whose single step matches, as objdump does. Steps
are written in assembly language; a name from the pseudo-instruction's own syntax stands for what
the programmer wrote there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pseudo:
    """A pseudo-instruction.

    ``syntax`` names its operands; ``steps`` are the instructions it stands for. ``prints`` and
    ``assembles`` say in which directions it is used. ``fields`` gives values to fields of the
    encoding that have no place in the step's syntax.
    """

    syntax: str
    steps: tuple[str, ...]
    prints: bool = True
    assembles: bool = True
    fields: Mapping[str, int] = field(default_factory=dict)


def _alias(syntax: str, step: str, *, prints: bool = True, assembles: bool = True) -> Pseudo:
    return Pseudo(syntax, (step,), prints, assembles)


def _accept(syntax: str, *steps: str) -> Pseudo:
    """Assembles, but the disassembler doesn't print it."""
    return Pseudo(syntax, steps, prints=False)


def _table() -> list[Pseudo]:
    return [
        *_INTEGER, *_IMMEDIATE_FORMS, *_CONTROL, *_CSR, *_FENCES,
        *_float("s"), *_float("d"), *_OLD_FLOAT, *_COMPRESSED, *_SEQUENCES, *_symbol_access(),
    ]  # fmt: skip


_INTEGER = [
    _alias("nop", "addi x0, x0, 0"),
    _alias("li rd, imm", "addi rd, x0, imm", assembles=False),  # the assembler knows all constants
    _alias("mv rd, rs1", "addi rd, rs1, 0"),
    _alias("not rd, rs1", "xori rd, rs1, -1"),
    _alias("neg rd, rs2", "sub rd, x0, rs2"),
    _alias("negw rd, rs2", "subw rd, x0, rs2"),
    _alias("sext.w rd, rs1", "addiw rd, rs1, 0"),
    _alias("zext.b rd, rs1", "andi rd, rs1, 255"),
    _alias("seqz rd, rs1", "sltiu rd, rs1, 1"),
    _alias("snez rd, rs2", "sltu rd, x0, rs2"),
    _alias("sltz rd, rs1", "slt rd, rs1, x0"),
    _alias("sgtz rd, rs2", "slt rd, x0, rs2"),
    _accept("move rd, rs1", "addi rd, rs1, 0"),
    _accept("sgt rd, rs1, rs2", "slt rd, rs2, rs1"),
    _accept("sgtu rd, rs1, rs2", "sltu rd, rs2, rs1"),
]

#: ``add rd, rs1, 5`` and the like: the GNU assembler takes the immediate form.
_IMMEDIATE_FORMS = [
    *(
        _accept(f"{name} rd, rs1, imm", f"{target} rd, rs1, imm")
        for name, target in {
            "add": "addi", "addw": "addiw", "and": "andi", "or": "ori", "xor": "xori",
            "slt": "slti", "sltu": "sltiu", "sll": "slli", "srl": "srli", "sra": "srai",
            "sllw": "slliw", "srlw": "srliw", "sraw": "sraiw",
        }.items()
    ),
    *(
        _accept(f"{name} rd, csr, imm", f"{name}i rd, csr, imm")
        for name in ("csrrw", "csrrs", "csrrc")
    ),
]  # fmt: skip

_CONTROL = [
    _alias("j imm", "jal x0, imm"),
    _alias("jal imm", "jal x1, imm"),
    _alias("ret", "jalr x0, 0(x1)"),
    _alias("jr rs1", "jalr x0, 0(rs1)"),
    _alias("jr imm(rs1)", "jalr x0, imm(rs1)"),
    _alias("jalr rs1", "jalr x1, 0(rs1)"),
    _alias("jalr imm(rs1)", "jalr x1, imm(rs1)"),
    _accept("jr rs1, imm", "jalr x0, imm(rs1)"),
    _accept("jalr rs1, imm", "jalr x1, imm(rs1)"),
    _accept("jalr rd, rs1", "jalr rd, 0(rs1)"),
    _accept("jalr rd, rs1, imm", "jalr rd, imm(rs1)"),
    _alias("beqz rs1, imm", "beq rs1, x0, imm"),
    _alias("bnez rs1, imm", "bne rs1, x0, imm"),
    _alias("blez rs2, imm", "bge x0, rs2, imm"),
    _alias("bgez rs1, imm", "bge rs1, x0, imm"),
    _alias("bltz rs1, imm", "blt rs1, x0, imm"),
    _alias("bgtz rs2, imm", "blt x0, rs2, imm"),
    _accept("bgt rs1, rs2, imm", "blt rs2, rs1, imm"),
    _accept("ble rs1, rs2, imm", "bge rs2, rs1, imm"),
    _accept("bgtu rs1, rs2, imm", "bltu rs2, rs1, imm"),
    _accept("bleu rs1, rs2, imm", "bgeu rs2, rs1, imm"),
    _accept("scall", "ecall"),
    _accept("sbreak", "ebreak"),
]

_CSR = [
    _alias("unimp", "csrrw x0, cycle, x0"),  # always illegal: the counter cannot be written
    _alias("rdcycle rd", "csrrs rd, cycle, x0"),
    _alias("rdtime rd", "csrrs rd, time, x0"),
    _alias("rdinstret rd", "csrrs rd, instret, x0"),
    _alias("frcsr rd", "csrrs rd, fcsr, x0"),
    _alias("frrm rd", "csrrs rd, frm, x0"),
    _alias("frflags rd", "csrrs rd, fflags, x0"),
    _alias("fscsr rs1", "csrrw x0, fcsr, rs1"),
    _alias("fsrm rs1", "csrrw x0, frm, rs1"),
    _alias("fsflags rs1", "csrrw x0, fflags, rs1"),
    _alias("fscsr rd, rs1", "csrrw rd, fcsr, rs1"),
    _alias("fsrm rd, rs1", "csrrw rd, frm, rs1"),
    _alias("fsflags rd, rs1", "csrrw rd, fflags, rs1"),
    _alias("fsrmi zimm", "csrrwi x0, frm, zimm"),
    _alias("fsflagsi zimm", "csrrwi x0, fflags, zimm"),
    _alias("fsrmi rd, zimm", "csrrwi rd, frm, zimm"),
    _alias("fsflagsi rd, zimm", "csrrwi rd, fflags, zimm"),
    _alias("csrr rd, csr", "csrrs rd, csr, x0"),
    _alias("csrw csr, rs1", "csrrw x0, csr, rs1"),
    _alias("csrs csr, rs1", "csrrs x0, csr, rs1"),
    _alias("csrc csr, rs1", "csrrc x0, csr, rs1"),
    _alias("csrwi csr, zimm", "csrrwi x0, csr, zimm"),
    _alias("csrsi csr, zimm", "csrrsi x0, csr, zimm"),
    _alias("csrci csr, zimm", "csrrci x0, csr, zimm"),
    _accept("csrw csr, zimm", "csrrwi x0, csr, zimm"),
    _accept("csrs csr, zimm", "csrrsi x0, csr, zimm"),
    _accept("csrc csr, zimm", "csrrci x0, csr, zimm"),
]

_FENCES = [
    _alias("fence", "fence iorw, iorw"),
    _alias("pause", "fence w, 0"),
    Pseudo("fence.tso", ("fence rw, rw",), fields={"fm": 8}),
    _alias("sfence.vma", "sfence.vma x0, x0"),
    _alias("sfence.vma rs1", "sfence.vma rs1, x0"),
]


def _float(size: str) -> list[Pseudo]:
    """Signs and comparisons of one floating-point format (the manual's table of pseudos)."""
    return [
        _alias(f"fmv.{size} fd, fs1", f"fsgnj.{size} fd, fs1, fs1"),
        _alias(f"fneg.{size} fd, fs1", f"fsgnjn.{size} fd, fs1, fs1"),
        _alias(f"fabs.{size} fd, fs1", f"fsgnjx.{size} fd, fs1, fs1"),
        _accept(f"fgt.{size} rd, fs1, fs2", f"flt.{size} rd, fs2, fs1"),
        _accept(f"fge.{size} rd, fs1, fs2", f"fle.{size} rd, fs2, fs1"),
    ]


_OLD_FLOAT = [
    _accept("fmv.x.s rd, fs1", "fmv.x.w rd, fs1"),
    _accept("fmv.s.x fd, rs1", "fmv.w.x fd, rs1"),
]

_COMPRESSED = [
    _alias("c.nop", "c.addi x0, 0", prints=False),
    _alias("nop", "c.addi x0, 0", assembles=False),
    _alias("mv rd, rs2", "c.mv rd, rs2", assembles=False),
]

#: Those that take more than one instruction. ``%pcrel_lo(. - 4)`` is the rest of the auipc before.
_SEQUENCES = [
    _accept("sext.b rd, rs1", "slli rd, rs1, 56", "srai rd, rd, 56"),
    _accept("sext.h rd, rs1", "slli rd, rs1, 48", "srai rd, rd, 48"),
    _accept("zext.h rd, rs1", "slli rd, rs1, 48", "srli rd, rd, 48"),
    _accept("zext.w rd, rs1", "slli rd, rs1, 32", "srli rd, rd, 32"),
    *(
        _accept(
            f"{name} rd, symbol",
            "auipc rd, %pcrel_hi(symbol)",
            "addi rd, rd, %pcrel_lo(. - 4)",
        )
        for name in ("la", "lla")
    ),
    _accept("call symbol", "auipc x1, %pcrel_hi(symbol)", "jalr x1, %pcrel_lo(. - 4)(x1)"),
    _accept("call rd, symbol", "auipc rd, %pcrel_hi(symbol)", "jalr rd, %pcrel_lo(. - 4)(rd)"),
    _accept("tail symbol", "auipc x6, %pcrel_hi(symbol)", "jalr x0, %pcrel_lo(. - 4)(x6)"),
    _accept("jump symbol, rs1", "auipc rs1, %pcrel_hi(symbol)", "jalr x0, %pcrel_lo(. - 4)(rs1)"),
]


def _symbol_access() -> list[Pseudo]:
    """Loads from and stores to a symbol. Those that can't put the address in rd name a register."""
    table = [
        _accept(
            f"{name} rd, symbol",
            "auipc rd, %pcrel_hi(symbol)",
            f"{name} rd, %pcrel_lo(. - 4)(rd)",
        )
        for name in ("lb", "lbu", "lh", "lhu", "lw", "lwu", "ld")
    ]
    operands = dict.fromkeys(("sb", "sh", "sw", "sd"), "rs2")
    operands |= dict.fromkeys(("fsw", "fsd"), "fs2") | dict.fromkeys(("flw", "fld"), "fd")
    table += [
        _accept(
            f"{name} {operand}, symbol, rs1",
            "auipc rs1, %pcrel_hi(symbol)",
            f"{name} {operand}, %pcrel_lo(. - 4)(rs1)",
        )
        for name, operand in operands.items()
    ]
    return table


#: Every pseudo-instruction; of several that match, the disassembler takes the first.
PSEUDOS: tuple[Pseudo, ...] = tuple(_table())

#: Conversions whose result is always exact: the rounding mode is left out and means 0 (rne).
EXACT_CONVERSIONS = frozenset({"fcvt.d.w", "fcvt.d.wu", "fcvt.d.s"})

#: Names of the rounding modes (unprivileged specification, table 20.1).
ROUNDING_MODES = {"rne": 0, "rtz": 1, "rdn": 2, "rup": 3, "rmm": 4, "dyn": 7}


def default_rounding(mnemonic: str) -> int:
    """The rounding mode of an instruction written without one."""
    return ROUNDING_MODES["rne" if mnemonic in EXACT_CONVERSIONS else "dyn"]
