"""The guests' C library against the one of this computer: the same source, the same output."""

import random
import struct

import pytest

from tests.guests.c_oracles import (
    every_compiler,
    needs_compiler,
    needs_native_compiler,
    needs_qemu,
    run_here,
    run_qemu,
)
from vtbook.guests import compile_c, find_compilers, find_native_compilers, toolchain

pytestmark = [needs_qemu, needs_native_compiler]

INCLUDES = "\n".join(
    f"#include <{name}.h>" for name in ("limits", "math", "stdint", "stdio", "stdlib", "string")
)


def native_output(source: str) -> str:
    """Compile C text for this computer, run it, return what it printed."""
    flags = ["-std=gnu11", "-O1", "-fno-builtin", "-w"]
    program = toolchain.build(find_native_compilers()[0], flags, source, link=["-lm"])
    return run_here(program)


def assert_same(source: str, compiler, march: str = "rv64gc") -> None:
    """Hold that the guest prints what the native program does, line by line."""
    program = compile_c(source, compiler=compiler, march=march, flags=["-fno-builtin", "-w"])
    code, output = run_qemu(program)
    assert code == 0
    assert output.splitlines() == native_output(source).splitlines()


def c_double(bits: int) -> str:
    return f"from_bits(0x{bits:016x})"


def interesting_doubles(rng: random.Random) -> list[int]:
    edges = [0.0, -0.0, 0.5, 1.5, 2.5, 9.5, 99.5, 0.05, 1e-5, 123456.5, 999999.5, 1e6, 1e22, 1e23]
    edges += [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, float("inf"), -1 / 3]
    bits = [struct.unpack("<Q", struct.pack("<d", x))[0] for x in edges]
    bits += [rng.getrandbits(64) for _ in range(40)]
    bits += [
        struct.unpack("<Q", struct.pack("<d", round(rng.uniform(-1000, 1000), 3)))[0]
        for _ in range(40)
    ]
    return bits


def printf_program(calls: list[str]) -> str:
    body = "\n".join(f"    {call}" for call in calls)
    return f"""{INCLUDES}
static double from_bits(uint64_t bits) {{ double d; memcpy(&d, &bits, 8); return d; }}
int main(void) {{
{body}
    return 0;
}}
"""


@every_compiler
def test_doubles_are_printed_like_the_hosts(compiler):
    rng = random.Random(1)
    calls = []
    for bits in interesting_doubles(rng):
        for letter in "feg" if bits % 2 else "FEG":
            flags = "".join(c for c in "-+ 0#" if rng.random() < 0.25)
            width = rng.choice(["", "", "12", "30"])
            precision = rng.choice(["", "", ".0", ".1", ".3", ".17", ".40", ".380"])
            form = f"%{flags}{width}{precision}{letter}"
            calls.append(f'printf("{form}|\\n", {c_double(bits)});')
    assert_same(printf_program(calls), compiler)


@every_compiler
def test_integers_and_text_are_printed_like_the_hosts(compiler):
    rng = random.Random(2)
    calls = []
    lengths = {"": "int", "hh": "int", "h": "int", "l": "long", "ll": "long long", "z": "size_t"}
    for _ in range(300):
        length, kind = rng.choice(list(lengths.items()))
        letter = rng.choice("diuoxX")
        # what ISO C leaves undefined (# with d, + with u) is not asked for
        allowed = "-+ 0" if letter in "di" else "-0#" if letter in "oxX" else "-0"
        flags = "".join(c for c in allowed if rng.random() < 0.3)
        form = f"%{flags}{rng.choice(['', '3', '25'])}{rng.choice(['', '.0', '.5', '.30'])}"
        value = rng.choice([0, 1, -1, 7, 2**31 - 1, -(2**31) + 1, rng.getrandbits(60)])
        calls.append(f'printf("{form}{length}{letter}|\\n", ({kind}){value}LL);')
    for form in ("%s", "%10s", "%-10s|", "%.2s", "%10.1s", "%c", "%-4c|", "%4c"):
        argument = "'x'" if "c" in form else '"words"'
        calls.append(f'printf("{form}\\n", {argument});')
    calls.append('printf("%*d %-*d| %.*f %%\\n", 5, 42, -5, 42, 2, 2.71828);')
    assert_same(printf_program(calls), compiler)


@every_compiler
def test_snprintf_stops_at_the_end_of_the_buffer(compiler):
    calls = ["char b[16];"]
    for size in (0, 1, 4, 5, 6, 16):
        calls.append("memset(b, '#', sizeof b);")
        calls.append(f'int n{size} = snprintf(b, {size}, "%d %s", 12, "ab");')
        calls.append(f'printf("%d [%.15s]\\n", n{size}, b);')
    assert_same(printf_program(calls), compiler)


STRINGS = (
    INCLUDES
    + r"""
static int sign(int x) { return (x > 0) - (x < 0); }
static uint64_t state = 1;
static unsigned next(unsigned below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}
static uint64_t digest(const char *bytes, size_t size) {
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++) sum = sum * 31 + (unsigned char)bytes[i];
    return sum;
}
int main(void) {
    static char a[300], b[300];
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < 300; i++) a[i] = (char)next(256);
        unsigned from = next(100), to = next(100), size = next(100);
        int same = memmove(a + to, a + from, size) == a + to;
        memcpy(b + to, a + from, size);
        unsigned start = next(100), fill = next(256);
        memset(b + start, (int)fill, next(100));
        printf("%d %llx %llx\n", same, (unsigned long long)digest(a, 300),
               (unsigned long long)digest(b, 300));
        printf("%d\n", sign(memcmp(a + from, b + to, size)));
        const char *found = memchr(a + from, (int)next(256), size);
        printf("%d\n", found ? (int)(found - a) : -1);
    }
    for (int round = 0; round < 300; round++) {
        char s[12], t[12], r[40];
        for (int i = 0; i < 11; i++) s[i] = (char)('a' + next(2)), t[i] = (char)('a' + next(2));
        s[next(12)] = 0, t[next(4)] = 0, s[11] = t[11] = 0;
        printf("%s %s %d %d\n", s, t, sign(strcmp(s, t)), sign(strncmp(s, t, next(5))));
        char *c = strchr(s, 'b'), *d = strrchr(s, 'b'), *e = strstr(s, t), *z = strchr(s, 0);
        printf("%d %d %d %d\n", c ? (int)(c - s) : -1, d ? (int)(d - s) : -1,
               e ? (int)(e - s) : -1, (int)(z - s));
        memset(r, '#', sizeof r);
        strncpy(r, s, next(12));
        printf("%llx ", (unsigned long long)digest(r, sizeof r));
        strcpy(r, s);
        strcat(r, t);
        printf("%s %d %d\n", r, (int)strlen(r), (int)strnlen(r, 3));
        printf("%d\n", (int)(stpcpy(r, t) - r));
    }
    return 0;
}
"""
)


@every_compiler
def test_string_functions_do_as_the_hosts(compiler):
    assert_same(STRINGS, compiler)


@every_compiler
def test_numbers_are_read_like_the_hosts(compiler):
    texts = ["0", "42", " -7x", "+8", "0x1F", "0x", "0xg", "017", "08", "zz", "", "-", "99999"]
    texts += ["18446744073709551615", "18446744073709551616", "-1", "\\t\\n12", "7fffffffffffffff"]
    calls = ["char *end; unsigned long long v;"]
    for text in texts:
        for base in (0, 2, 10, 16, 36):
            calls.append(f'{{ const char *t = "{text}"; v = strtoull(t, &end, {base});')
            calls.append('printf("%llx %d\\n", v, (int)(end - t)); }')
    calls += [f'printf("%d %d\\n", atoi("{n}"), abs({n}));' for n in (0, -5, 2147483647)]
    assert_same(printf_program(calls), compiler)


@every_compiler
@pytest.mark.parametrize("march", ["rv64gc", "rv64imac"])
def test_square_roots_are_rounded_like_the_hosts(compiler, march):
    if compiler.name == "riscv64-linux-gnu-gcc" and march != "rv64gc":
        pytest.skip("riscv64-linux-gnu-gcc has no soft floats; another compiler would do")
    rng = random.Random(3)
    values = [bits & ~(1 << 63) for bits in interesting_doubles(rng)]
    values += [rng.getrandbits(52) for _ in range(20)]  # subnormal
    values += [struct.unpack("<Q", struct.pack("<d", float(n * n)))[0] for n in range(1, 60)]
    values = [v for v in values if v < 0x7FF0000000000000]
    calls = [f'printf("%.17g %g\\n", sqrt({c_double(v)}), fabs({c_double(v)}));' for v in values]
    assert_same(printf_program(calls), compiler, march)


HEAP = (
    INCLUDES
    + r"""
static uint64_t state = 1;
static unsigned next(unsigned below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}
#define BLOCKS 100
static unsigned char *blocks[BLOCKS];
static size_t sizes[BLOCKS];
static int whole(int i) {
    for (size_t k = 0; k < sizes[i]; k++) if (blocks[i][k] != (unsigned char)i) return 0;
    return 1;
}
int main(void) {
    for (int round = 0; round < 20000; round++) {
        int i = (int)next(BLOCKS);
        if (!whole(i)) return 1;
        size_t size = next(2000);
        switch (next(4)) {
        case 0: free(blocks[i]); blocks[i] = NULL; sizes[i] = 0; continue;
        case 1:
            free(blocks[i]);
            blocks[i] = calloc(size, 1);
            for (size_t k = 0; k < size; k++) if (blocks[i][k]) return 2;
            break;
        case 2: free(blocks[i]); blocks[i] = malloc(size); break;
        case 3: {
            size_t old = sizes[i];
            blocks[i] = realloc(blocks[i], size + 1);
            size++;
            sizes[i] = old < size ? old : size;
            if (!blocks[i] || !whole(i)) return 3;
        }
        }
        if (!blocks[i] || (uintptr_t)blocks[i] % 16) return 4;
        memset(blocks[i], i, size);
        sizes[i] = size;
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    if (malloc(17UL << 20) || malloc(-1UL) || malloc(-20UL)) return 5;
    if (calloc(1UL << 33, 1UL << 33)) return 5;
    if (!malloc(15UL << 20)) return 6;  // all of it is one block again
    puts("whole");
    return 0;
}
"""
)


@every_compiler
def test_heap_keeps_blocks_apart_and_joins_them_again(compiler):
    program = compile_c(HEAP, compiler=compiler, flags=["-fno-builtin"])
    assert run_qemu(program) == (0, "whole\n")


@needs_compiler
def test_heap_grows_with_the_ram():
    source = "#include <stdlib.h>\nint main(void) { return malloc(60UL << 20) ? 0 : 1; }"
    assert run_qemu(compile_c(source, flags=["-fno-builtin"]))[0] == 1
    program = compile_c(source, flags=["-fno-builtin"], ram_size=64 << 20)
    assert run_qemu(program)[0] == 0


def test_a_compiler_was_found_for_these_tests():
    assert find_compilers(), "install ziglang (the extra 'guests')"


@needs_compiler
def test_program_runs_where_it_is_linked():
    source = '#include <stdio.h>\nint main(void) { printf("%p\\n", (void *)main); return 0; }'
    code, output = run_qemu(compile_c(source, ram_base=0x8040_0000), entry=True)
    assert code == 0
    assert 0x8040_0000 <= int(output, 16) < 0x8041_0000


@every_compiler
@pytest.mark.parametrize("march", ["rv64gc", "rv64i"])
def test_whole_numbers_are_divided_like_the_hosts(compiler, march):
    if compiler.name == "riscv64-linux-gnu-gcc" and march != "rv64gc":
        pytest.skip("riscv64-linux-gnu-gcc has only rv64gc; another compiler would do")
    rng = random.Random(4)
    values = [1, 2, 3, 10, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
    values += [rng.getrandbits(rng.choice([8, 31, 33, 64])) | 1 for _ in range(12)]
    table = ", ".join(f"{value}u" for value in values)
    source = f"""{INCLUDES}
static volatile uint64_t v[] = {{{table}}};
int main(void) {{
    for (int i = 0; i < {len(values)}; i++)
        for (int j = 0; j < {len(values)}; j++) {{
            uint64_t a = v[i], b = v[j];
            printf("%llx %llx %llx ", a * b + 0ULL, a / b + 0ULL, a % b + 0ULL);
            if (a != 1UL << 63 || b + 1)
                printf("%llx %llx ", (int64_t)a / (int64_t)b + 0LL, (int64_t)a % (int64_t)b + 0LL);
            unsigned __int128 wide = (unsigned __int128)a << 64 | b;
            printf("%llx %x\\n", (unsigned long long)(wide / (b >> 1 | 1)), (int)a / 7);
        }}
    return 0;
}}
"""
    assert_same(source, compiler, march)
