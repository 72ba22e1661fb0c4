"""The console widget: what is sent to the browser, and the screen in a page without a kernel."""

from __future__ import annotations

import json
import random
import time

import pytest

from vtbook import Console, Machine, RecordedConsole, guest_image, record_console
from vtbook.errors import VtbookError
from vtbook.widgets import console as module
from vtbook.widgets import static_html

SLOW = 60  # seconds; a cold start compiles
SCRIPT = [
    ("> ", "help\r"),
    ("> ", "exit 3\r"),
]


class Line:
    """A runner that writes what the test tells it to."""

    def __init__(self):
        self.output, self.epoch, self.running = b"", 0, True
        self.typed, self.calls = b"", []
        self.listener = None

    status = {"state": "running", "instructions": 5}  # noqa: RUF012

    @property
    def written(self):
        return len(self.output)

    def since(self, position):
        return position, self.output[position:]

    def listen(self, listener):
        self.listener = listener
        return lambda: setattr(self, "listener", None)

    def write(self, data, settled=False):
        self.output += data
        self.listener(settled)

    def feed(self, data):
        self.typed += data.encode()

    def __getattr__(self, name):
        if name in ("run", "pause", "reset"):
            return lambda: self.calls.append(name)
        raise AttributeError(name)


@pytest.fixture
def line(monkeypatch):
    """A runner, its console, and the messages that the console has sent."""
    line = Line()
    sent = []
    monkeypatch.setattr(
        Console, "send", lambda self, content, buffers=(): sent.append((content, *buffers))
    )
    widget = Console(line)
    return line, widget, sent


def hello(widget, view="a"):
    widget._received(widget, {"type": "hello", "view": view}, [])


def test_nothing_is_sent_until_somebody_looks(line):
    runner, widget, sent = line
    runner.write(b"hello", settled=True)
    assert sent == []
    hello(widget)
    assert sent == [({"type": "screen", "at": 0, "epoch": 0}, b"hello")]


def test_much_output_becomes_few_messages(line):
    runner, widget, sent = line
    hello(widget)
    before = len(sent)
    for _ in range(500):
        runner.write(b"x" * 10)
    assert len(sent) - before <= 3
    runner.listener(True)
    assert b"".join(data for _, data in sent) == runner.output


def test_a_browser_that_does_not_keep_up_gets_no_more_than_the_window(line):
    runner, widget, sent = line
    hello(widget)
    runner.write(b"y" * module.BACKLOG, settled=True)
    for _ in range(40):
        runner.write(b"y" * module.BACKLOG, settled=True)
    on_the_way = sum(len(data) for _, data in sent)
    assert on_the_way <= module.WINDOW + module.CHUNK
    # It shows what it has, and gets the newest; the rest is left out and counted.
    last = sent[-1][0]["at"] + len(sent[-1][1])
    widget._received(widget, {"type": "ack", "view": "a", "at": last, "epoch": 0}, [])
    runner.listener(True)
    skipped = sum(content.get("skipped", 0) for content, _ in sent)
    assert skipped > 0
    assert sum(len(data) for _, data in sent) + skipped == len(runner.output)


def test_a_page_that_was_closed_does_not_hold_up_the_others(line):
    runner, widget, sent = line
    hello(widget, "closed without a word")
    hello(widget, "alive")
    for _ in range(10):
        runner.write(b"y" * module.BACKLOG, settled=True)
        last = sent[-1][0]["at"] + len(sent[-1][1])
        widget._received(widget, {"type": "ack", "view": "alive", "at": last, "epoch": 0}, [])
    assert b"".join(data for _, data in sent) == runner.output


def test_a_character_cut_in_two_arrives_whole(line):
    runner, widget, sent = line
    hello(widget)
    for byte in "ação €".encode():
        runner.write(bytes([byte]), settled=True)
    assert b"".join(data for _, data in sent).decode() == "ação €"


def test_when_the_past_changes_the_screen_is_sent_afresh(line):
    runner, widget, sent = line
    hello(widget)
    runner.write(b"abcdef", settled=True)
    runner.output, runner.epoch = b"abc", 1
    runner.listener(True)
    assert sent[-1] == ({"type": "screen", "at": 0, "epoch": 1}, b"abc")


def test_the_saved_screen_is_bounded(line):
    runner, widget, _ = line
    runner.write(b"line\n" * 100_000, settled=True)
    widget._save()
    assert len(widget.transcript) <= module.TRANSCRIPT
    assert widget.transcript.startswith("line\n")


def test_hostile_output_does_not_break_anything(line):
    runner, widget, sent = line
    hello(widget)
    noise = random.Random(5).randbytes(5000)
    runner.write(noise + b"\x1b]" + b"A" * 10_000 + b"\x1b[" + b"9" * 5000, settled=True)
    widget._save()
    json.dumps(widget.transcript)
    assert b"".join(data for _, data in sent) == runner.output
    assert "\x1b" not in widget.fallback_html()
    runner.write(b"</script><img src=x onerror=alert(1)>", settled=True)
    widget._save()
    assert "<img" not in static_html(widget)


def test_buttons_and_keys_reach_the_machine_and_refusals_are_shown(line):
    runner, widget, _ = line
    runner.calls.clear()
    for kind in ("run", "pause", "reset"):
        widget._received(widget, {"type": kind, "view": "a"}, [])
    assert runner.calls == ["run", "pause", "reset", "run"]
    widget._received(widget, {"type": "type", "data": "é\r"}, [])
    assert runner.typed == "é\r".encode()

    def refuse(data):
        raise VtbookError("feed less at once")

    runner.feed = refuse
    widget._received(widget, {"type": "type", "data": "x"}, [])
    assert widget.status["note"] == "feed less at once"


def test_a_machine_that_nobody_sees_is_paused(line, monkeypatch):
    monkeypatch.setattr(module, "UNSEEN", 0.01)
    runner, widget, _ = line
    hello(widget, "a")
    hello(widget, "b")
    runner.calls.clear()
    widget._received(widget, {"type": "bye", "view": "a"}, [])
    time.sleep(0.1)
    assert runner.calls == []
    widget._received(widget, {"type": "bye", "view": "b"}, [])
    for _ in range(100):
        if runner.calls:
            break
        time.sleep(0.02)
    assert runner.calls == ["pause"]


def test_closing_pauses_the_machine(line):
    runner, widget, _ = line
    widget.close()
    assert runner.calls[-1] == "pause"
    assert runner.listener is None


def test_impossible_sizes_are_refused():
    with pytest.raises(VtbookError, match="1 columns; use 2 to 500"):
        Console(Line(), columns=1)
    with pytest.raises(VtbookError, match="300 rows"):
        Console(Line(), rows=300)


def monitor(**options):
    machine = Machine("16 MiB")
    machine.load(guest_image("monitor"))
    return machine, Console(machine, title="A machine of yours", **options)


def test_a_script_talks_to_the_guest():
    machine, widget = monitor()
    widget.expect("> ", SLOW)
    widget.feed("peek 0x80000000\r")
    assert "0x80000000: 0x" in widget.expect("\n\x1b[32m> ", SLOW)
    assert widget.wait(SLOW) == "waiting"
    widget.feed("exit 9\r")
    assert widget.wait(SLOW) == "off"
    assert widget.status["code"] == 9
    assert "peek 0x80000000" in widget.transcript
    assert machine.run().code == 9
    widget.close()


# --- Recordings ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording():
    machine = Machine("16 MiB")
    machine.load(guest_image("monitor"))
    return record_console(machine, 5_000_000, every=2000, script=SCRIPT, title="A short talk")


def test_a_recording_is_the_same_each_time_and_is_all_the_output(recording):
    machine = Machine("16 MiB", "python")
    machine.load(guest_image("monitor"))
    again = record_console(machine, 5_000_000, every=2000, script=SCRIPT, title="A short talk")
    assert "".join(text for _, text in again["frames"]) == machine.console.text
    assert again["frames"][-1] == recording["frames"][-1]
    assert recording["ended"] == "shutdown"
    counts = [count for count, _ in recording["frames"]]
    assert counts == sorted(counts)


def test_a_script_that_cannot_go_on_is_told():
    machine = Machine("16 MiB")
    machine.load(guest_image("monitor"))
    with pytest.raises(VtbookError, match="the script waits for 'never'"):
        record_console(machine, 100_000, script=[("never", "x")])


@pytest.mark.parametrize("bad", [{}, {"frames": [["x", 1]]}, {"frames": [[1]]}, {"frames": 5}])
def test_what_is_no_recording_is_refused(bad):
    with pytest.raises(VtbookError, match="RecordedConsole"):
        RecordedConsole(bad)


# --- In a page without a kernel -----------------------------------------------------------------


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    _, widget = monitor()
    widget.expect("> ", SLOW)
    widget.feed("colours\r")
    widget.expect("> ", SLOW)
    widget.pause()
    path = tmp_path_factory.mktemp("console") / "console.html"
    path.write_text(static_html(widget, page=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recorded_file(recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "recorded.html"
    path.write_text(static_html(RecordedConsole(recording), page=True), encoding="utf-8")
    return path


def rows(page):
    page.wait_for_timeout(300)
    return page.locator(".xterm-rows > div").all_inner_texts()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_screen_is_shown_as_it_was_left(open_page, page_file, axe, theme):
    page = open_page(page_file, color_scheme=theme)
    page.get_by_text("No kernel runs here").wait_for()
    text = "\n".join(rows(page)).replace("\xa0", " ")
    assert "magenta" in text
    assert page.locator("[data-action=run]").get_attribute("aria-disabled") == "true"
    green = page.locator(".xterm-rows span", has_text="green").first
    r, g, b = (
        int(part)
        for part in green.evaluate("n => getComputedStyle(n).color").strip("rgb()").split(",")[:3]
    )
    assert g > r
    assert g > b
    assert page.left == []
    # The palette itself is shown on purpose, black on black among it.
    assert axe(page, ".vtb", rules=["wcag2a", "best-practice"]) == []
    for part in (".vtb-console-head", ".vtb-console-controls", ".vtb-console-note"):
        assert axe(page, part, rules=["color-contrast"]) == []


def test_a_recording_plays_and_seeks_both_ways(open_page, recorded_file, axe):
    page = open_page(recorded_file)
    page.locator("[data-action=last]").click()
    assert any("bye" in row for row in rows(page))
    end = page.locator(".vtb-console-count").first.inner_text()
    page.locator("[data-action=first]").click()
    assert "".join(rows(page)).strip() == ""
    page.locator("[data-action=next]").click()
    assert "A machine" in "".join(rows(page)).replace("\xa0", " ")
    assert page.locator(".vtb-console-count").first.inner_text() != end
    page.locator(".vtb-console-title").click()
    page.keyboard.press("End")
    assert any("bye" in row for row in rows(page))
    assert axe(page, ".vtb", rules=["wcag2a", "best-practice"]) == []


def test_without_scripts_the_text_is_there(open_page, page_file):
    page = open_page(page_file, java_script_enabled=False, wait="pre")
    assert "magenta" in page.locator("pre").inner_text()
