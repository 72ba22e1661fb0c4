"""The recorded boot of Linux: what it holds, and that the machine still does the same."""

import re

import pytest

from vtbook.course import linux_recording
from vtbook.guests import linux
from vtbook.widgets import RecordedConsole

IMAGE = linux.find()
BOOTED = linux_recording.recorded_boot()


def text_of(recording: dict) -> str:
    return "".join(text for _, text in recording["frames"])


def words_of(recording: dict) -> list[str]:
    """The lines without what counts, measures or names anew."""
    lines = text_of(recording).splitlines()
    return [re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\d.]+", "#", line) for line in lines]


def test_the_recording_is_one_that_the_widget_plays():
    assert RecordedConsole(BOOTED).title == "Linux on two harts"
    counts = [count for count, _ in BOOTED["frames"]]
    assert counts == sorted(set(counts))
    assert len(counts) > 30
    path = linux_recording.resources.files("vtbook.course") / linux_recording.FILE
    assert len(path.read_bytes()) < 300_000


def test_it_goes_from_the_firmware_through_all_commands_to_power_off():
    text = text_of(BOOTED)
    assert text.lstrip().startswith("vtbook firmware")
    assert "Linux version 6." in text
    assert "Brought up 1 node, 2 CPUs" in text
    for line in linux_recording.TYPED:
        assert f"~ # {line}\r\n" in text
    assert "2 packets transmitted, 2 packets received" in text
    assert BOOTED["ended"] == "shutdown"


@pytest.mark.skipif(IMAGE is None, reason=f"needs a Linux: {linux.HOW_TO_BUILD}")
def test_the_machine_still_says_the_same():
    """When it fails: python -m vtbook.course.linux_recording"""
    if not IMAGE.is_current or f"Linux version {IMAGE.version}-" not in text_of(BOOTED):
        pytest.skip(f"needs the Linux that was recorded, not {IMAGE.version} of another recipe")
    assert words_of(linux_recording.record_boot()) == words_of(BOOTED)


def test_without_linux_recording_says_how_to_build_it(tmp_path, monkeypatch):
    monkeypatch.setenv("VTBOOK_CACHE", str(tmp_path))
    with pytest.raises(linux_recording.VtbookError, match="vtbook guests linux"):
        linux_recording.linux_machine()
