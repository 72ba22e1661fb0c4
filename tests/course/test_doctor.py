"""`vtbook doctor`: what is there, what is missing, and the command to get it."""

import json
import re
import shutil
import tomllib

import pytest

from tests.course.conftest import ROOT
from vtbook.course import doctor
from vtbook.course.lab import START
from vtbook.machine import firmware
from vtbook.machine.firmware import FirmwareError


def test_the_report_says_what_each_thing_is_for_and_how_to_get_it(vtbook, tmp_path):
    (tmp_path / START).parent.mkdir()
    (tmp_path / START).write_text("{}")
    done = vtbook("doctor", "--json")
    report = json.loads(done.stdout)
    findings = {finding["name"]: finding for finding in report["findings"]}
    assert (done.returncode, report["ok"]) == (0, True), findings
    assert {"Python", "numba", "cache folder", "machine", "chapters", "chromium"} <= findings.keys()
    assert all(finding["use"] and finding["command"] for finding in findings.values())
    assert findings["machine"]["found"].startswith("Hello from a machine")


def test_without_optional_programs_all_is_well(vtbook, tmp_path):
    (tmp_path / START).parent.mkdir()
    (tmp_path / START).write_text("{}")
    done = vtbook("doctor", PATH=str(tmp_path))
    text = done.stdout.decode()
    assert done.returncode == 0, text
    assert "qemu-system-riscv64: apt install qemu-system-misc" in text
    assert "gdb-multiarch: apt install gdb-multiarch" in text


def test_a_cache_folder_that_cannot_be_written_is_found(vtbook, tmp_path):
    (tmp_path / "file").write_text("")
    done = vtbook("doctor", "--json", VTBOOK_CACHE=str(tmp_path / "file" / "cache"))
    findings = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert not findings["cache folder"]["ok"]
    assert "VTBOOK_CACHE" in findings["cache folder"]["command"]


@pytest.mark.parametrize(("required", "well"), [(True, False), (False, True)])
def test_only_a_required_thing_makes_it_fail(required, well):
    missing = doctor.Finding("thing", False, required, "a use", "not found", "get thing")
    assert doctor.healthy([missing]) is well


def test_a_missing_tool_names_its_package(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = [doctor._tool(tool) for tool in doctor.TOOLS]
    assert all(not finding.ok and "apt install" in finding.command for finding in found)


def test_firmware_of_the_distribution_is_looked_for(monkeypatch):
    def nowhere(name):
        raise FirmwareError("not here")

    found = [doctor._firmware(name, use) for name, use in doctor.FIRMWARE.items()]
    monkeypatch.setattr(firmware, "find_firmware", nowhere)
    missing = [doctor._firmware(name, use) for name, use in doctor.FIRMWARE.items()]
    assert [finding.name for finding in found] == [finding.name for finding in missing]
    assert not any(finding.ok or finding.required for finding in missing)
    assert [finding.command for finding in missing] == [
        "apt install opensbi",
        "apt install u-boot-qemu",
    ]


def test_an_extra_with_a_missing_package_says_which_and_how_to_get_all():
    finding = doctor._extra("site", "a use", ["numpy", "no-such-package"])
    assert (finding.ok, finding.found) == (False, "missing: no-such-package")
    assert "numpy no-such-package" in finding.command
    assert ".[site]" in finding.command
    assert doctor._extra("site", "a use", ["numpy"]).ok


def test_the_extras_are_those_of_the_package():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, (_, packages) in doctor.EXTRAS.items():
        names = {
            re.split("[><=]", package)[0] for package in declared["optional-dependencies"][name]
        }
        always = {re.split("[><=]", package)[0] for package in declared["dependencies"]}
        assert set(packages.split()) == names - always
