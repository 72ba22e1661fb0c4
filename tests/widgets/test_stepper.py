"""The Python side of the stepper: its traits, its refusals, its table for pages without script."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from tests.widgets.sample import LISTING, START, long_trace, sample_trace
from vtbook.errors import VtbookError
from vtbook.widgets import Stepper
from vtbook.widgets.trace import TraceError


class Cells(HTMLParser):
    """The text of a table's rows."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_sample_is_disassembled_as_capstone_does():
    capstone = pytest.importorskip("capstone")
    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    plain = {"li a1, 4": "c.li a1, 4", "addi a0, a0, 8": "c.addi a0, 8", "ecall": "ecall"}
    checked = 0
    for offset, raw, text, _ in LISTING:
        code = int(raw, 16).to_bytes(len(raw) // 2, "little")
        (found,) = engine.disasm(code, START + offset)
        shown = f"{found.mnemonic} {found.op_str}".strip()
        assert found.size == len(raw) // 2
        ours, theirs = text.split()[0], found.mnemonic.removeprefix("c.")
        assert ours == theirs or (ours, theirs) == ("li", "addi")
        if text in plain:
            assert shown == plain[text]
            checked += 1
    assert checked == len(plain)


def test_the_state_holds_all_that_the_front_end_needs_as_json():
    state = Stepper(sample_trace(), language="pt", step=3).get_state()
    assert json.loads(json.dumps(state["trace"])) == sample_trace()
    assert (state["step"], state["language"]) == (3, "pt")
    assert "export default" in state["_esm"]
    assert ".vtb" in state["_css"]


def test_two_thousand_steps_are_well_under_300_kb():
    size = len(json.dumps(Stepper(long_trace(2000)).get_state()["trace"]))
    assert size < 100_000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stepper({"format": "x"}), "trace: has no 'version'"),
        (lambda: Stepper(sample_trace(), step=40), "no step 40; use 0 to 39"),
        (lambda: Stepper(sample_trace(), panels=["stack"]), "no panel 'stack'"),
        (lambda: Stepper(sample_trace(), language="fr"), "no labels in 'fr'.*en, pt"),
    ],
)
def test_bad_arguments_are_refused_with_what_to_use(make, message):
    with pytest.raises(VtbookError, match=message):
        make()


def test_a_bad_trace_assigned_later_is_refused_too():
    stepper = Stepper(sample_trace())
    with pytest.raises(TraceError):
        stepper.trace = {}
    assert stepper.trace == sample_trace()


def test_a_regional_language_is_taken_as_its_base():
    assert Stepper(sample_trace(), language="pt_BR").language == "pt"


def test_the_bundle_has_the_view_a_table_and_a_plain_line():
    data, _ = Stepper(sample_trace())._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == (
        "<Stepper: Sum of four numbers, then a call to the handler, step 0 of 39>"
    )
    assert data["text/html"].startswith("<table>")


def test_the_table_tells_every_step_in_words():
    rows = Cells(Stepper(sample_trace()).fallback_html()).rows
    assert rows[0] == ["Step", "Address", "Instruction", "What it does"]
    assert len(rows) == 1 + 39
    assert rows[1] == ["1", "80000000", "auipc a0, 0x1", "a0 becomes 0x80001000 (was 0x0)"]
    assert rows[9] == [
        "9",
        "80000008",
        "ld a3, 0(a0)",
        "a3 becomes 0x10000000000 (was 0x3); reads 8 bytes at 0x80001008",
    ]
    assert rows[34][3].endswith(
        "enters M-mode (machine); Trap: environment call from U-mode (cause 8), "
        "epc 0x80000036, tval 0x0"
    )
    assert rows[39][3] == (
        "writes 0x5555 (4 bytes) at 0x100000; Exit: the machine was switched off"
    )


def test_the_table_is_cut_at_a_hundred_steps_and_says_so():
    html = Stepper(long_trace(250)).fallback_html()
    assert len(Cells(html).rows) == 101
    assert "150 more steps" in html


def test_the_table_speaks_the_language():
    html = Stepper(sample_trace(), language="pt").fallback_html()
    assert "a0 passa a 0x80001000 (era 0x0)" in html
    assert "Trap: chamada de ambiente do modo U (causa 8)" in html


def test_text_of_a_trace_is_escaped_in_the_table():
    trace = sample_trace()
    trace["title"] = "<b>&"
    trace["listing"][0][2] = "<script>"
    html = Stepper(trace).fallback_html()
    assert "<script>" not in html
    assert "&lt;b&gt;&amp;" in html
