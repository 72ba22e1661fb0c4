"""Two RISC-V emulators as oracles: unicorn, and qemu-riscv64 on a program from gcc.

Both run a list of records through one instruction. A record is six 64-bit words:
registers a, b and c (singles boxed), rounding mode, and room for result and fflags.

Where they leave the specification:
- unicorn 2 (from QEMU 5.0) writes single results without the box: only the low half of
  its result counts. It also reads singles without looking at the box ("NaN Boxing of
  Narrower Values" in the D chapter decides).
- unicorn's FMIN and FMAX give NaN where one operand is a signalling NaN and the other a
  number, as IEEE 754-2008 minNum does ("If only one operand is a NaN, the result is the
  non-NaN operand" in the F chapter decides, F version 2.2).
- unicorn's fused multiply-add of infinity, 0 and a quiet NaN raises nothing ("must set the
  invalid operation exception flag when the multiplicands are infinity and zero, even when
  the addend is a quiet NaN" in the F chapter decides).
- qemu-riscv64 7.2 leaves it nowhere in these tests.
"""

import functools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import unicorn
from unicorn import riscv_const

from vtbook.isa.softfloat import box32, f32_classify, f64_classify, unbox32

from .operations import OPERATIONS, Operation

Case = tuple[tuple[int, ...], int]  # operands, rounding mode
Result = tuple[int, int]  # bits, flags

RECORD = struct.Struct("<qqqqqq")
CODE, DATA, DATA_SIZE = 0x1000_0000, 0x2000_0000, 1 << 20
SIGNALLING, QUIET = 1 << 8, 1 << 9  # classes of NaNs
ZERO_TIMES_INFINITY = {1 << zero | 1 << infinity for zero in (3, 4) for infinity in (0, 7)}
GCC, QEMU = "riscv64-linux-gnu-gcc", "qemu-riscv64"


def pack_records(cases: Sequence[Case]) -> bytes:
    records = bytearray()
    for registers, rm in cases:
        records += RECORD.pack(*registers, *[0] * (3 - len(registers)), rm, 0, 0)
    return bytes(records)


def unpack_results(records: bytes) -> list[Result]:
    return [(result, flags) for *_, result, flags in RECORD.iter_unpack(records)]


class Oracle:
    """An implementation of the instructions."""

    def run_registers(self, operation: Operation, cases: Sequence[Case]) -> list[Result]:
        """Run on raw register values, and return raw register values and flags."""
        raise NotImplementedError

    def single(self, register: int) -> int:
        """Read a single result out of a register."""
        return unbox32(register)

    def run(self, operation: Operation, cases: Sequence[Case]) -> list[Result]:
        """Run on the operands that the library's functions take, and return what they return."""
        boxed = [
            (
                tuple(
                    box32(value) if kind == "f32" else value
                    for kind, value in zip(operation.operands, operands, strict=True)
                ),
                rm,
            )
            for operands, rm in cases
        ]
        results = self.run_registers(operation, boxed)
        if operation.result != "f32":
            return results
        return [(self.single(register), flags) for register, flags in results]

    def fails(self, operation: Operation, operands: tuple[int, ...]) -> bool:
        """Tell whether the oracle is known to be wrong on these operands."""
        return False


def missing_for_qemu() -> str:
    """Name the programs that the qemu oracle lacks here, or "" if none."""
    return " and ".join(tool for tool in (GCC, QEMU) if shutil.which(tool) is None)


# The loop around the instruction under test: x5 walks the records up to x6.
BEFORE = (
    0x0002B087,  # fld f1, 0(x5)
    0x0082B107,  # fld f2, 8(x5)
    0x0102B187,  # fld f3, 16(x5)
    0x0002B503,  # ld x10, 0(x5)
    0x0182B603,  # ld x12, 24(x5)
    0x00261073,  # fsrm x12
    0x00101073,  # fsflags x0
)
MOVE_RESULT = 0xE20205D3  # fmv.x.d x11, f4
NOP = 0x00000013
AFTER = (
    0x001026F3,  # frflags x13
    0x02B2B023,  # sd x11, 32(x5)
    0x02D2B423,  # sd x13, 40(x5)
    0x03028293,  # addi x5, x5, 48
)


def branch_back(instructions: int) -> int:
    """Encode `bne x5, x6` to `instructions` before it."""
    offset = -4 * instructions
    return (
        (offset >> 12 & 1) << 31
        | (offset >> 5 & 0x3F) << 25
        | 6 << 20
        | 5 << 15
        | 1 << 12
        | (offset >> 1 & 0xF) << 8
        | (offset >> 11 & 1) << 7
        | 0x63
    )


class Unicorn(Oracle):
    """The RISC-V of unicorn."""

    def __init__(self) -> None:
        self.machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self.machine.mem_map(CODE, 1 << 20)
        self.machine.mem_map(DATA, DATA_SIZE)
        floating_point_on = self.machine.reg_read(riscv_const.UC_RISCV_REG_MSTATUS) | 3 << 13
        self.machine.reg_write(riscv_const.UC_RISCV_REG_MSTATUS, floating_point_on)
        self.loops: dict[str, tuple[int, int]] = {}
        for number, operation in enumerate(OPERATIONS):
            move = NOP if operation.result == "int" else MOVE_RESULT
            words = [*BEFORE, operation.word, move, *AFTER]
            words.append(branch_back(len(words)))
            start = CODE + 256 * number
            self.machine.mem_write(start, struct.pack(f"<{len(words)}I", *words))
            self.loops[operation.name] = (start, start + 4 * len(words))

    def single(self, register: int) -> int:
        return register & 0xFFFF_FFFF

    def fails(self, operation: Operation, operands: tuple[int, ...]) -> bool:
        action = operation.name[4:]
        if action not in ("min", "max", "fma"):
            return False
        classify = {"f32": f32_classify, "f64": f64_classify}[operation.result]
        classes = [classify(operand) for operand in operands]
        if action == "fma":
            product_is_invalid = classes[0] | classes[1] in ZERO_TIMES_INFINITY
            return product_is_invalid and classes[2] == QUIET
        return SIGNALLING in classes and not set(classes) <= {SIGNALLING, QUIET}

    def run_registers(self, operation: Operation, cases: Sequence[Case]) -> list[Result]:
        records = pack_records(cases)
        assert len(records) <= DATA_SIZE
        self.machine.mem_write(DATA, records)
        self.machine.reg_write(riscv_const.UC_RISCV_REG_X5, DATA)
        self.machine.reg_write(riscv_const.UC_RISCV_REG_X6, DATA + len(records))
        start, end = self.loops[operation.name]
        self.machine.emu_start(start, end)
        return unpack_results(bytes(self.machine.mem_read(DATA, len(records))))


@functools.cache
def unicorn_oracle() -> Unicorn:
    return Unicorn()


PROGRAM = """
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
struct record { uint64_t a, b, c, rm, result, flags; };
#define OPERATION(number, text, move) \\
  static void operation_##number(struct record *r) { \\
    __asm__ volatile( \\
      "fld f1, 0(%%0); fld f2, 8(%%0); fld f3, 16(%%0); ld x10, 0(%%0); ld x12, 24(%%0);" \\
      "fsrm x12; fsflags x0;" text ";" move "frflags x13; sd x11, 32(%%0); sd x13, 40(%%0)" \\
      :: "r"(r) : "memory", "x10", "x11", "x12", "x13", "ft1", "ft2", "ft3", "ft4"); \\
  }
%s
static void (*operations[])(struct record *) = { %s };
int main(int argc, char **argv) {
  void (*operation)(struct record *) = operations[atoi(argv[1])];
  size_t size = strtoul(argv[2], 0, 0), done = 0;
  char *data = malloc(size);
  while (done < size) {
    ssize_t n = read(0, data + done, size - done);
    if (n <= 0) return 1;
    done += n;
  }
  struct record *r = (struct record *)data, *end = (struct record *)(data + size);
  for (; r < end; r++) operation(r);
  for (done = 0; done < size; ) {
    ssize_t n = write(1, data + done, size - done);
    if (n <= 0) return 1;
    done += n;
  }
  return 0;
}
"""


class Qemu(Oracle):
    """qemu-riscv64 in user mode, on a static program built here."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="vtbook-float-")
        folder = Path(self.folder.name)
        functions = []
        for number, operation in enumerate(OPERATIONS):
            move = "" if operation.result == "int" else "fmv.x.d x11, f4;"
            functions.append(f'OPERATION({number}, "{operation.assembly}", "{move}")')
        table = ", ".join(f"operation_{number}" for number in range(len(OPERATIONS)))
        source = folder / "oracle.c"
        source.write_text(PROGRAM % ("\n".join(functions), table))
        self.program = folder / "oracle"
        subprocess.run(
            [GCC, "-O1", "-static", "-march=rv64gc", "-o", str(self.program), str(source)],
            check=True,
            timeout=120,
        )

    def run_registers(self, operation: Operation, cases: Sequence[Case]) -> list[Result]:
        records = pack_records(cases)
        number = OPERATIONS.index(operation)
        finished = subprocess.run(
            [QEMU, str(self.program), str(number), str(len(records))],
            input=records,
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        )
        return unpack_results(finished.stdout)


@functools.cache
def qemu_oracle() -> Qemu:
    return Qemu()
