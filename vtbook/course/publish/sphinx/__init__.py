"""What `vtbook site` gives Sphinx: ``conf.py``, its extensions, style sheet and scripts.

`formulas` writes formulas as MathML, `terms` links the first use of each glossary term,
`citations` sets how citations look, `docstrings` reads the shorter forms of docstrings, `anchors`
makes headings' anchors as JupyterLab does.
"""
