"""The book's firmware: an SBI 2.0 in C and assembly, from the reset vector to supervisor mode.

README.md is a guide to read it. `firmware_image` is the built program, `build_firmware` makes it
from its sources, `python -m vtbook.guests.firmware.build` writes it anew.
"""

from vtbook.guests.firmware.images import build_firmware, firmware_image, manifest

__all__ = ["build_firmware", "firmware_image", "manifest"]
