"""The built firmware is small, is that of the manifest, and its sources make it again."""

import hashlib

import pytest

from tests.guests.c_oracles import every_compiler, needs_compiler
from vtbook.guests import find_compilers
from vtbook.guests.firmware import build_firmware, firmware_image, images, manifest
from vtbook.machine import load_elf


def test_it_is_the_one_of_the_manifest():
    content = firmware_image().read_bytes()
    assert hashlib.sha256(content).hexdigest() == manifest()["elf_sha256"]


def test_it_was_made_from_the_sources_of_today():
    """When it fails: python -m vtbook.guests.firmware.build"""
    assert manifest()["source_sha256"] == images.source_hash()


def test_it_is_small_and_lies_at_the_start_of_ram():
    image = load_elf(firmware_image())
    assert image.entry == image.segments[0].address == 0x8000_0000
    assert image.segments[-1].end <= 0x8000_0000 + 0x4_0000
    assert firmware_image().stat().st_size < 40_000
    assert not image.compressed


def test_its_sources_make_it_again():
    made_by = manifest()["compiler"]
    for compiler in find_compilers():
        if (compiler.name, compiler.version) == (made_by["name"], made_by["version"]):
            built = build_firmware(compiler=compiler).read_bytes()
            assert built == firmware_image().read_bytes()
            return
    pytest.skip(f"needs {made_by['name']} {made_by['version']}")


@needs_compiler
@every_compiler
def test_every_compiler_builds_it_without_a_warning(compiler, recwarn):
    assert load_elf(build_firmware(compiler=compiler)).entry == 0x8000_0000
    assert not recwarn.list
