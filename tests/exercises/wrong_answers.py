"""Answers that students give: notebook -> (exercise, answer, points, what the check must say).

A part of an answer is given as ``(old, new)``, a change of the solution's own cell.
"""

from __future__ import annotations

HELLO = """
ex1 = Machine()
ex1.load(guest_image("hello"))
ex1.add_breakpoint("puts")
ex1.run()
"""
NO_TAG = """
def run_direct(memory, x, pc, stop, decode, entries):
    slots, hits = [None] * entries, 0
    while pc != stop:
        slot = (pc >> 2) % entries
        if slots[slot] is not None:
            hits += 1
        else:
            slots[slot] = decode(word_at(memory, pc))
        pc = execute(*slots[slot], x, pc, memory)
        x[0] = 0
    return hits
"""
HOUSE_FROM_THE_END = """
ex6 = Machine("1 MiB")
ex6.load(assemble(HOUSE))
ex6.run()
last = ex6.hart.instret
ex6.step_back()
when, culprit = last, "butler"
"""

WRONG = {
    "00-start": [
        ("ex1", ('b"Hello from Python!\\0"', 'b"Hello from Python!"'), 0, "Where does puts stop?"),
        ("ex1", ("!\\0", "!\\n\\0"), 0, "two line breaks"),
        ("ex1", HELLO + "ex1.run()", 0, "Write before you run on"),
        ("ex1", HELLO, 0, "ex1 stands at puts"),
        ("ex1", ("Python", "python"), 0, "not 'Hello from Python!'"),
        ("ex2", ("beqz a1, end", "nop"), 0, "With n = 0 it does not end"),
        ("ex2", ("beqz a1, end", "beqz a1, end\naddi a1, a1, -1"), 0, "n = 100 itself is missing"),
        ("ex2", ("addi a1, a1, -1", ""), 0, "n = 100: still running"),
        ("ex2", ("li   a0, 0", "li   a0, 1"), 0, "a0 is 5051, not 5050"),
        ("ex2", ("li   a0, 0", "ebreak"), 0, "the guest did not reach its end"),
        ("ex2", ("bnez a1, loop", "bnes a1, loop"), 0, "bnes"),
        ("ex2", ("beqz a1, end", "li a0, 5050\nj end"), 0, "n = 1"),
        ("ex3", ("return machine.hart.instret", "return machine.hart.instret - 1"), 0, "too early"),
        ("ex3", ("return machine.hart.instret", "return machine.hart.instret + 1"), 0, "too late"),
        ("ex3", ("return machine.hart.instret", ""), 0, "returned None"),
        ("ex3", "def printed_at(machine, count):\n    return 1052", 0, "After 1,052 instructions"),
        ("ex4", ('"little"', '"big"'), 0, "the low one comes first"),
        ("ex4", "patch = assemble('_start: li a0, 9').sections[0].data", 0, "Only two fit"),
        ("ex4", "patch = 0x4525", 0, "give two bytes"),
        ("ex4", "patch = bytes([9, 0x45])", 0, "means li a0, 2"),
        ("ex5", ("abs(h.x[d.rs1] - h.x[d.rs2])", "h.x[d.rs1] - h.x[d.rs2]"), 0, "never negative"),
        ("ex5", ("h.x[d.rd] =", "return"), 0, "a2 was not written"),
        ("ex5", ("h.x[d.rs1] - h.x", "h.x[d.rs1] + h.x"), 0, "that is the sum"),
        ("ex5", ("h.x[d.rd] = ", "h.x[d.rs1] = h.x[d.rd] = "), 0, "They must stay"),
        ("ex6", HOUSE_FROM_THE_END, 0, "Somebody came earlier"),
        ("ex6", ("when = ex6.hart.instret", "when = ex6.hart.instret - 1"), 0, "One too few"),
        ("ex6", ("when = ex6.hart.instret", "when = ex6.hart.instret + 1"), 0, "One too many"),
        ("ex6", ('.partition("+")[0]', ""), 4, "must be one of butler, cook"),
        ("ex6", ("culprit =", "culprit = 'maid'\nother ="), 4, "The maid has an alibi"),
    ],
    "02-the-machine": [
        ("ex1", ("m.add_breakpoint(m.plan.next_address)\n    m.run(SECOND)",
                 'm.run(SECOND, until_output="$ ")'), 2, "is the whole boot"),
        ("ex1", ("return m.instructions", "return m.instructions - 6"), 2, "boot ROM are missing"),
        ("ex1", ("switch.cause == 8", "switch.cause is not None"), 2, "all traps and interrupts"),
        ("ex1", ('touched["virtio0", "write", 0x50]',
                 'sum(n for a, n in touched.items() if a.device == "virtio0")'), 2,
         "all accesses to registers"),
        ("ex2", (" + address % size", ""), 0, "The offset in the page is missing"),
        ("ex2", ("size = 1 << 12 + 9 * level", "size = 4096"), 2, "a page of 2 MiB"),
        ("ex2", ("None if page % size else ", ""), 3, "is not aligned"),
        ("ex2", ("not entry & 1 or ", ""), 3, "this is a page fault"),
        ("ex2", (" or entry & 0b110 == 0b100", ""), 3, "W without R"),
        ("ex2", ("not in (0, (1 << 26) - 1)", "not in (0,)"), 2, "this is no fault"),
        ("ex3", "culprit = 0x80082020\nmended = 4", 2, "the guest still faults"),
        ("ex3", "culprit = 4\nmended = 4", 0, "Give its physical address"),
        ("ex3", "culprit = 0x40004000\nmended = 4", 0, "That is the address of the page"),
        ("ex3", "culprit = 0x80082018\nmended = 4", 0, "is as it should be"),
        ("ex3", "culprit = 0x80082020\nmended = 0x80097000 >> 2 | 0xc7", 2, "The pages hold"),
        ("ex4", ("        mret", "        j handler"), 0, "no end"),
        ("ex4", ("sd    t2, 0(t1)\n        la", "la"), 0, "no end"),
        ("ex4", ("        ld    t3, 16(t0)\n", ""), 4, "have changed in your handler"),
        ("ex4", ("ld    t2, 0(t1)\n        li    t3",
                 "li t3, 0x200bff8\n ld t2, 0(t3)\n li    t3"), 3, "not from now"),
        ("ex5", ("value * (value + 1)", "value * (value - 1)"), 0, "ends before n itself"),
        ("ex5", ("            self.set_line(True)\n", ""), 0, "an interrupt that never comes"),
        ("ex5", ("        self.set_line(False)\n", ""), 0, "does the line go down"),
        ("ex5", (" % 2**64", ""), 3, "cut to 64 bits"),
        ("ex5", ('self.set_line(state["line"])', 'self.line = state["line"]'), 3, "nobody was"),
    ],
    "05-full-emulation": [
        ("ex1", ("(x[rs1] ^ imm) & MASK", "x[rs1] ^ imm"), 1, "no negative number here"),
        ("ex1", ("(x[rs1] ^ imm) & MASK", "(x[rs1] ^ rs2) & MASK"), 1, "machine has 0x6"),
        ("ex1", ("return pc + 4", "return pc"), 1, "not pc + 4"),
        ("ex1", ("KEYS[0x13, 4] = 11", "KEYS[0x13, 0] = 11"), 2, "no entry for opcode 0x13"),
        ("ex2", NO_TAG, 0, "instruction. How can you tell whose it is?"),
        ("ex2", ("(pc >> 2) % entries", "pc % entries"), 2, "leaves most slots empty"),
        ("ex2", ("return hits", "return None"), 2, "return a number"),
        ("ex2", ("hits += 1", "pass"), 2, "0 hits of"),
        ("ex3", (" + exits * per_exit", ""), 0, "the exits are missing"),
        ("ex3", ("return exits * per_exit", "return 100 * exits * per_exit"), 2, "between 0 and 1"),
        ("ex3", ("return exits * per_exit / seconds(instructions, rate, exits, per_exit)",
                 "return exits / instructions"), 2, "Divide times"),
        ("ex3", ("return before / seconds", "return 10 or seconds"), 2, "if there were no exits"),
        ("ex3", ("return before / seconds(instructions, 10 * rate, exits, per_exit)",
                 "return seconds(instructions, 10 * rate, exits, per_exit) / before"), 2,
         "divide before by after"),
        ("ex4", ("cache.pop((x[rs1] + imm & MASK) & ~3, None)", "cache.clear()"), 2,
         "forget the one instruction that was hit"),
        ("ex4", (" & ~3", ""), 0, "this store goes to its third"),
        ("ex4", ("if operation == 10:", "if False:"), 0, "10 was added twice"),
        ("ex4", ("cache.pop(", "cache.pop(None + "), 0, "Your code stopped with TypeError"),
        ("ex5", "driver = lambda: ONE_BY_ONE", 0, "as before"),
        ("ex5", ("li   s2, 16", "li   s2, 17"), 0, "17 characters in a row"),
        ("ex5", ("bnez s2, send", "j send"), 0, "Your driver never asks"),
        ("ex5", ("addi s0, s0, 1", "addi s0, s0, 2"), 0, "but printed"),
        ("ex5", ("li   s2, 16", "li   s2, 8"), 0, "are too many"),
        ("ex6", ("except VtbookError:", "except ZeroDivisionError:"), 2, "has crashed the host"),
        ("ex6", ("descriptor[:8]", "descriptor[8:]"), 0, "Nothing was printed"),
        ("ex6", ("read(address, length)", "read(address, 4096)"), 0, "It printed too much"),
    ],
}  # fmt: skip
