"""Building: the steps, on sources that are a Makefile of a few lines each."""

import io
import json
import os
import shutil
import tarfile

import pytest

from vtbook.guests import linux
from vtbook.guests.linux import building, configuration, image, sources, tools

needs_tools = pytest.mark.skipif(
    any(shutil.which(x) is None for x in (*tools.PACKAGES,)),
    reason="needs what a build of Linux needs: " + " ".join(sorted(set(tools.PACKAGES.values()))),
)

KERNEL_MAKEFILE = """
.PHONY: Image
kernelversion:
\t@echo 6.12.1
allnoconfig:
\tcp $(KCONFIG_ALLCONFIG) .config
Image:
\tmkdir -p arch/riscv/boot
\techo $(ARCH) $(CROSS_COMPILE) $(KBUILD_BUILD_USER) $(KCFLAGS) > arch/riscv/boot/Image
\tcat .config >> arch/riscv/boot/Image
"""

BUSYBOX_MAKEFILE = """
allnoconfig:
\techo '# CONFIG_ASH is not set' > .config
oldconfig:
\tread answer && test -z "$$answer"
busybox:
\tcp .config busybox
busybox.links:
\techo /bin/sh /usr/bin/awk | tr ' ' '\\n' > busybox.links
"""


def archive(path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w:xz" if path.suffix == ".xz" else "w:bz2") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))


def kconfig(left_out: set[str] = frozenset()) -> str:
    names = configuration.parse(configuration.ours(configuration.KERNEL))
    return "".join(f"config {name}\n\tbool\n" for name in names if name not in left_out)


def small_sources(folder, *, kernel=KERNEL_MAKEFILE, busybox=BUSYBOX_MAKEFILE, options=None):
    folder.mkdir(exist_ok=True)
    files = {
        "linux-6.12.1/Makefile": kernel,
        "linux-6.12.1/init/Kconfig": kconfig() if options is None else options,
        "linux-6.12.1/Documentation/big/file": "not unpacked",
    }
    archive(folder / "linux-6.12.1.tar.xz", files)
    archive(folder / "busybox-1.36.1.tar.bz2", {"busybox-1.36.1/Makefile": busybox})
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VTBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "linux"


@needs_tools
def test_a_build_puts_the_image_where_find_looks(tmp_path, cache):
    assert linux.find() is None
    steps = []
    made = linux.build(
        folder=small_sources(tmp_path / "src"),
        jobs=1,
        on_progress=lambda step, line: steps.append(step),
    )
    assert list(dict.fromkeys(steps)) == [
        "unpack Linux",
        "configure Linux",
        "compile Linux",
        "unpack BusyBox",
        "configure BusyBox",
        "compile BusyBox",
    ]
    assert made == linux.find() == linux.find("6.12") == linux.find("6.12.1")
    assert linux.find("6.1") is None
    assert made.version == "6.12.1"
    assert made.is_current
    assert made.kernel.read_text().startswith("riscv riscv64-linux-gnu- vtbook")
    assert "CONFIG_SMP=y" in made.config.read_text()
    assert b"CONFIG_ASH=y" in made.initramfs.read_bytes()  # the makeshift busybox
    assert made.manifest["linux"]["origin"] == "linux-6.12.1.tar.xz"
    assert made.manifest["compiler"].startswith("riscv64-linux-gnu-gcc")
    assert json.loads((made.folder / image.MANIFEST).read_text()) == made.manifest
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "6.12.1"]


@needs_tools
def test_two_builds_are_the_same_whatever_the_environment_says(tmp_path, cache, monkeypatch):
    folder = small_sources(tmp_path / "src")
    first = linux.build(folder=folder)
    files = first.manifest["files"]
    for name in ("KBUILD_BUILD_USER", "KCFLAGS", "LOCALVERSION", "ARCH", "MAKEFLAGS"):
        monkeypatch.setenv(name, "x")
    second = linux.build(folder=folder, force=True)
    assert second.manifest["files"] == files


@needs_tools
def test_what_is_there_is_not_built_again(tmp_path, cache):
    folder = small_sources(tmp_path / "src")
    made = linux.build(folder=folder)
    made.kernel.write_bytes(made.kernel.read_bytes()[::-1])  # of the same size: still whole
    assert linux.build() == made
    assert linux.build(version="6.12") == made


@needs_tools
def test_a_kernel_of_the_same_source_options_and_compiler_is_not_compiled_again(tmp_path):
    def steps(folder, **options):
        seen = []
        linux.build(folder=folder, on_progress=lambda step, line: seen.append(step), **options)
        return set(seen)

    folder = small_sources(tmp_path / "src")
    assert "compile Linux" in steps(folder)
    before = linux.find().kernel.read_bytes()
    archive(folder / "busybox-1.36.2.tar.bz2", {"b/Makefile": BUSYBOX_MAKEFILE + "# newer\n"})
    assert steps(folder) == {"unpack BusyBox", "configure BusyBox", "compile BusyBox"}
    made = linux.find()
    assert made.kernel.read_bytes() == before
    assert made.manifest["busybox"]["origin"] == "busybox-1.36.2.tar.bz2"
    assert "compile Linux" in steps(folder, force=True)
    assert "compile Linux" in steps(small_sources(tmp_path / "new", kernel=KERNEL_MAKEFILE + "#\n"))


@needs_tools
def test_a_failed_step_leaves_the_old_image_and_names_its_log(tmp_path, cache):
    made = linux.build(folder=small_sources(tmp_path / "src"))
    before = made.kernel.read_bytes()
    broken = KERNEL_MAKEFILE.replace(
        "\tmkdir -p arch/riscv/boot\n", "\t@echo mm/slub.c is bad; false\n"
    )
    with pytest.raises(
        linux.BuildError, match=r"compile Linux.*build\.log[\s\S]*mm/slub\.c is bad"
    ):
        linux.build(folder=small_sources(tmp_path / "bad", kernel=broken), force=True)
    assert linux.find() == made
    assert made.kernel.read_bytes() == before
    assert "mm/slub.c is bad" in (cache / building.LOG).read_text()
    assert not list(cache.glob(".building-*"))


@needs_tools
def test_an_option_that_did_not_come_true_stops_the_build(tmp_path):
    without = KERNEL_MAKEFILE.replace("cp $(KCONFIG", "grep -v CONFIG_SMP= $(KCONFIG").replace(
        "LCONFIG) .config", "LCONFIG) > .config"
    )
    with pytest.raises(linux.BuildError, match=r"configure Linux.*SMP: y, not n"):
        linux.build(folder=small_sources(tmp_path / "src", kernel=without))


@needs_tools
def test_an_option_that_this_kernel_does_not_know_is_noted(tmp_path):
    without = KERNEL_MAKEFILE.replace("cp $(KCONFIG", "grep -v CONFIG_SMP= $(KCONFIG").replace(
        "LCONFIG) .config", "LCONFIG) > .config"
    )
    folder = small_sources(tmp_path / "src", kernel=without, options=kconfig({"SMP"}))
    assert linux.build(folder=folder).manifest["options_not_known"] == ["SMP"]


@needs_tools
def test_sources_are_kept_when_asked_for_without_what_is_never_read(tmp_path, cache):
    linux.build(folder=small_sources(tmp_path / "src"), keep_source=True)
    tree = cache / "source" / "linux-6.12.1"
    assert (tree / "Makefile").is_file()
    assert not (tree / "Documentation/big").exists()
    assert (cache / "source" / "busybox" / "busybox").is_file()


@needs_tools
def test_another_version_than_asked_for_is_refused(tmp_path):
    folder = small_sources(tmp_path / "src")
    with pytest.raises(linux.SourceError, match=r"no archive of Linux 6\.1 in it"):
        linux.build(folder=folder, version="6.1")
    (folder / "linux-6.12.1.tar.xz").rename(folder / "linux-source-6.12.tar.xz")
    with pytest.raises(linux.SourceError, match=r"has Linux 6\.12\.1, not 6\.12\.9"):
        linux.build(folder=folder, version="6.12.9")


def test_an_image_with_a_damaged_file_is_none(cache):
    folder = cache / "6.12.1"
    folder.mkdir(parents=True)
    names = (image.KERNEL, image.INITRAMFS, image.CONFIG)
    for name in names:
        (folder / name).write_bytes(b"1234")
    manifest = {"version": "6.12.1", "files": {name: {"size": 4} for name in names}}
    (folder / image.MANIFEST).write_text(json.dumps(manifest))
    assert linux.find().version == "6.12.1"
    assert not linux.find().is_current
    (folder / image.KERNEL).write_bytes(b"123")
    assert linux.find() is None
    (folder / image.KERNEL).unlink()
    assert linux.find() is None
    for text in ("", "{}", "[]", '{"version": 1, "files": []}', '{"version": "6", "files": {}}'):
        (folder / image.MANIFEST).write_text(text)
        assert linux.find() is None


def test_the_newest_image_comes_first(cache):
    for version in ("6.9.12", "6.12.1", "6.12.10"):
        folder = cache / version
        folder.mkdir(parents=True)
        names = (image.KERNEL, image.INITRAMFS, image.CONFIG)
        for name in names:
            (folder / name).write_bytes(b"")
        manifest = {"version": version, "files": {name: {"size": 0} for name in names}}
        (folder / image.MANIFEST).write_text(json.dumps(manifest))
    assert [x.version for x in linux.list_built()] == ["6.12.10", "6.12.1", "6.9.12"]
    assert linux.find("6.12").version == "6.12.10"


def test_missing_tools_are_named_with_their_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(linux.MissingToolsError) as caught:
        tools.check_tools(fetching=True)
    assert {"gcc-riscv64-linux-gnu", "flex", "bison", "bc", "dpkg-dev"} <= set(
        caught.value.packages
    )
    assert "sudo apt install" in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="needs a system with sh: Linux or macOS")
def test_compilers_without_a_c_library_are_found_out(tmp_path, monkeypatch):
    for name in (*tools.PACKAGES, *tools.FETCHING):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(linux.MissingToolsError) as caught:
        tools.check_tools(fetching=True)
    assert caught.value.packages == (tools.HOST_LIBRARY, tools.CROSS_LIBRARY)


def test_a_full_disk_is_noticed_first(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "PACKAGES", {})
    monkeypatch.setattr(building, "check_tools", lambda fetching: None)
    monkeypatch.setattr(building, "ROOM", 1 << 60)
    with pytest.raises(linux.BuildError, match="make room"):
        linux.build(folder=tmp_path)
    assert not list(tmp_path.glob("cache/linux/.building-*"))


def test_a_folder_without_sources_says_how_they_are_called(tmp_path):
    with pytest.raises(linux.SourceError, match="no such folder"):
        sources.find_in_folder(tmp_path / "none", None)
    with pytest.raises(linux.SourceError, match=r"linux-6\.12\.1\.tar\.xz"):
        sources.find_in_folder(tmp_path, None)
    (tmp_path / "linux-6.6.tar.xz").write_bytes(b"")
    with pytest.raises(linux.SourceError, match=r"busybox-1\.36\.1\.tar\.bz2"):
        sources.find_in_folder(tmp_path, None)


def test_the_newest_kernel_and_debians_busybox_are_taken(tmp_path):
    for name in (
        *("linux-6.6.tar.xz", "linux-6.12.9.tar.xz", "linux-6.12.10.tar.gz", "linux-6.99.patch"),
        *("busybox-1.36.1.tar.bz2", "busybox_1.35.0-4.dsc", "busybox_1.35.0-4.debian.tar.xz"),
    ):
        (tmp_path / name).write_bytes(b"")
    kernel, busybox = sources.find_in_folder(tmp_path, None)
    assert (kernel.origin, busybox.origin) == ("linux-6.12.10.tar.gz", "busybox_1.35.0-4.dsc")
    assert sources.find_in_folder(tmp_path, "6.6")[0].origin == "linux-6.6.tar.xz"
