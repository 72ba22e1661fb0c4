"""The assembler, made from the instruction definitions.

``assemble`` is the way in. ``lexer`` and ``expressions`` read text, ``forms`` knows every way to
write a mnemonic, ``operands`` reads by syntax strings, ``directives`` obeys the words with a dot,
``macros`` and ``conditions`` change what is read, ``layout`` gives addresses, ``instructions`` and
``data`` make bytes, ``program`` is the result.
"""

from vtbook.isa.assembler.errors import AssemblyError, Diagnostic
from vtbook.isa.assembler.program import ListingLine, Program, ProgramSection
from vtbook.isa.assembler.source import assemble

__all__ = ["AssemblyError", "Diagnostic", "ListingLine", "Program", "ProgramSection", "assemble"]
