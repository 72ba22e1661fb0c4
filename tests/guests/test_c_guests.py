"""The prebuilt images: they run, they print what they must, and their sources make them again."""

import hashlib

import pytest

from tests.guests.c_oracles import (
    every_compiler,
    needs_compiler,
    needs_native_compiler,
    needs_qemu,
    needs_qemu_user,
    run_here,
    run_qemu,
)
from vtbook.guests import (
    BENCHMARKS,
    PROGRAMS,
    UnknownGuestError,
    benchmark_suite,
    build,
    catalog,
    compile_c,
    compile_linux,
    compile_native,
    find_compilers,
    find_native_compilers,
    image,
    image_path,
    images,
    list_images,
    with_arguments,
)

MANIFEST = images.manifest()
SUITE = benchmark_suite()

every_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda p: p.name)
every_benchmark = pytest.mark.parametrize("benchmark", SUITE, ids=lambda b: b.name)


def test_every_guest_of_the_catalogue_has_an_image():
    assert list_images() == [*PROGRAMS, *BENCHMARKS]
    assert all(image_path(name).exists() for name in list_images())


def test_images_are_small():
    assert sum(image_path(name).stat().st_size for name in list_images()) < 500_000


@pytest.mark.parametrize("name", list_images())
def test_image_is_the_one_of_the_manifest(name):
    entry = MANIFEST["images"][name]
    assert hashlib.sha256(image(name)).hexdigest() == entry["elf_sha256"]


@pytest.mark.parametrize("name", list_images())
def test_image_was_made_from_the_sources_of_today(name):
    """When it fails: python -m vtbook.guests.build"""
    assert MANIFEST["images"][name]["source_sha256"] == build.source_hash(catalog.find(name))


@needs_compiler
@pytest.mark.parametrize("name", list_images())
def test_same_compiler_makes_the_same_bytes(name):
    made_by = MANIFEST["compiler"]
    for compiler in find_compilers():
        if (compiler.name, compiler.version) == (made_by["name"], made_by["version"]):
            assert build.compile_image(catalog.find(name), compiler) == image(name)
            return
    pytest.skip(f"needs {made_by['name']} {made_by['version']}, which made the images")


@needs_qemu
@every_program
def test_image_of_a_program_prints_what_the_manifest_says(program):
    entry = MANIFEST["images"][program.name]
    code, output = run_qemu(image_path(program.name), typed=program.typed)
    assert (code, output) == (entry["exit_code"], entry["output"])


@needs_qemu
@every_compiler
@every_program
def test_program_does_the_same_from_every_compiler(program, compiler, tmp_path):
    path = compile_c(program.source, compiler=compiler)
    code, output = run_qemu(path, typed=program.typed)
    entry = MANIFEST["images"][program.name]
    assert code == entry["exit_code"]
    if program.name != "illegal":  # whose report has an address
        assert output == entry["output"]


@needs_qemu
@every_benchmark
def test_image_of_a_benchmark_prints_its_checksum_and_cost(benchmark, tmp_path):
    path = tmp_path / "guest.elf"
    path.write_bytes(image(benchmark.name, benchmark.small.size, "+counters"))
    code, output = run_qemu(path)
    checksum, cost = output.splitlines(keepends=True)
    assert code == 0
    assert checksum == benchmark.output(benchmark.small)
    assert cost.startswith(f"main: {benchmark.small.instructions} instructions, ")


@needs_qemu
@every_compiler
@every_benchmark
def test_benchmark_has_the_same_checksum_from_every_compiler(benchmark, compiler, tmp_path):
    path = tmp_path / "guest.elf"
    program = compile_c(BENCHMARKS[benchmark.name].source, compiler=compiler)
    path.write_bytes(with_arguments(program, benchmark.small.size))
    assert run_qemu(path) == (0, benchmark.output(benchmark.small))


@needs_native_compiler
@every_benchmark
def test_native_benchmark_has_the_same_checksums(benchmark):
    program = benchmark.native()
    assert run_here(program, benchmark.small.size) == benchmark.output(benchmark.small)
    if benchmark.name != "chase":  # which waits for memory
        assert run_here(program) == benchmark.output(benchmark.usual)


@pytest.mark.parametrize("compiler", find_native_compilers(), ids=str)
def test_native_compilers_agree_on_floating_point(compiler):
    for name in ("nbody", "matmul_double", "mandelbrot"):
        benchmark = next(b for b in SUITE if b.name == name)
        assert run_here(benchmark.native(compiler=compiler), benchmark.small.size) == (
            benchmark.output(benchmark.small)
        )


@needs_qemu_user
@every_benchmark
def test_linux_benchmark_has_the_same_checksum(benchmark):
    output = run_here("qemu-riscv64", benchmark.linux(), benchmark.small.size)
    assert output == benchmark.output(benchmark.small)


def test_sizes_are_about_a_billion_and_a_million_instructions():
    for benchmark in SUITE:
        assert 0.7e9 < benchmark.usual.instructions < 1.5e9, benchmark.name
        assert 0.7e6 < benchmark.small.instructions < 2e6, benchmark.name


@every_benchmark
def test_catalogue_and_source_agree_on_the_usual_size(benchmark):
    source = BENCHMARKS[benchmark.name].source.read_text()
    assert f"#define SIZE {benchmark.usual.size}\n" in source


def test_sha256_benchmark_computes_sha256():
    for benchmark in SUITE:
        if benchmark.name == "sha256":
            blocks = b"".join(
                bytes((n + i) % 256 for i in range(64)) for n in range(benchmark.small.size)
            )
            assert hashlib.sha256(blocks).hexdigest()[:16] == benchmark.small.checksum
            return
    pytest.fail("no benchmark sha256")


def test_benchmark_image_can_be_set_to_any_size():
    suite = {benchmark.name: benchmark for benchmark in SUITE}
    calls = suite["calls"]
    assert calls.image() == image("calls") == calls.image_path.read_bytes()
    assert calls.image(calls.small) == image("calls", calls.small.size)
    assert calls.image(7) == image("calls", 7) != calls.image()


@needs_native_compiler
def test_ordinary_programs_run_here_too():
    assert run_here(compile_native("hello")) == MANIFEST["images"]["hello"]["output"]
    assert run_here(compile_native("fib"), 3) == "fib(0) = 0\nfib(1) = 1\nfib(2) = 1\n"


@pytest.mark.parametrize("function", [image, image_path, compile_native, compile_linux])
def test_unknown_guest_is_refused_with_the_known_ones(function):
    with pytest.raises(UnknownGuestError, match="hello"):
        function("nothing")


@pytest.mark.parametrize("words", [("two words",), ("",), ("x" * 256,), ("x" * 200, "y" * 55)])
def test_arguments_that_do_not_fit_are_refused(words):
    with pytest.raises(images.ArgumentsError):
        image("fib", *words)


@needs_qemu
def test_arguments_fill_their_room(tmp_path):
    path = tmp_path / "guest.elf"
    path.write_bytes(image("strings", "x" * 255))
    assert run_qemu(path)[1].startswith(f'"{"x" * 255}" has 255 bytes\n')
