"""Builds the Linux image: fetch, unpack, configure, compile, pack, and only then put in place.

Everything happens in a folder of its own in the cache; an image that is there stays until the new
one is whole. Nothing in the result depends on the time, the user or the folder, so the same
sources, compiler and recipe make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vtbook.errors import VtbookError
from vtbook.files import locked
from vtbook.guests.linux import configuration, image
from vtbook.guests.linux.image import LinuxImage
from vtbook.guests.linux.initramfs import initramfs
from vtbook.guests.linux.sources import (
    Debian,
    Source,
    SourceError,
    find_in_folder,
    find_installed,
)
from vtbook.guests.linux.tools import CROSS, check_tools, compiler_version

LOG = "build.log"
BUSYBOX_CONFIG = "busybox.config"
SOURCES = "source"  # folder in the cache for --keep-source
ROOM = 3 << 30
"""Bytes of disk that a build takes for a while, at most."""

# What a kernel for riscv never reads: half of the archive's files.
NOT_UNPACKED = (
    *("*/Documentation/*/*", "*/tools/testing/*", "*/sound/*.[ch]", "*/drivers/gpu/*.[ch]"),
    *("*/drivers/media/*.[ch]", "*/drivers/net/wireless/*.[ch]", "*/drivers/staging/*.[ch]"),
)

# The same for every build (Linux, Documentation/kbuild/reproducible-builds.rst).
SAME_ALWAYS = {
    "LC_ALL": "C",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": "0",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "vtbook",
    "KBUILD_BUILD_HOST": "vtbook",
    "KBUILD_BUILD_VERSION": "1",
}

# Variables of make and of kbuild that would change the result.
NOT_INHERITED = (
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "KBUILD_",
    "KCFLAGS",
    "KCPPFLAGS",
    "LOCALVERSION",
)

Progress = Callable[[str, str], None]
"""Told about each step, and a last line of its output: ("compile Linux", "CC mm/slub.o")."""


class BuildError(VtbookError):
    """A step of the build failed; the message has the end of its output and the log's path."""


def build(
    *,
    version: str | None = None,
    folder: Path | None = None,
    jobs: int | None = None,
    force: bool = False,
    keep_source: bool = False,
    on_progress: Progress = lambda step, line: None,
) -> LinuxImage:
    """Build the image, or return the one that is there if this recipe made it.

    version: of the kernel, such as "6.12"; the newest that is to be had if not given.
    folder: with archives of Linux and BusyBox; else they come from /usr/src and Debian's archive.
    jobs: how many compilers run at once; one for each processor if not given.
    force: build even if it is there, and the kernel even if only the rest has changed.
    keep_source: keep the unpacked sources in the cache folder, to read or to build by hand.
    on_progress: told about each step and line of output.

    Raises MissingToolsError, SourceError, BuildError, OSError.
    """
    there = image.find(version)
    if there is not None and there.is_current and not force and folder is None:
        return there
    fetching = folder is None
    check_tools(fetching=fetching)
    top = image.images_folder()
    top.mkdir(parents=True, exist_ok=True)
    _check_room(top)
    with locked(top / ".lock"), _work_folder(top) as work:
        image.recipe()  # read it now: its files may change before the end
        builder = _Builder(work, top, jobs or os.cpu_count() or 1, force, on_progress)
        if folder is not None:
            linux, busybox = find_in_folder(folder, version)
        else:
            debian = Debian(work, builder.run_in("fetch sources"))
            linux = find_installed(version) or debian.linux(version)
            busybox = debian.busybox()
        return builder.build(linux, busybox, version, keep_source)


class _Builder:
    """One build in `work`, whose result goes below `top`."""

    def __init__(
        self, work: Path, top: Path, jobs: int, force: bool, on_progress: Progress
    ) -> None:
        self._work = work
        self._top = top
        self._jobs = jobs
        self._force = force
        self._tell = on_progress
        self._log = top / LOG
        self._log.write_bytes(b"")
        self._result = work / "result"
        self._result.mkdir()
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(NOT_INHERITED) and name not in ("ARCH", "CROSS_COMPILE")
        } | SAME_ALWAYS

    def build(
        self, linux: Source, busybox: Source, wanted: str | None, keep_source: bool
    ) -> LinuxImage:
        """All steps; returns the image in its place."""
        started = time.monotonic()
        key = _kernel_key(linux)
        trees = {}
        known = None if self._force or keep_source else self._reuse_kernel(key)
        if known is not None:
            version, unknown = known
        else:
            tree = self._unpack(linux, "unpack Linux", NOT_UNPACKED)
            version = self._run(["make", "-s", "kernelversion"], tree, "unpack Linux").strip()
            trees[f"linux-{version}"] = tree
        if wanted and not (version == wanted or version.startswith(wanted + ".")):
            raise SourceError(f"{linux.origin} has Linux {version}, not {wanted}")
        if known is None:
            unknown = self._build_kernel(tree)
        trees["busybox"] = tools = self._unpack(busybox, "unpack BusyBox")
        self._build_busybox(tools)
        links = (tools / "busybox.links").read_text(encoding="utf-8").split()
        archive = initramfs((tools / "busybox").read_bytes(), links)
        (self._result / image.INITRAMFS).write_bytes(archive)
        origins = {"kernel_key": key, "linux": _origin(linux), "busybox": _origin(busybox)}
        self._describe(version, origins, unknown, time.monotonic() - started)
        if keep_source:
            self._keep(trees)
        return self._put_in_place(version)

    def run_in(self, step: str) -> Callable[[list[str], Path], str]:
        """A function that runs commands as part of a step."""
        return lambda command, folder: self._run(command, folder, step)

    def _unpack(self, source: Source, step: str, without: tuple[str, ...] = ()) -> Path:
        """Unpack sources; returns the folder of their Makefile."""
        target = self._work / f"tree-{source.path.name.partition('-')[0].partition('_')[0]}"
        if source.path.suffix == ".dsc":
            command = ["dpkg-source", "--no-check", "-x", str(source.path), str(target)]
            self._run(command, self._work, step)
            return target
        target.mkdir()
        left_out = [f"--exclude={pattern}" for pattern in without]
        self._run(["tar", "-xf", str(source.path), *left_out, "-C", str(target)], self._work, step)
        tree = next((path.parent for path in target.glob("*/Makefile")), None)
        if tree is None:
            raise BuildError(f"{source.path}: no sources in it: there is no */Makefile")
        return tree

    def _reuse_kernel(self, key: str) -> tuple[str, list[str]] | None:
        """Take a kernel that was built of the same: its version, and options it does not know."""
        for there in image.list_built():
            if there.manifest.get("kernel_key") == key:
                shutil.copyfile(there.kernel, self._result / image.KERNEL)
                shutil.copyfile(there.config, self._result / image.CONFIG)
                return there.version, there.manifest["options_not_known"]
        return None

    def _build_kernel(self, tree: Path) -> list[str]:
        """Configure and compile Linux. Returns options of ours that this version does not know."""
        step = "configure Linux"
        make = ["make", "ARCH=riscv", f"CROSS_COMPILE={CROSS}"]
        wanted = configuration.parse(configuration.ours(configuration.KERNEL))
        fragment = self._work / "fragment"
        fragment.write_text(configuration.ours(configuration.KERNEL), encoding="utf-8")
        self._run([*make, f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig"], tree, step)
        files = [path for path in tree.rglob("Kconfig*") if path.is_file()]
        known = configuration.defined_in(files)
        unknown = sorted(wanted.keys() - known)
        self._compare(tree / ".config", {x: wanted[x] for x in wanted if x in known}, step)
        self._run([*make, f"-j{self._jobs}", "Image"], tree, "compile Linux")
        shutil.copyfile(tree / "arch/riscv/boot/Image", self._result / image.KERNEL)
        shutil.copyfile(tree / ".config", self._result / image.CONFIG)
        return unknown

    def _build_busybox(self, tree: Path) -> None:
        """Configure and compile BusyBox, whose kconfig is an old one without fragments."""
        step = "configure BusyBox"
        wanted = configuration.parse(configuration.ours(configuration.BUSYBOX))
        self._run(["make", "allnoconfig"], tree, step)
        config = tree / ".config"
        text = configuration.merge(config.read_text(encoding="utf-8"), wanted)
        config.write_text(text, encoding="utf-8")
        self._run(["make", "oldconfig"], tree, step, typed="\n" * 10_000)
        self._compare(config, wanted, step)
        make = ["make", f"CROSS_COMPILE={CROSS}", f"-j{self._jobs}", "busybox", "busybox.links"]
        self._run(make, tree, "compile BusyBox")
        shutil.copyfile(config, self._result / BUSYBOX_CONFIG)

    def _compare(self, config: Path, wanted: Mapping[str, str], step: str) -> None:
        """See that a finished configuration has what we asked for."""
        finished = configuration.parse(config.read_text(encoding="utf-8"))
        wrong = configuration.missing(wanted, finished)
        if wrong:
            listed = "; ".join(f"{x}: {want}, not {is_}" for x, (want, is_) in wrong.items())
            raise BuildError(
                f"{step}: these options did not become what the recipe says, since something that "
                f"they depend on is off: {listed}"
            )

    def _describe(
        self, version: str, origins: Mapping[str, Any], unknown: list[str], seconds: float
    ) -> None:
        """Write the manifest, and the log beside it."""
        shutil.copyfile(self._log, self._result / LOG)
        names = (image.KERNEL, image.INITRAMFS, image.CONFIG, BUSYBOX_CONFIG)
        files = {name: _fingerprint(self._result / name) for name in names}
        manifest: dict[str, Any] = {
            "version": version,
            "recipe": image.recipe(),
            **origins,
            "compiler": compiler_version(),
            "options_not_known": unknown,
            "build_seconds": round(seconds),
            "files": files,
        }
        text = json.dumps(manifest, indent=1) + "\n"
        (self._result / image.MANIFEST).write_text(text, encoding="utf-8")

    def _keep(self, trees: Mapping[str, Path]) -> None:
        """Move unpacked sources to where a reader finds them."""
        for name, tree in trees.items():
            target = self._top / SOURCES / name
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)
            os.replace(tree, target)

    def _put_in_place(self, version: str) -> LinuxImage:
        """Move the result to where find() looks, in place of an older one."""
        target = self._top / version
        if target.exists():
            os.replace(target, self._work / "older")
        os.replace(self._result, target)
        self._log.unlink()
        made = image.find(version)
        if made is None:
            raise BuildError(f"{target}: the image vanished while it was put there")
        return made

    def _run(self, command: list[str], folder: Path, step: str, typed: str = "") -> str:
        """Run a command; its output goes to the log. Returns its stdout.

        Raises BuildError if it cannot be started or fails.
        """
        self._tell(step, "")
        said: list[str] = []
        end: deque[str] = deque(maxlen=15)
        with (
            self._log.open("a", encoding="utf-8") as log,
            _process(command, folder, self._environment, typed, step) as process,
        ):
            log.write(f"$ {' '.join(command)}\n")
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                said.append(line)
                end.append(line)
                self._tell(step, line.strip())
        if process.returncode != 0:
            raise BuildError(
                f"{step}: `{command[0]}` failed with status {process.returncode}; the whole log is "
                f"{self._log}; its end:\n{''.join(end).rstrip()}"
            )
        return "".join(said)


@contextmanager
def _process(
    command: list[str], folder: Path, environment: dict[str, str], typed: str, step: str
) -> Iterator[subprocess.Popen[str]]:
    """A running command with all of its output as lines; it is ended if the caller leaves early."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stdin:
        stdin.write(typed)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise BuildError(
                f"{step}: `{command[0]}` cannot be started ({error.strerror})"
            ) from None
        with process:
            try:
                yield process
            except BaseException:
                process.terminate()
                raise


@contextmanager
def _work_folder(top: Path) -> Iterator[Path]:
    """A folder for one build; what a killed build left behind goes away first."""
    for path in top.glob(".building-*"):
        shutil.rmtree(path, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=".building-", dir=top))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise BuildError(
            f"{folder}: {free >> 20} MiB are free, and a build takes up to {ROOM >> 20} MiB for a "
            "while; make room, or set VTBOOK_CACHE to a folder with more"
        )


def _kernel_key(linux: Source) -> str:
    """A hash of what a kernel is made of: its source, our options, the compiler."""
    parts = (
        _fingerprint(linux.path)["sha256"],
        configuration.ours(configuration.KERNEL),
        compiler_version(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _origin(source: Source) -> dict[str, str]:
    return {"origin": source.origin, "sha256": _fingerprint(source.path)["sha256"]}


def _fingerprint(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {
            "size": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
