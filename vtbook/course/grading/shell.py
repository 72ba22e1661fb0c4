"""IPython in the process of a submission: runs a cell, keeps its outputs in nbformat's form."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

LONGEST_TEXT = "\n[the output is longer; the rest was not kept]\n"


class Outputs:
    """The outputs of one cell, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit
        self.items: list[dict[str, Any]] = []
        self.cut = False

    def stream(self, name: str, text: str) -> None:
        """Add to stdout or stderr."""
        if not text or self.cut:
            return
        if len(text) > self.left:
            text, self.cut = text[: max(self.left, 0)] + LONGEST_TEXT, True
        self.left -= len(text)
        last = self.items[-1] if self.items else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["parts"].append(text)
        else:
            self.items.append({"output_type": "stream", "name": name, "parts": [text]})

    def data(self, kind: str, data: dict[str, Any]) -> None:
        """Add a display or the value of the cell; a form that is too large is left out.

        The value is kept even if nothing else is: it may be the points.
        """
        kept = {}
        for mime, value in data.items():
            text = value if isinstance(value, str) else None
            if text is None:
                continue
            if mime == "text/plain" and len(text) > min(self.left, 2000):
                text = text[: min(max(self.left, 100), 2000)] + " [cut]"
            if len(text) <= max(self.left, 2100 if mime == "text/plain" else 0):
                kept[mime] = text
                self.left -= len(text)
        self.items.append({"output_type": kind, "data": kept})

    def error(self, name: str, value: str, lines: list[str]) -> None:
        """Add an error, its traceback cut."""
        text = "\n".join(lines)
        if len(text) > 8000:
            text = text[:4000] + "\n[...]\n" + text[-4000:]
        entry = {"output_type": "error", "ename": name[:200], "evalue": value[:4000]}
        self.items.append({**entry, "traceback": text})

    def done(self) -> list[dict[str, Any]]:
        """The outputs, each stream in one piece."""
        for item in self.items:
            if "parts" in item:
                item["text"] = "".join(item.pop("parts"))
        return self.items


class _Stream(io.TextIOBase):
    def __init__(self, shell: Shell, name: str) -> None:
        self._shell, self._name = shell, name

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._shell.outputs.stream(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self._name == "stdout" else 2

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"


class _Value(DisplayHook):
    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.outputs.data(  # type: ignore[union-attr]
            "execute_result", format_dict
        )

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Display(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, *_: Any, **options: Any) -> None:  # type: ignore[override]
        self.shell.outputs.data("display_data", data)

    def clear_output(self, wait: bool = False) -> None:
        pass


class Shell(InteractiveShell):
    """IPython without a terminal, history or kernel."""

    def __init__(self, *, limit: int = 100_000, **options: Any) -> None:
        from traitlets.config import Config

        config = Config()
        config.HistoryManager.enabled = False
        self.limit = limit
        self.outputs = Outputs(limit)
        super().__init__(
            config=config,
            displayhook_class=_Value,
            display_pub_class=_Display,
            colors="nocolor",
            **options,
        )
        self.system = self.system_piped  # type: ignore[method-assign]

    def init_io(self) -> None:
        """The streams are those of `run`."""

    def _tee(self, channel: Any) -> Any:
        """IPython would keep all output a second time, without a limit."""
        return contextlib.nullcontext()

    def enable_gui(self, gui: Any = None) -> None:
        """There is none."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.outputs.error(_text(lambda: etype.__name__), _text(lambda: str(evalue)), list(stb))

    def run(self, source: str) -> dict[str, Any]:
        """Run a cell; its outputs, and whether it ended without an error."""
        self.outputs = Outputs(self.limit)
        before = sys.stdout, sys.stderr, sys.stdin
        sys.stdout, sys.stderr = _Stream(self, "stdout"), _Stream(self, "stderr")
        sys.stdin = open(os.devnull)  # noqa: SIM115 (closed below)
        stdin = sys.stdin
        try:
            result = self.run_cell(source, store_history=True)
            ok = bool(result.success)
            if not ok and not any(x["output_type"] == "error" for x in self.outputs.items):
                error = result.error_before_exec or result.error_in_exec
                name = type(error).__name__
                self.outputs.error(name, _text(lambda: str(error)), [name])
        finally:
            stdin.close()
            sys.stdout, sys.stderr, sys.stdin = before
        return {"ok": ok, "outputs": self.outputs.done()}


def _text(make: Any) -> str:
    try:
        return str(make())
    except Exception:
        return "(no text)"


def no_input(prompt: str = "") -> str:
    """Stands for ``input``."""
    raise RuntimeError("input() waits for a person; nobody is there when exercises are graded")
