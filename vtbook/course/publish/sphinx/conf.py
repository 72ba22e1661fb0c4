"""Sphinx configuration of `vtbook site`; the command sets what depends on the book."""

import vtbook

project = "vtbook"
author = "The vtbook authors"
project_copyright = "The vtbook authors. Text under CC BY 4.0, code under BSD-3-Clause"
version = release = vtbook.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
    "vtbook.course.publish.sphinx.citations",
    "vtbook.course.publish.sphinx.docstrings",
    "vtbook.course.publish.sphinx.formulas",
    "vtbook.course.publish.sphinx.terms",
]
root_doc = "index"
language = "en"
suppress_warnings = ["ref.python"]  # a parameter's name that is also some class's attribute
gettext_compact = False

# Notebooks come executed, with their widgets as HTML.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "vtbook.course.publish.sphinx.anchors.heading_anchor"
myst_update_mathjax = False
html_math_renderer = "mathml"

default_role = "py:obj"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

bibtex_default_style = "unsrt"
bibtex_reference_style = "vtbook"

html_theme = "sphinx_book_theme"
html_title = "vtbook"
html_static_path = ["static"]
templates_path = ["templates"]
html_sidebars = {"**": ["book-title.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_css_files = ["vtbook.css"]
html_js_files = [("vtbook.js", {"defer": "defer"})]
html_favicon = "static/favicon.svg"
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
html_theme_options = {
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "logo": {"text": "vtbook"},
}
