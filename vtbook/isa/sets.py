"""The instruction sets that the book uses, as values."""

from vtbook.isa.instruction_set import InstructionSet
from vtbook.isa.privileged import PRIVILEGED
from vtbook.isa.rv64a import RV64A
from vtbook.isa.rv64c import RV64C
from vtbook.isa.rv64d import RV64D
from vtbook.isa.rv64f import RV64F
from vtbook.isa.rv64i import RV64I
from vtbook.isa.rv64m import RV64M
from vtbook.isa.supervisor import SUPERVISOR
from vtbook.isa.zicsr import ZICSR
from vtbook.isa.zifencei import ZIFENCEI

#: Integer instructions and what a machine-mode program needs; no compressed ones.
RV64IM = InstructionSet([RV64I, RV64M, ZICSR, ZIFENCEI, PRIVILEGED], "RV64IM")

#: What compilers and operating systems expect: I M A F D C, Zicsr, Zifencei, S mode.
RV64GC = InstructionSet(
    [RV64I, RV64M, RV64A, RV64F, RV64D, RV64C, ZICSR, ZIFENCEI, PRIVILEGED, SUPERVISOR], "RV64GC"
)
