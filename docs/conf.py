"""Sphinx's settings: these pages as a site. Build it with ``scripts/docs``."""

from cnn_train.version import __version__

project = "cnn-train"
release = version = __version__
copyright = "the cnn-train authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"cnn-train {__version__}"
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
