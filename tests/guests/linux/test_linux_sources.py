"""Asking apt for sources, with an apt that is played."""

import pytest

from vtbook.guests import linux
from vtbook.guests.linux import sources

MADISON = """\
 busybox | 1:1.35.0-4 | http://archive.test/debian bookworm/main amd64 Packages
 busybox | 1:1.35.0-4 | http://archive.test/debian bookworm-updates/main amd64 Packages
 busybox | 1:1.35.0-4 | http://archive.test/debian bookworm/main Sources
"""

SEARCH = """\
linux-source-4.19 - Linux kernel source for version 4.19 with Debian patches
linux-source-6.1 - Linux kernel source for version 6.1 with Debian patches
linux-source-6.12 - Linux kernel source for version 6.12 with Debian patches
"""


class Apt:
    """Plays apt: notes what is run, and leaves the files that apt would."""

    def __init__(self, madison: str = MADISON, search: str = SEARCH) -> None:
        self.madison, self.search = madison, search
        self.commands: list[list[str]] = []
        self.entries = ""

    def __call__(self, command, folder):
        self.commands.append(command)
        if "download" in command:
            (folder / f"{command[-1]}_6.12.117-1%7edeb12u1_all.deb").write_bytes(b"")
        elif command[0] == "dpkg-deb":
            made = folder / "files/usr/src"
            made.mkdir(parents=True)
            (made / "linux-source-6.12.tar.xz").write_bytes(b"")
        elif "source" in command:
            self.entries = "".join(path.read_text() for path in folder.glob("etc/*.sources"))
            (folder / "busybox_1.35.0-4+deb12u1.dsc").write_bytes(b"")
        answers = {"madison": self.madison, "search": self.search}
        return answers.get(command[1], "") if command[0] == "apt-cache" else ""


def test_the_newest_kernel_is_fetched(tmp_path):
    apt = Apt()
    found = sources.Debian(tmp_path, apt).linux(None)
    assert ["apt-get", "download", "linux-source-6.12"] in apt.commands
    assert found.path.name == "linux-source-6.12.tar.xz"
    assert found.origin == "linux-source-6.12 6.12.117-1~deb12u1"


@pytest.mark.parametrize(
    ("wanted", "package"),
    [("6.1", "6.1"), ("6.1.170", "6.1"), ("6.12", "6.12"), ("6.12.5", "6.12"), ("6", "6.12")],
)
def test_a_version_chooses_the_package(tmp_path, wanted, package):
    apt = Apt()
    sources.Debian(tmp_path, apt).linux(wanted)
    assert ["apt-get", "download", f"linux-source-{package}"] in apt.commands


@pytest.mark.parametrize("wanted", ["5.10", "7", "6.2", "4.19"])
def test_a_version_that_no_package_has_is_refused_with_those_that_are_there(tmp_path, wanted):
    with pytest.raises(linux.SourceError, match=r"there are: 4\.19, 6\.1, 6\.12"):
        sources.Debian(tmp_path, Apt()).linux(wanted)


def test_without_lists_the_advice_is_to_update(tmp_path):
    with pytest.raises(linux.SourceError, match="sudo apt update"):
        sources.Debian(tmp_path, Apt(search="")).linux(None)
    with pytest.raises(linux.SourceError, match="sudo apt update"):
        sources.Debian(tmp_path, Apt(madison="")).busybox()


def test_busybox_comes_from_where_its_package_comes_from_with_lists_of_our_own(tmp_path):
    apt = Apt()
    assert sources.Debian(tmp_path, apt).busybox().origin == "busybox 1.35.0-4+deb12u1"
    assert apt.entries.count("Types: deb-src") == 2
    assert "URIs: http://archive.test/debian\nSuites: bookworm\nComponents: main\n" in apt.entries
    for command in apt.commands[1:]:
        own = [word.partition("=")[2] for word in command if word.startswith("-oDir")]
        assert own
        assert all(path == "/dev/null" or path.startswith(str(tmp_path)) for path in own)


def test_the_keys_of_the_systems_entries_sign_for_the_sources_too(tmp_path):
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "debian.sources").write_text(
        "Types: deb\nURIs: http://one.test/debian/ http://two.test\nSuites: a\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian.gpg\n\n"
        "Types: deb\nURIs: http://three.test\nSigned-By:\n -----BEGIN-----\n .\n key\nSuites: b\n"
    )
    (tmp_path / "sources.list").write_text(
        "# deb [signed-by=/no] http://no.test x main\n"
        "deb [arch=amd64 signed-by=/k/four.gpg] http://four.test/x/ stable main\n"
        "deb http://five.test stable main\n"
    )
    assert sources._signers(tmp_path) == {
        "http://one.test/debian": "Signed-By: /usr/share/keyrings/debian.gpg\n",
        "http://two.test": "Signed-By: /usr/share/keyrings/debian.gpg\n",
        "http://three.test": "Signed-By:\n -----BEGIN-----\n .\n key\n",
        "http://four.test/x": "Signed-By: /k/four.gpg\n",
    }
