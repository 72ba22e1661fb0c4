"""The prebuilt images on our own machine: output, exit code and cost as on QEMU."""

import pytest

from tests.guests.c_oracles import every_compiler
from vtbook import Machine
from vtbook.guests import PROGRAMS, benchmark_suite, image, image_path, images, with_arguments
from vtbook.guests.compile import compile_c

PROGRAM_ENTRIES = images.manifest()["images"]
BUDGET = 20_000_000  # instructions; the images need a tenth of it


def run(program: bytes, engine: str = "interpreter", typed: bytes = b"") -> tuple[int, str]:
    """Run an ELF program; return its exit code and what it printed."""
    machine = Machine(ram="16 MiB", engine=engine)
    machine.load(program)
    machine.console.feed(typed)
    exit = machine.run(budget=BUDGET)
    assert exit.reason == "shutdown"
    return exit.code, bytes(machine.console.output).decode()


@pytest.mark.parametrize("engine", ["interpreter", "python"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda p: p.name)
def test_program_does_what_it_does_on_qemu(program, engine):
    entry = PROGRAM_ENTRIES[program.name]
    found = run(image_path(program.name).read_bytes(), engine, program.typed)
    assert found == (entry["exit_code"], entry["output"])


@pytest.mark.parametrize("benchmark", benchmark_suite(), ids=lambda b: b.name)
def test_benchmark_retires_as_many_instructions_as_on_qemu(benchmark):
    code, output = run(image(benchmark.name, benchmark.small.size, "+counters"))
    checksum, cost = output.splitlines(keepends=True)
    assert (code, checksum) == (0, benchmark.output(benchmark.small))
    assert cost.startswith(f"main: {benchmark.small.instructions} instructions, ")


@every_compiler
@pytest.mark.parametrize("benchmark", benchmark_suite(), ids=lambda b: b.name)
def test_benchmark_from_every_compiler_has_the_checksum(benchmark, compiler):
    source = benchmark.source
    program = with_arguments(compile_c(source, compiler=compiler), benchmark.small.size)
    assert run(program) == (0, benchmark.output(benchmark.small))


def test_first_program_is_short():
    """A reader steps through it: the start code must not take the stage."""
    machine = Machine(ram="16 MiB")
    machine.load(image("hello"))
    assert machine.run(budget=BUDGET).instructions < 2000
