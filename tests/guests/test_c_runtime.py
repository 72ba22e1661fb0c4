"""What stands under a C guest: its start, its ends, its traps."""

import pytest

from tests.guests.c_oracles import every_compiler, needs_compiler, needs_qemu, run_qemu
from vtbook.guests import compile_c, with_arguments

pytestmark = needs_qemu


@every_compiler
@pytest.mark.parametrize("machine", ["virt", "spike"])
@pytest.mark.parametrize("code", [0, 1, 42])
def test_exit_code_reaches_the_host(compiler, machine, code):
    """By the finisher on virt, by HTIF on QEMU's spike."""
    program = compile_c(f"int main(void) {{ return {code}; }}", compiler=compiler)
    assert run_qemu(program, machine=machine) == (code, "")


@needs_compiler
def test_machine_without_a_console_ends_with_the_cause_of_the_trap():
    """QEMU's spike has no UART: a load access fault, mcause 5."""
    program = compile_c('#include <stdio.h>\nint main(void) { puts("x"); return 0; }')
    assert run_qemu(program, machine="spike") == (128 + 5, "")


@needs_compiler
def test_end_of_main_is_success():
    assert run_qemu(compile_c("int main(void) {}")) == (0, "")


@needs_compiler
def test_one_hart_of_several_runs_the_program():
    program = compile_c('#include <stdio.h>\nint main(void) { puts("once"); return 0; }')
    assert run_qemu(program, harts=4) == (0, "once\n")


@every_compiler
def test_variables_start_as_c_wants_them(compiler):
    source = """
    #include <stdio.h>
    static int zeros[1000];
    int one = 1;
    static const char *text = "text";
    int main(void) {
        int sum = 0;
        for (int i = 0; i < 1000; i++) sum |= zeros[i];
        printf("%d %d %s\\n", sum, one, text);
        return 0;
    }
    """
    assert run_qemu(compile_c(source, compiler=compiler)) == (0, "0 1 text\n")


@every_compiler
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "1: program\n"),
        (("a", "bc", 7), "4: program a bc 7\n"),
        (range(20), "16: program 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14\n"),
    ],
)
def test_arguments_reach_main(compiler, words, expected, tmp_path):
    source = """
    #include <stdio.h>
    int main(int argc, char **argv) {
        printf("%d:", argc);
        for (int i = 0; i < argc; i++) printf(" %s", argv[i]);
        printf("\\n");
        return argv[argc] != NULL;
    }
    """
    path = tmp_path / "guest.elf"
    path.write_bytes(with_arguments(compile_c(source, compiler=compiler), *words))
    assert run_qemu(path) == (0, expected)


@needs_compiler
def test_failed_assertion_says_where():
    code, output = run_qemu(compile_c("#include <assert.h>\nint main(void) { assert(1 > 2); }"))
    assert (code, output) == (134, "program.c:2: assertion failed: 1 > 2\n")


@needs_compiler
@pytest.mark.parametrize(
    ("code", "report"),
    [
        ('__asm__ volatile("ebreak");', (131, "breakpoint (mcause 3)")),
        ('__asm__ volatile("ecall");', (139, "environment call from M mode (mcause 11)")),
        ("*(volatile int *)8;", (133, "load access fault (mcause 5)")),
        ("*(volatile int *)8 = 1;", (135, "store access fault (mcause 7)")),
        ("((void (*)(void))8)();", (129, "instruction access fault (mcause 1)")),
    ],
)
def test_trap_without_a_handler_is_reported(code, report):
    result, output = run_qemu(compile_c(f"int main(void) {{ {code} return 0; }}"))
    assert result == report[0]
    assert output.startswith(f"unexpected trap: {report[1]} at pc 0x")
    assert output.endswith("from M mode\n")


@every_compiler
def test_handler_sees_and_changes_every_register(compiler, tmp_path):
    """The handler adds 1 to each of x5 .. x31; the program then adds them up."""
    numbers = range(5, 32)
    saved = [8, 9, *range(18, 28)]
    lines = ["#define ROOM 112", ".globl sum_after_trap", "sum_after_trap:", "addi sp, sp, -ROOM"]
    lines += [f"sd x{n}, {8 * i}(sp)" for i, n in enumerate(saved)]
    lines += ["sd ra, 104(sp)", *(f"li x{n}, {n}" for n in numbers), "ebreak", "li ra, 0"]
    lines += [*(f"add ra, ra, x{n}" for n in numbers), "mv a0, ra", "ld ra, 104(sp)"]
    lines += [f"ld x{n}, {8 * i}(sp)" for i, n in enumerate(saved)]
    lines += ["addi sp, sp, ROOM", "ret", ""]
    (tmp_path / "sum.S").write_text("\n".join(lines))
    source = """
    #include <machine.h>
    #include <stdio.h>
    long sum_after_trap(void);
    static uint64_t seen;
    void trap_handler(struct trap_frame *frame) {
        for (int n = 5; n < 32; n++) seen += frame->x[n]++;
        frame->pc += (uint64_t)instruction_length(frame->pc);
    }
    int main(void) {
        long sum = sum_after_trap();
        printf("%lu %ld\\n", seen, sum);
        return 0;
    }
    """
    program = compile_c([source, tmp_path / "sum.S"], compiler=compiler)
    assert run_qemu(program) == (0, f"{sum(numbers)} {sum(numbers) + len(numbers)}\n")


@every_compiler
def test_trap_inside_a_handler_returns_to_it(compiler):
    source = """
    #include <machine.h>
    #include <stdio.h>
    static int depth;
    void trap_handler(struct trap_frame *frame) {
        int here = depth++;
        if (here < 2) __asm__ volatile("ebreak" ::: "memory");
        printf("%d %s %lu\\n", here, cause_name(frame->cause), frame->x[10]);
        frame->pc += (uint64_t)instruction_length(frame->pc);
    }
    int main(void) {
        register long a0 __asm__("a0") = 77;
        __asm__ volatile("ebreak" : "+r"(a0));
        printf("back %ld\\n", a0);
        return 0;
    }
    """
    code, output = run_qemu(compile_c(source, compiler=compiler))
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == ["2", "1", "0", "back"]
    assert output.splitlines()[2:] == ["0 breakpoint 77", "back 77"]


@needs_compiler
def test_console_turns_enter_into_a_line_and_ctrl_d_into_the_end():
    source = """
    #include <stdio.h>
    int main(void) { for (int c; (c = getchar()) != EOF;) printf("%d ", c); return 0; }
    """
    assert run_qemu(compile_c(source), typed=b"a\r\n\x00\xff\x04") == (0, "97 10 10 0 255 ")
