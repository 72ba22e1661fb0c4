"""The base of the book's widgets: language, front end and what is shown where no script runs."""

from __future__ import annotations

import os
from typing import Any

import anywidget
from traitlets import Unicode, default, validate

from vtbook.errors import VtbookError
from vtbook.widgets._assets import widget_strings

LANGUAGES = ("en", "pt")
"""Languages that the labels of the widgets exist in."""


class BookWidget(anywidget.AnyWidget):
    """A widget of the book.

    A subclass gives its front end as ``_esm, _css = front_end("name")``, keeps all that the front
    end needs in its own traits (so that it lives without a kernel), and writes `fallback_html`.

    Attributes:
        language: Language of the labels, one of `LANGUAGES`; ``"pt-BR"`` is taken as ``"pt"``.
            ``VTBOOK_LANGUAGE`` in the environment gives the usual one.
    """

    language = Unicode("en").tag(sync=True)

    @default("language")
    def _usual_language(self) -> str:
        return os.environ.get("VTBOOK_LANGUAGE") or "en"

    @validate("language")
    def _known_language(self, proposal: dict[str, Any]) -> str:
        language = str(proposal["value"]).replace("_", "-").split("-")[0].lower()
        if language not in LANGUAGES:
            raise VtbookError(
                f"{type(self).__name__}: there are no labels in '{proposal['value']}'; "
                f"use language= one of {', '.join(LANGUAGES)}"
            )
        return language

    def heading(self) -> str:
        """Return what the widget shows, in a few words: the title of a page made of it."""
        return type(self).__name__

    def fallback_html(self) -> str:
        """Return what to show, as plain HTML, where the interactive widget cannot run."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": repr(self), "text/html": self.fallback_html()}, metadata


def labels(name: str, language: str) -> dict[str, str]:
    """Return the labels of the widget ``name`` in a language, for text made in Python."""
    table = widget_strings(name)
    return {**table["common"][language], **table["widget"][language]}
