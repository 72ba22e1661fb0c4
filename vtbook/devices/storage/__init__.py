"""What a block device keeps its bytes in::

    | class | the bytes are | a kill leaves | snapshots and going back |
    |---|---|---|---|
    | `MemoryDisk` | in memory | nothing | with the machine |
    | `RawFile`, read only | in a file, one to one | the file | with the machine: it never changes |
    | `RawFile` | in a file, one to one | every flushed write | refused: it cannot be undone |
    | `Overlay` | changes to a base, in memory | the base | with the machine |
    | `Overlay` with a path | changes, in a file | the last flush, whole | with the machine |

`open_disk` chooses: by default an `Overlay` in memory, so that an image is never changed by
accident and a machine can go back in time. All are a `Storage`; the block device needs `size`,
`read_only`, `read`, `write`, `flush` and `discard` of it.
"""

from vtbook.devices.storage.base import CLUSTER, Storage, StorageError
from vtbook.devices.storage.memory import MemoryDisk
from vtbook.devices.storage.opening import open_disk
from vtbook.devices.storage.overlay import Overlay
from vtbook.devices.storage.raw import RawFile

__all__ = [
    "CLUSTER",
    "MemoryDisk",
    "Overlay",
    "RawFile",
    "Storage",
    "StorageError",
    "open_disk",
]
