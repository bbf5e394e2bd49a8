"""Settings of the documentation site: `sphinx-build -W docs docs/_build`."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "keras_rlkit"
author = "the keras_rlkit authors"
copyright = "the keras_rlkit authors, Apache License 2.0"  # noqa: A001

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "api_pages",
    "docstrings",
    "public_names",
    "recipe_pages",
]
exclude_patterns = [
    "_build",
    "_ext",
    "conf.py",
    "results/*.py",
    "results/*/**",
]

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [
    "Input shape",
    "Output shape",
    "Reference",
    ("Call arguments", "params_style"),
    "Logs",
]

html_theme = "furo"
html_title = "keras_rlkit"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
# Excerpts are fetched, which browsers forbid to pages from the disk.
html_show_search_summary = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#b3261e",
        "color-brand-content": "#a8201a",
        "color-brand-visited": "#7a3b62",
    },
    "dark_css_variables": {
        "color-brand-primary": "#ff8f80",
        "color-brand-content": "#ff8f80",
        "color-brand-visited": "#d9a0c3",
    },
}
