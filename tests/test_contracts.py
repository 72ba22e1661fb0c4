"""What holds for the whole tree: who imports whom, and what no file may have in it."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = {".py", ".md", ".toml", ".txt", ".cff", ".json", ".js", ".css", ".c", ".h", ".S", ".ld"}
TEXT |= {".ipynb", ".html", ".yml", ".yaml", ""}


def tracked_files() -> list[Path]:
    """The files of the project: those that git knows, or in an archive without git, all."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        kept = [p for p in ROOT.rglob("*") if not any(q.startswith(".") for q in p.parts)]
        return [path for path in kept if path.is_file()]
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


FILES = tracked_files()


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def contents(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_parts_import_each_other_one_way_only():
    script = Path(sys.executable).with_name("lint-imports")
    if not script.exists():
        pytest.skip("needs import-linter: pip install import-linter")
    done = subprocess.run(
        [script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Written in pieces, so that this file does not have in it what it looks for.
FORBIDDEN = {
    "the path of one computer": rf"(?<![\w.])/({'work'}|{'root'}|{'home'}/\w+|{'Users'}/\w+)/",
    "the address of a registry": "|".join(
        ["pypi" + r"\.org", "python" + "hosted", r"debian\.org", "npm" + r"js\.org"]
    ),
    "a lock file's address": r"\b(resolved|registry)\s*=\s*[\"']https?:",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{named(path)}:{number}: {line.strip()[:100]}"
        for path in FILES
        if path.suffix in TEXT
        for number, line in enumerate(contents(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_there_are_no_lock_files():
    names = {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"}
    assert not [named(path) for path in FILES if path.name in names]


def test_constraints_pin_versions_and_nothing_else():
    lines = [x for x in contents(ROOT / "constraints.txt").splitlines() if not x.startswith("#")]
    assert not [x for x in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", x)]
    pinned = {x.partition("==")[0].lower().replace("_", "-") for x in lines}
    project = tomllib.loads(contents(ROOT / "pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(x for extra in extras.values() for x in extra)]
    names = {re.match(r"[\w.-]+", x)[0].lower().replace("_", "-") for x in wanted}
    assert names <= pinned


MODULES = [path for path in FILES if path.suffix == ".py"]


def test_every_module_says_what_it_is():
    """Packages of tests may be empty, so that modules of one name can stand in several."""
    mute = [
        named(path)
        for path in MODULES
        if (text := contents(path)).strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert not mute


def test_every_public_class_and_function_of_the_library_has_a_docstring():
    mute = []
    for path in MODULES:
        if not named(path).startswith("vtbook/"):
            continue
        for node in ast.parse(contents(path)).body:
            is_definition = isinstance(node, ast.ClassDef | ast.FunctionDef)
            if is_definition and not node.name.startswith("_") and not ast.get_docstring(node):
                mute.append(f"{named(path)}:{node.lineno}: {node.name}")
    assert not mute, "\n".join(mute)


def test_every_skip_has_a_reason():
    silent = []
    for path in MODULES:
        if not named(path).startswith("tests/"):
            continue
        silent += [
            f"{named(path)}:{node.lineno}: {ast.unparse(node)[:80]}"
            for node in ast.walk(ast.parse(contents(path)))
            if isinstance(node, ast.Call) and _is_silent(node)
        ]
    assert not silent, "\n".join(silent)


def _is_silent(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    keywords = {keyword.arg for keyword in call.keywords}
    if name in ("pytest.mark.skipif", "pytest.mark.xfail", "pytest.mark.skip"):
        return "reason" not in keywords
    if name in ("pytest.skip", "pytest.xfail"):
        return not call.args and "reason" not in keywords
    if name == "pytest.importorskip":  # its own reason names the package
        return not call.args
    return False


NOTEBOOKS = [path for path in FILES if path.suffix == ".ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_notebooks_are_stripped(path):
    notebook = json.loads(contents(path))
    identities = [cell.get("id") for cell in notebook["cells"]]
    assert all(identities), "each cell needs an id (nbformat 4.5)"
    assert len(set(identities)) == len(identities), "two cells have the same id"
    assert "widgets" not in notebook["metadata"], "widget state belongs to an executed copy"
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], f"cell {cell['id']} has outputs"
            assert cell["execution_count"] is None, f"cell {cell['id']} has a count"


def test_the_readme_and_the_checks_install_in_the_same_way():
    command = "python3 -m pip install -c constraints.txt -e '.[test,guests,site,cluster]'"
    assert command in contents(ROOT / "README.md")
    assert command.replace("install", "install -q") in contents(ROOT / ".ci" / "run")


def test_every_link_in_the_documents_leads_to_a_file():
    broken = []
    for path in FILES:
        if path.suffix != ".md":
            continue
        broken += [
            f"{named(path)}: {target}"
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", contents(path))
            if "://" not in target and not (path.parent / target).exists()
        ]
    assert not broken


def test_the_architecture_names_every_package_and_every_module_it_speaks_of():
    text = contents(ROOT / "ARCHITECTURE.md")
    packages = sorted(p.parent.name for p in (ROOT / "vtbook").glob("*/__init__.py"))
    for package in packages:
        assert f"`vtbook/{package}`" in text, package
    for name in re.findall(r"`((?:vtbook|tests)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), f"ARCHITECTURE.md speaks of {name}, which is not there"
