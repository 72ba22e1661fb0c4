"""TeX formulas as MathML, by latex2mathml: browsers draw it without script, font or network."""

from __future__ import annotations

import re

from vtbook.errors import VtbookError


class MathsError(VtbookError):
    """A formula cannot be turned into MathML; the message has the formula and the reason."""


def mathml(tex: str, *, display: bool = False) -> str:
    """Return a formula as a ``<math>`` element.

    Args:
        tex: The formula in TeX, without its dollar signs.
        display: On lines of its own, with large operators.

    Raises:
        MathsError: latex2mathml is not installed, or cannot read the formula.
    """
    try:
        from latex2mathml.converter import convert
    except ImportError:
        raise MathsError(
            f"the formula {tex!r} needs latex2mathml; run: pip install latex2mathml"
        ) from None
    try:
        found: str = convert(tex.strip(), display="block" if display else "inline")
    except Exception as error:  # latex2mathml has a dozen unrelated kinds
        reason = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
        raise MathsError(f"the formula {tex!r} cannot be read: {reason}") from None
    return found
