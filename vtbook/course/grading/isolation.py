"""Shut a process in: namespaces, a read-only view of the files, limits, no privileges.

Linux only; elsewhere `shut_in` sets the limits that the system has and says what is missing. Each
step is tried by itself, and what fails is reported, not fatal: what a container or a distribution
forbids differs too much. The order matters and is that of `shut_in` and `drop_privileges`.

==============  ==========================================  ====================================
what            Linux                                       where it cannot be had
==============  ==========================================  ====================================
network         network namespace with a loopback only      open, and said so
processes       PID namespace, its end kills all in it      session, subreaper, psutil
files           all read-only but a folder in memory; the   writable as for the user; a folder
                submissions, solutions, home and /tmp       of its own, removed afterwards
                are hidden, but for what Python needs
memory          RLIMIT_AS in each, polling of all           polling (macOS, Windows)
fork bomb       RLIMIT_NPROC in a user namespace or under   polling
                a user id of its own, polling
user            root: a user id of its own; all: no         the user's own
                capabilities, no_new_privs
==============  ==========================================  ====================================
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC = 0x20000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY, SYS_MOUNT_SETATTR = -100, 0x8000, 1, 442
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 1, 4, 38, 36
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
FIRST_USER = 1_900_000_000
"""User ids for submissions that root grades: this, plus a process id."""

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _call(name: str, *arguments: Any) -> None:
    """Call libc; raise OSError if it fails."""
    if getattr(_libc, name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def prctl(option: int, value: int) -> None:
    """Linux's prctl with one argument; nothing elsewhere."""
    if LINUX:
        _call("prctl", option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Linux's mount; raises OSError."""
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )


class Missing(list[str]):
    """What could not be had, as ``what: reason``."""

    def attempt(self, what: str, step: Callable[..., None], *arguments: Any) -> bool:
        """Take a step; keep why it failed. Returns whether it was taken."""
        try:
            step(*arguments)
        except (OSError, ValueError, AttributeError) as error:
            self.append(f"{what}: {getattr(error, 'strerror', None) or error}")
            return False
        return True


def unshare_all(missing: Missing) -> bool:
    """Enter new namespaces, of which the PID namespace holds for the next child.

    Returns:
        Whether there is a PID namespace.
    """
    if not LINUX:
        missing += ["network not cut: needs Linux", "files not hidden: needs Linux"]
        return False
    if os.geteuid() and not missing.attempt("no user namespace", _new_user):
        return False
    missing.attempt("network not cut", _new_network)
    missing.attempt("IPC is shared", _call, "unshare", CLONE_NEWIPC)
    return missing.attempt("processes are visible", _call, "unshare", CLONE_NEWPID)


def _new_user() -> None:
    user, group = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)


def _new_network() -> None:
    import fcntl

    _call("unshare", CLONE_NEWNET)
    with contextlib.suppress(OSError), socket.socket() as s:  # programs that talk to themselves
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def needed_by_python() -> list[Path]:
    """Folders without which cells cannot import: Python, packages, vtbook and its cache."""
    import platformdirs

    import vtbook

    paths = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, Path(vtbook.__file__).parent]
    cache = os.environ.get("VTBOOK_CACHE") or platformdirs.user_cache_dir("vtbook")
    named = [Path(p).resolve() for p in map(str, [*paths, cache]) if p]
    found = {path for path in named if path.exists()}
    return sorted(p for p in found if p != Path("/"))


def private_places() -> list[str]:
    """Folders that no submission has any business in."""
    return [str(Path.home()), "/tmp", "/var/tmp", "/dev/shm", "/run/user", "/root", "/home"]


def make_view(work: str, hidden: Iterable[str], limit: int, in_pid_namespace: bool) -> None:
    """Make this process's view of the files: read-only, hidden in part, `work` in memory.

    Raises OSError: it cannot be made; then the view may be as before, or made in part.
    """
    _call("unshare", CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    if in_pid_namespace:
        with contextlib.suppress(OSError):  # forbidden where parts of /proc are covered
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    owner = f"uid={os.geteuid()},gid={os.getegid()}"
    kept = {str(p): os.open(p, os.O_PATH) for p in needed_by_python()}
    places = {os.path.realpath(p): "hide" for p in [*private_places(), *hidden]}
    places |= dict.fromkeys(kept, "keep")
    for path in sorted(places, key=lambda p: p.count("/")):
        if places[path] == "keep":
            if not any(path != p and _inside(path, p) for p in places if places[p] == "hide"):
                continue
            os.makedirs(path, exist_ok=True)
            if os.path.isdir(path):
                mount(f"/proc/self/fd/{kept[path]}", path, flags=MS_BIND | MS_REC)
        elif os.path.isdir(path):
            mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, f"size=1m,mode=755,{owner}")
        elif os.path.exists(path):
            mount("/dev/null", path, flags=MS_BIND)
    for handle in kept.values():
        os.close(handle)
    os.makedirs(work, exist_ok=True)
    read_only = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    _call("syscall", SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, read_only, len(read_only))
    for path, mode in ((work, "777"), ("/tmp", "1777"), ("/dev/shm", "1777")):
        if os.path.isdir(path) and not any(_inside(p, path) for p in [*kept, work] if path != work):
            options = f"size={limit},nr_inodes=10k,mode={mode}"
            mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, options)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def set_limits(limits: dict[str, Any], missing: Missing) -> None:
    """Set the resource limits of this process and of its children."""
    try:
        import resource
    except ImportError:
        missing.append("no limits but time and polling: needs a POSIX system")
        return
    in_use = _virtual_memory()
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits["cpu_seconds"]),
        "RLIMIT_FSIZE": int(limits["files"]),
        "RLIMIT_NOFILE": 256,
        "RLIMIT_NPROC": int(limits["processes"]),
    }
    if in_use:
        wanted["RLIMIT_AS"] = in_use + int(limits["memory"])
    own_user = os.geteuid() >= FIRST_USER
    if not own_user and not _in_user_namespace():
        del wanted["RLIMIT_NPROC"]  # it would count the user's other processes
    for name, value in wanted.items():
        if hasattr(resource, name):
            missing.attempt(name, resource.setrlimit, getattr(resource, name), (value, value))


def _virtual_memory() -> int:
    """Bytes of address space in use, of which the RLIMIT_AS of Linux speaks; else 0."""
    if not LINUX:
        return 0
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _in_user_namespace() -> bool:
    try:
        return Path("/proc/self/uid_map").read_text().split()[2] != "4294967295"
    except (OSError, IndexError):
        return False


def drop_privileges(missing: Missing) -> None:
    """Become nobody that owns anything, if this is root, and lose every capability."""
    if not LINUX:
        return
    if os.geteuid() == 0:
        missing.attempt("still root", _become, FIRST_USER + os.getpid())
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    header, data = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6)
    missing.attempt("capabilities kept", _call, "capset", header, data)
    missing.attempt("/proc/self is not readable", prctl, PR_SET_DUMPABLE, 1)


def _become(user: int) -> None:
    import vtbook

    if not os.stat(vtbook.__file__).st_mode & stat.S_IROTH:
        raise OSError(0, "vtbook is readable for root only")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
