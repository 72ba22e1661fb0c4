"""A debugger's hand on the machine: gdb's remote serial protocol over TCP.

`serve` lets gdb have a machine; `GdbServer` does so beside other work. `packets` takes the stream
apart, `stub` answers each packet, `target` is what it needs of a machine, `reverse` goes back,
`undo` takes a watched access back, `memory` finds what is at a virtual address, `registers`
describes a hart to gdb, `monitor` has the commands of ``monitor``.
"""

from vtbook.machine.gdb.server import GdbError, GdbServer, parse_address, serve
from vtbook.machine.gdb.target import Target

__all__ = ["GdbError", "GdbServer", "Target", "parse_address", "serve"]
