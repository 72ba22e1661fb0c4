"""The front end is joined from its files into one module, and its labels are complete."""

from __future__ import annotations

import re
import string

import pytest

from vtbook.widgets import _assets
from vtbook.widgets._assets import FrontEndError, front_end, widget_strings
from vtbook.widgets.base import LANGUAGES

WIDGETS = sorted(path.name.split(".")[0] for path in _assets.HERE.glob("*.strings.json"))


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_widget_is_one_module_that_imports_nothing(widget):
    script, style = front_end(widget)
    assert not re.search(r"^\s*import\b", script, re.MULTILINE)
    assert len(re.findall(r"^export default ", script, re.MULTILINE)) == 1
    assert len(re.findall(r"^export ", script, re.MULTILINE)) == 1
    # A vendored module has addresses in its notices, and one in a comparison; none is fetched.
    own = re.sub(
        r"^const \{ [\w, ]+ \} = \(\(\) => \{\n.*?^\}\)\(\);", "", script, flags=re.M | re.S
    )
    rules = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
    assert "http" not in re.sub(r"http://www.w3.org/2000/svg", "", own + rules)


@pytest.mark.parametrize("widget", WIDGETS)
@pytest.mark.parametrize("part", ["common", "widget"])
def test_every_language_has_every_label_with_the_same_blanks(part, widget):
    table = widget_strings(widget)[part]
    assert set(table) == set(LANGUAGES)

    def blanks(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for language in LANGUAGES:
        assert table[language].keys() == table["en"].keys()
        for key, text in table[language].items():
            assert text.strip() == text != ""
            assert blanks(text) == blanks(table["en"][key]), (language, key)


@pytest.mark.parametrize("widget", WIDGETS)
def test_every_label_that_the_script_asks_for_exists(widget):
    script, _ = front_end(widget)
    table = widget_strings(widget)
    known = table["common"]["en"].keys() | table["widget"]["en"].keys()
    asked = set(re.findall(r'\bt(?:\.count)?\(\s*"(\w+)"', script))
    assert len(asked) > 10
    assert asked - known == set()


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write front-end files to a folder of their own."""
    monkeypatch.setattr(_assets, "HERE", tmp_path)
    front_end.cache_clear()

    def write(**sources):
        for name, text in sources.items():
            (tmp_path / f"{name}.js").write_text(text)
            (tmp_path / f"{name}.css").write_text("")
        (tmp_path / "common.css").write_text("")
        (tmp_path / "strings.json").write_text('{"common": {}, "registers": {}}')
        (tmp_path / "w.strings.json").write_text('{"en": {}}')

    yield write
    front_end.cache_clear()


def test_imported_modules_come_first_and_once(files):
    files(
        a="export const A = 1;\n",
        b='import { A } from "./a.js";\nexport const B = A;\n',
        w='import {\n  A,\n} from "./a.js";\nimport { B } from "./b.js";\nexport default [A, B];\n',
    )
    script, _ = front_end("w")
    assert [line for line in script.splitlines() if line] == [
        'const STRINGS = {"common":{},"registers":{},"widget":{"en":{}}};',
        "const A = 1;",
        "const B = A;",
        "export default [A, B];",
    ]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"w": 'import { A } from "./gone.js";\n'}, "gone.js: there is no such"),
        ({"a": "const B = 1;\n", "w": 'import { A } from "./a.js";\n'}, "'A' is not declared"),
        (
            {"a": "export const A = 1;\n", "w": 'import { A } from "./a.js";\nconst A = 2;\n'},
            "'A' is also declared in a.js",
        ),
        ({"w": 'import "./a.js";\n'}, "write imports as"),
        (
            {
                "a": 'import { W } from "./w.js";\nexport const A = 1;\n',
                "w": 'import { A } from "./a.js";\nexport const W = 1;\n',
            },
            "'W' is not declared",
        ),
    ],
)
def test_what_cannot_be_joined_is_told_with_the_file(files, sources, message):
    files(**sources)
    with pytest.raises(FrontEndError, match=message):
        front_end("w")


def test_a_vendored_module_keeps_its_names_to_itself(files, tmp_path):
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "lib.mjs").write_text("var A=1,b=2;export{b as Lib};\n")
    (tmp_path / "vendor" / "lib.css").write_text(".lib {}")
    files(w='import { Lib } from "./vendor/lib.mjs";\nconst A = Lib;\nexport default A;\n')
    script, style = front_end("w")
    assert "const { Lib } = (() => {\nvar A=1,b=2;\nreturn { Lib: b };\n})();" in script
    assert ".lib {}" in style


@pytest.mark.parametrize("source", ["var A = 1;", 'import "./x.mjs";\nexport{A as Lib};'])
def test_a_vendored_file_that_is_not_one_module_is_refused(files, tmp_path, source):
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "lib.mjs").write_text(source)
    files(w='import { Lib } from "./vendor/lib.mjs";\n')
    with pytest.raises(FrontEndError, match="not one module that ends in a list of exports"):
        front_end("w")
