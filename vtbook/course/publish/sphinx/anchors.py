"""Anchors of headings as JupyterLab makes them, so that a link works in both."""


def heading_anchor(title: str) -> str:
    """Return the anchor of a heading: its text with ``-`` for each space."""
    return title.strip().replace(" ", "-")
