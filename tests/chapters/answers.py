"""An answer to each exercise: id of the exercise's cell, by chapter -> source of the answer."""

ANSWERS = {
    "00-start": {
        "ex1-task": """
ex1 = Machine()
ex1.load(guest_image("hello"))
ex1.add_breakpoint("puts")
ex1.run()
ex1.write(ex1.hart.x[10], b"Hello from Python!\\0")
ex1.run()
""",
        "ex2-task": '''
ex2 = Machine()
ex2.load(
    assemble("""
_start: li   a0, 0
        li   a1, 100
loop:   add  a0, a0, a1
        addi a1, a1, -1
        bnez a1, loop
        li   t0, 0x100000
        li   t1, 0x5555
        sw   t1, 0(t0)
""")
)
ex2.run(budget=100_000)
''',
        "ex3-task": """
ex3 = Machine()
ex3.load(guest_image("hello"))
while not ex3.console.output:
    ex3.step()
first_character_at = ex3.hart.instret
""",
        "ex4-task": '''
@instruction("absdiff rd, rs1, rs2", "0000000 rs2 rs1 001 rd 0001011")
def absdiff(h, d):
    """The distance between two numbers."""
    h.x[d.rd] = abs(h.x[d.rs1] - h.x[d.rs2])
''',
        "ex5-task": """
ex5 = Machine()
ex5.load(guest_image("hello"))
ex5.run()
ex5.step_back()
culprit = ex5.symbols.describe(ex5.hart.pc).partition("+")[0]
""",
    },
    "05-full-emulation": {
        "ex1-task": """
def execute_more(operation, rd, rs1, rs2, imm, x, pc, memory):
    if operation == 11:
        x[rd] = (x[rs1] ^ imm) & MASK
        return pc + 4
    return execute(operation, rd, rs1, rs2, imm, x, pc, memory)
""",
        "ex2-task": """
branch_share = sum(counts[n] for n in ("beq", "bne", "bltu", "bgeu")) / one_round
""",
        "ex3-task": """
boot = {name: 116 / rate for name, rate in mips.items()}
""",
        "ex4-task": """
def run_repaired(memory, x, pc, stop):
    cache = {}
    while pc != stop:
        decoded = cache.get(pc)
        if decoded is None:
            word = int.from_bytes(memory[pc - BASE : pc - BASE + 4], "little")
            decoded = cache[pc] = decode(word)
        pc = execute(*decoded, x, pc, memory)
        if decoded[0] == 10:
            cache.clear()
        x[0] = 0
""",
        "ex5-task": """
def exits_one_by_one(n):
    return 2 * n


def exits_with_buffer(n):
    return n - (-n // 16)
""",
    },
}
