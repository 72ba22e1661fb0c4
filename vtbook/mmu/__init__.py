"""Virtual memory: how an address becomes another.

`walk` is the page-table walk of Sv39 and Sv48 as the specification writes it, and keeps a record of
every memory reference, which the ``PageWalk`` widget shows.
"""

from vtbook.mmu.walk import FAULTS, SCHEMES, Reference, Scheme, Walk, WalkError, pte, walk

__all__ = ["FAULTS", "SCHEMES", "Reference", "Scheme", "Walk", "WalkError", "pte", "walk"]
