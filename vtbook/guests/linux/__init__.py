"""A small Linux for the machine: kernel and first file system, built into the cache folder.

`find()` returns what `vtbook guests linux`, or `build()`, has made. `kernel.config` and
`busybox.config` say what is in it, `root/` holds our own few files; `root/init` is the first
process.

The kernel's command line tells /init what to do:

    vtbook.run="SCRIPT"   run it with sh, then power off; its status ends the machine
    vtbook.disk[=DEVICE]  mount /dev/vda, or DEVICE, on /mnt
    vtbook.share=TAG      mount the 9p share of that tag on /share
    vtbook.net=off        leave eth0 alone; else it gets an address by DHCP

A script longer than the command line (1023 characters) goes to `etc/vtbook.run` with
`LinuxImage.initramfs_with`. Without a script there is a shell on the console.
"""

from vtbook.guests.linux.building import BuildError, build
from vtbook.guests.linux.cpio import CpioError, CpioWriter, archive_of
from vtbook.guests.linux.image import (
    HOW_TO_BUILD,
    LinuxImage,
    find,
    images_folder,
    list_built,
)
from vtbook.guests.linux.sources import SourceError
from vtbook.guests.linux.tools import MissingToolsError

__all__ = [
    "HOW_TO_BUILD",
    "BuildError",
    "CpioError",
    "CpioWriter",
    "LinuxImage",
    "MissingToolsError",
    "SourceError",
    "archive_of",
    "build",
    "find",
    "images_folder",
    "list_built",
]
