"""RISC-V build attributes: the section in which a compiler says what it compiled for.

Source: RISC-V psABI, "Attributes"; the format is the Arm one, of ELF for the Arm Architecture.
"""

from vtbook.machine.elf_format import TAG_ARCH, TAG_FILE


def architecture_attribute(data: bytes) -> str | None:
    """``Tag_RISCV_arch`` in the section ``.riscv.attributes``, None if it has none.

    ``A``, then subsections: length (4 bytes), vendor and zero, then for the vendor ``riscv``:
    tag 1 (the whole file), length (4 bytes), pairs of tag and value. Odd tags have a string.

    Raises:
        ValueError, IndexError: the bytes make no sense.
    """
    if data[:1] != b"A":
        raise ValueError
    at = 1
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        if length < 5 or at + length > len(data):
            raise ValueError
        vendor_end = data.index(b"\0", at + 4, at + length)
        if data[at + 4 : vendor_end] == b"riscv":
            return _arch_of_file(data[vendor_end + 1 : at + length])
        at += length
    return None


def _arch_of_file(data: bytes) -> str | None:
    at = 0
    while at < len(data):
        tag, length = data[at], int.from_bytes(data[at + 1 : at + 5], "little")
        if length < 5 or at + length > len(data):
            raise ValueError
        if tag == TAG_FILE:
            pairs, place = data[at + 5 : at + length], 0
            while place < len(pairs):
                number, place = _uleb128(pairs, place)
                if number & 1:
                    end = pairs.index(b"\0", place)
                    if number == TAG_ARCH:
                        return pairs[place:end].decode("ascii", "backslashreplace")
                    place = end + 1
                else:
                    _, place = _uleb128(pairs, place)
        at += length
    return None


def _uleb128(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number of at most 64 bits, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError
