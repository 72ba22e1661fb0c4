"""``vtbook asm``: assembly to an ELF file."""

from __future__ import annotations

from pathlib import Path

from vtbook.course.programs import ASSEMBLY, ProgramError, load_program

READ, WRITE, EXECUTE = 4, 2, 1


def assemble_file(name: str, output: Path) -> str:
    """Assemble a file and write the ELF file; return the listing.

    Raises VtbookError: not assembly, errors in the source, nowhere to write.
    """
    from vtbook.isa.assembler import Program
    from vtbook.machine.elf import Segment
    from vtbook.machine.elf_write import write_elf

    if name != "-" and not name.endswith(ASSEMBLY):
        raise ProgramError(f"{name}: not assembly; its name must end in {', '.join(ASSEMBLY)}")
    program = load_program(name).content
    assert isinstance(program, Program)
    segments = [
        Segment(
            section.address,
            section.data,
            flags=READ | WRITE * ("w" in section.flags) | EXECUTE * ("x" in section.flags),
        )
        for section in program.sections
        if section.data
    ]
    symbols = {label: program.symbols[label] for label in sorted(program.labels)}
    content = write_elf(segments, program.entry, symbols, arch="rv64gc")
    try:
        output.write_bytes(content)
        output.chmod(output.stat().st_mode | 0o111 & ~_umask())
    except OSError as error:
        raise ProgramError(f"{output}: cannot be written ({error.strerror})") from None
    return str(program)


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask
