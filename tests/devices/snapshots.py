"""A device's state as it comes back from a snapshot's file."""

import tempfile
from pathlib import Path

from vtbook.machine.snapshot import Snapshot


def through_a_file(state):
    """What a snapshot's file gives back of the state of a device."""
    snapshot = Snapshot("RV64I", 0, 4096, {"instret": 0}, {"device": state}, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot"
        snapshot.save(path)
        return Snapshot.load(path).devices["device"]
