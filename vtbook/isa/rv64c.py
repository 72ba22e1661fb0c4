"""C, compressed instructions (unprivileged specification, chapter 27; table 27.5 to 27.7).

Each is a 16-bit spelling of an instruction defined elsewhere: an encoding and an expansion, no
meaning of its own. Reserved encodings are excluded; hints (rd = x0 and the like) expand to
instructions that change nothing.
"""

from vtbook.isa import rv64d, rv64i
from vtbook.isa.definition import Extension, compressed

# --- quadrant 0 ----------------------------------------------------------------------------------

addi4spn = compressed(
    "c.addi4spn rd, sp, nzuimm",
    "000 nzuimm[5:4|9:6|2|3]!=0 rd' 00",
    rv64i.addi,
    rs1=2,
    imm="nzuimm",
)
fld = compressed(
    "c.fld fd, uimm(rs1)", "001 uimm[5:3] rs1' uimm[7:6] fd' 00", rv64d.fld, imm="uimm"
)
lw = compressed("c.lw rd, uimm(rs1)", "010 uimm[5:3] rs1' uimm[2|6] rd' 00", rv64i.lw, imm="uimm")
ld = compressed("c.ld rd, uimm(rs1)", "011 uimm[5:3] rs1' uimm[7:6] rd' 00", rv64i.ld, imm="uimm")
fsd = compressed(
    "c.fsd fs2, uimm(rs1)", "101 uimm[5:3] rs1' uimm[7:6] fs2' 00", rv64d.fsd, imm="uimm"
)
sw = compressed("c.sw rs2, uimm(rs1)", "110 uimm[5:3] rs1' uimm[2|6] rs2' 00", rv64i.sw, imm="uimm")
sd = compressed("c.sd rs2, uimm(rs1)", "111 uimm[5:3] rs1' uimm[7:6] rs2' 00", rv64i.sd, imm="uimm")

# --- quadrant 1 ----------------------------------------------------------------------------------

addi = compressed("c.addi rd, imm", "000 imm[5] rd imm[4:0] 01", rv64i.addi, rs1="rd")
addiw = compressed("c.addiw rd, imm", "001 imm[5] rd!=0 imm[4:0] 01", rv64i.addiw, rs1="rd")
li = compressed("c.li rd, imm", "010 imm[5] rd imm[4:0] 01", rv64i.addi, rs1=0)
addi16sp = compressed(
    "c.addi16sp sp, nzimm",
    "011 nzimm[9] 00010 nzimm[4|6|8:7|5]!=0 01",
    rv64i.addi,
    rd=2,
    rs1=2,
    imm="nzimm",
)
lui = compressed(
    "c.lui rd, nzimm[31:12]", "011 nzimm[17] rd!=2 nzimm[16:12]!=0 01", rv64i.lui, imm="nzimm"
)
srli = compressed("c.srli rd, shamt", "100 shamt[5] 00 rd' shamt[4:0] 01", rv64i.srli, rs1="rd")
srai = compressed("c.srai rd, shamt", "100 shamt[5] 01 rd' shamt[4:0] 01", rv64i.srai, rs1="rd")
andi = compressed("c.andi rd, imm", "100 imm[5] 10 rd' imm[4:0] 01", rv64i.andi, rs1="rd")
sub = compressed("c.sub rd, rs2", "100 0 11 rd' 00 rs2' 01", rv64i.sub, rs1="rd")
xor = compressed("c.xor rd, rs2", "100 0 11 rd' 01 rs2' 01", rv64i.xor, rs1="rd")
or_ = compressed("c.or rd, rs2", "100 0 11 rd' 10 rs2' 01", rv64i.or_, rs1="rd")
and_ = compressed("c.and rd, rs2", "100 0 11 rd' 11 rs2' 01", rv64i.and_, rs1="rd")
subw = compressed("c.subw rd, rs2", "100 1 11 rd' 00 rs2' 01", rv64i.subw, rs1="rd")
addw = compressed("c.addw rd, rs2", "100 1 11 rd' 01 rs2' 01", rv64i.addw, rs1="rd")
j = compressed("c.j imm", "101 imm[11|4|9:8|10|6|7|3:1|5] 01", rv64i.jal, rd=0)
beqz = compressed("c.beqz rs1, imm", "110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", rv64i.beq, rs2=0)
bnez = compressed("c.bnez rs1, imm", "111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", rv64i.bne, rs2=0)

# --- quadrant 2 ----------------------------------------------------------------------------------

slli = compressed("c.slli rd, shamt", "000 shamt[5] rd shamt[4:0] 10", rv64i.slli, rs1="rd")
fldsp = compressed(
    "c.fldsp fd, uimm(sp)", "001 uimm[5] fd uimm[4:3|8:6] 10", rv64d.fld, rs1=2, imm="uimm"
)
lwsp = compressed(
    "c.lwsp rd, uimm(sp)", "010 uimm[5] rd!=0 uimm[4:2|7:6] 10", rv64i.lw, rs1=2, imm="uimm"
)
ldsp = compressed(
    "c.ldsp rd, uimm(sp)", "011 uimm[5] rd!=0 uimm[4:3|8:6] 10", rv64i.ld, rs1=2, imm="uimm"
)
jr = compressed("c.jr rs1", "100 0 rs1!=0 00000 10", rv64i.jalr, rd=0, imm=0)
mv = compressed("c.mv rd, rs2", "100 0 rd rs2!=0 10", rv64i.add, rs1=0)
ebreak = compressed("c.ebreak", "100 1 00000 00000 10", rv64i.ebreak)
jalr = compressed("c.jalr rs1", "100 1 rs1!=0 00000 10", rv64i.jalr, rd=1, imm=0)
add = compressed("c.add rd, rs2", "100 1 rd rs2!=0 10", rv64i.add, rs1="rd")
fsdsp = compressed(
    "c.fsdsp fs2, uimm(sp)", "101 uimm[5:3|8:6] fs2 10", rv64d.fsd, rs1=2, imm="uimm"
)
swsp = compressed("c.swsp rs2, uimm(sp)", "110 uimm[5:2|7:6] rs2 10", rv64i.sw, rs1=2, imm="uimm")
sdsp = compressed("c.sdsp rs2, uimm(sp)", "111 uimm[5:3|8:6] rs2 10", rv64i.sd, rs1=2, imm="uimm")

RV64C = Extension.of("C", "Compressed instructions", globals())
