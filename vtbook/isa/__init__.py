"""Instructions, each defined once: encoding, assembly form and meaning.

Definitions stand in one file per extension (``rv64i.py``, ``rv64m.py`` …), written in the
operations of ``operations.py``. ``InstructionSet`` composes them and decodes; ``sets.py`` holds the
sets that the book uses. Nothing here knows how a machine runs a definition.
"""
