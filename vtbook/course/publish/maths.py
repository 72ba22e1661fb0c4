"""Formulas: TeX to MathML, which browsers draw and read aloud without a script or a font.

latex2mathml does the work. It passes over mistakes in silence, so what it returns is checked here.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from vtbook.errors import VtbookError

ARITY = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3}
"""Elements of MathML with a fixed number of children, as in MathML Core."""

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
NUMBERED = re.compile(r"\\(begin|end)\{(align|equation|gather|alignat)\}")


class MathsError(VtbookError):
    """A formula cannot be rendered; the message quotes it."""


def mathml(tex: str, *, display: bool = False) -> str:
    r"""Return a formula as a MathML element, its TeX in ``alttext``.

    Args:
        tex: The formula without its dollar signs; environments with their ``\begin``.
        display: A formula on its own lines.

    Raises:
        MathsError: an unknown command, a brace without its partner, an argument that is missing.
    """
    from latex2mathml.converter import convert

    _check_braces(tex)
    # Nothing refers to the numbers that these environments would add.
    plain = NUMBERED.sub(r"\\\1{\2*}", tex.strip())
    try:
        text = convert(plain, display="block" if display else "inline")
        root = ElementTree.fromstring(text)
    except MathsError:
        raise
    except Exception as error:  # latex2mathml's errors have no base class of their own
        raise MathsError(
            f"the formula {tex.strip()!r} cannot be read: {_words(error)}; check its TeX"
        ) from error
    _check(root, tex)
    root.set("alttext", " ".join(tex.split()))
    ElementTree.register_namespace("", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")


def _check_braces(tex: str) -> None:
    depth = 0
    for brace in re.findall(r"(?<!\\)(?:\\\\)*([{}])", tex):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            break
    if depth:
        raise MathsError(f"the formula {tex.strip()!r} has a brace without its partner")


def _check(root: ElementTree.Element, tex: str) -> None:
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        unknown = name != "mtext" and re.search(r"\\[A-Za-z]+", element.text or "")
        if unknown:
            raise MathsError(
                f"the formula {tex.strip()!r} has the command {unknown[0]}, which is not known; "
                "write it in standard LaTeX"
            )
        if name in ARITY and len(element) != ARITY[name]:
            raise MathsError(f"the formula {tex.strip()!r} lacks an argument of a command")


def _words(error: Exception) -> str:
    """What the class of an error says: NoAvailableTokensError, "no available tokens"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error"))
    return words.lower()
