"""compile_c: what it accepts, what it makes, what it says when it cannot."""

import io
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.guests.c_oracles import every_compiler, needs_compiler, needs_qemu, run_qemu
from vtbook.errors import VtbookError
from vtbook.guests import (
    CompileError,
    CompileWarning,
    MarchError,
    NoCompilerError,
    compile_c,
    compilers,
    find_compilers,
    toolchain,
    with_arguments,
)
from vtbook.guests.compilers import format_march, parse_march

PRINT = '#include <stdio.h>\nint main(void) { printf("%s\\n", TEXT); return 0; }\n'


@needs_qemu
@every_compiler
@pytest.mark.parametrize("march", ["rv64gc", "rv64imac", "rv64ima", "rv64i", "rv64imafc"])
def test_program_runs_for_each_instruction_set(compiler, march):
    source = """
    #include <stdio.h>
    volatile double x = 1e300, y = 3;
    volatile unsigned long a = 1UL << 63, b = 7;
    volatile unsigned __int128 big = 1;
    int main(void) {
        big <<= 100;
        printf("%.3g %lu %lu %d\\n", x / y, a / b, a * b >> 3, (int)(big / 1000000007 >> 64));
        return 0;
    }
    """
    if compiler.name == "riscv64-linux-gnu-gcc" and march != "rv64gc":
        with pytest.raises(MarchError, match="only for rv64gc"):
            compile_c(source, compiler=compiler, march=march)
        return
    program = compile_c(source, compiler=compiler, march=march)
    expected = f"3.33e+299 {2**63 // 7} {(2**63 * 7) % 2**64 >> 3} {2**100 // 1000000007 >> 64}\n"
    assert run_qemu(program) == (0, expected)


@every_compiler
@pytest.mark.parametrize(("march", "flags"), [("rv64gc", 5), ("rv64imac", 1), ("rv64ima", 0)])
def test_header_names_the_calling_convention(compiler, march, flags):
    """EF_RISCV_RVC is 1, EF_RISCV_FLOAT_ABI_DOUBLE 4 (RISC-V ELF psABI)."""
    if compiler.name == "riscv64-linux-gnu-gcc" and march != "rv64gc":
        pytest.skip("riscv64-linux-gnu-gcc has no library for it; another compiler would do")
    program = compile_c(PRINT, compiler=compiler, march=march, defines={"TEXT": '"x"'})
    assert ELFFile(io.BytesIO(program.read_bytes())).header.e_flags == flags


@every_compiler
def test_only_instructions_of_the_set_are_used(compiler):
    """Without C every instruction has four bytes; the linker must not bring others either."""
    if compiler.name == "riscv64-linux-gnu-gcc":
        pytest.skip("riscv64-linux-gnu-gcc has only rv64gc; another compiler would do")
    program = compile_c(PRINT, compiler=compiler, march="rv64g", defines={"TEXT": '"x"'})
    text = ELFFile(io.BytesIO(program.read_bytes())).get_section_by_name(".text").data()
    assert all(text[i] & 3 == 3 for i in range(0, len(text), 4))


@every_compiler
def test_image_has_symbols_but_no_debugging_sections(compiler):
    program = compile_c(PRINT, compiler=compiler, defines={"TEXT": '"x"'})
    file = ELFFile(io.BytesIO(program.read_bytes()))
    names = {symbol.name for symbol in file.get_section_by_name(".symtab").iter_symbols()}
    assert {"_start", "main", "printf", "tohost"} <= names
    assert not any(name.startswith(("$", ".L")) for name in names)
    assert not any(section.name.startswith(".debug") for section in file.iter_sections())
    assert len(program.read_bytes()) < 16_000


@needs_compiler
def test_debug_keeps_line_numbers():
    program = compile_c(PRINT, debug=True, defines={"TEXT": '"x"'})
    assert ELFFile(io.BytesIO(program.read_bytes())).has_dwarf_info()


@needs_compiler
@needs_qemu
def test_sources_may_be_files_and_text_together(tmp_path):
    (tmp_path / "answer.h").write_text("long answer(void);\n")
    (tmp_path / "answer.S").write_text(".globl answer\nanswer: li a0, 42\n ret\n")
    main = """
    #include <stdio.h>
    #include "answer.h"
    int main(void) { printf("%ld\\n", answer()); }
    """
    program = compile_c([main, tmp_path / "answer.S"], include=[tmp_path])
    assert run_qemu(program) == (0, "42\n")


@needs_compiler
@needs_qemu
def test_without_the_runtime_the_source_brings_its_start():
    source = """
    __attribute__((naked, section(".text.start"))) void _start(void) {
        __asm__("li t0, 0x100000\\n li t1, 0x53333\\n sw t1, 0(t0)\\n 1: j 1b");
    }
    """
    program = compile_c(source, runtime=False)
    assert run_qemu(program) == (5, "")


@needs_compiler
def test_same_program_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "cache_folder", lambda: tmp_path / "cache")
    first = compile_c(PRINT, defines={"TEXT": '"x"'})
    made = first.stat().st_mtime_ns
    assert compile_c(PRINT, defines={"TEXT": '"x"'}) == first
    assert first.stat().st_mtime_ns == made
    assert compile_c(PRINT, defines={"TEXT": '"y"'}) != first
    assert compile_c(PRINT, defines={"TEXT": '"x"'}, optimize="-O1") != first


@needs_compiler
def test_changed_header_makes_a_new_program(tmp_path):
    (tmp_path / "text.h").write_text('#define TEXT "one"\n')
    source = '#include "text.h"\n' + PRINT
    first = compile_c(source, include=[tmp_path]).read_bytes()
    (tmp_path / "text.h").write_text('#define TEXT "two"\n')
    assert compile_c(source, include=[tmp_path]).read_bytes() != first


@needs_compiler
def test_output_is_written_where_asked(tmp_path):
    path = compile_c(PRINT, defines={"TEXT": '"x"'}, output=tmp_path / "new" / "x.elf")
    assert path == tmp_path / "new" / "x.elf"
    assert path.read_bytes().startswith(b"\x7fELF")


@every_compiler
def test_error_names_file_and_line(compiler):
    with pytest.raises(CompileError) as caught:
        compile_c("int main(void) {\n    return missing;\n}\n", compiler=compiler)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.file, diagnostic.line, diagnostic.column) == ("program.c", 2, 12)
    assert diagnostic.severity == "error"
    assert "missing" in diagnostic.message
    assert str(caught.value).startswith("program.c:2:12: error: ")
    assert isinstance(caught.value, VtbookError)


@every_compiler
def test_error_of_the_linker_is_passed_on(compiler):
    with pytest.raises(CompileError, match="missing_function"):
        compile_c(
            "void missing_function(void);\nint main(void) { missing_function(); }",
            compiler=compiler,
        )


@every_compiler
def test_missing_header_is_an_error_with_its_line(compiler):
    with pytest.raises(CompileError) as caught:
        compile_c("\n#include <nothing.h>\nint main(void) { return 0; }", compiler=compiler)
    assert caught.value.diagnostics[0].line == 2


@needs_compiler
def test_missing_source_is_an_error():
    with pytest.raises(CompileError, match=r"nowhere\.c"):
        compile_c("nowhere.c")


@every_compiler
def test_warning_becomes_a_python_warning(compiler, tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "cache_folder", lambda: tmp_path)
    with pytest.warns(CompileWarning, match=r"program\.c:1:22: warning: unused"):
        compile_c("int main(void) { int unused; return 0; }", compiler=compiler)


def test_unknown_compiler_is_refused_with_the_known_ones():
    with pytest.raises(NoCompilerError, match="no compiler 'tcc'"):
        compile_c(PRINT, compiler="tcc")


def test_no_compiler_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr("vtbook.guests.compile.find_compilers", lambda: ())
    with pytest.raises(NoCompilerError, match="pip install ziglang"):
        compile_c(PRINT)


@pytest.mark.parametrize("march", ["rv32gc", "rv64", "rv64mac", "rv64iy", "x86-64"])
def test_wrong_instruction_sets_are_refused(march):
    with pytest.raises(MarchError, match=march):
        parse_march(march)


@pytest.mark.parametrize(
    ("march", "canonical"),
    [
        ("rv64gc", "rv64imafdc_zicsr_zifencei"),
        ("RV64IMAC", "rv64imac_zicsr"),
        ("rv64ic_zbb_zba", "rv64ic_zba_zbb_zicsr"),
    ],
)
def test_instruction_set_names_are_put_in_order(march, canonical):
    assert format_march(parse_march(march)) == canonical


def test_compilers_found_have_versions():
    for compiler in find_compilers():
        assert compiler.version[0].isdigit()
        assert Path(compiler.command[0]).exists()


def test_zig_is_found_where_ziglang_is_installed():
    pytest.importorskip("ziglang", reason="needs pip install ziglang")
    assert compilers.choose("zig", find_compilers()).family == "clang"


@pytest.mark.parametrize(
    ("version", "usable"), [("0.13.0", False), ("0.14.0-dev.3", True), ("1.0.0", True)]
)
def test_zig_that_is_too_old_is_passed_over(version, usable, monkeypatch):
    monkeypatch.setattr(compilers, "_zig_command", lambda: ("zig",))
    monkeypatch.setattr(compilers, "say", lambda command: version)
    found = compilers.find_compilers.__wrapped__()
    assert any(compiler.name == "zig" for compiler in found) == usable


@needs_compiler
def test_arguments_need_the_runtime():
    source = '__attribute__((section(".text.start"))) void _start(void) { for (;;) ; }'
    with pytest.raises(VtbookError, match="runtime=True"):
        with_arguments(compile_c(source, runtime=False), "x")
