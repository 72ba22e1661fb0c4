"""Chapters for publication: run them, and write them as slides, pages and the site.

`executing` runs a notebook and keeps the result; `maths` turns formulas into MathML; `pages`,
`slides` and `site` write what is read in a browser. All of it works with the network off.
"""
