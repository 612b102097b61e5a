"""Sphinx configuration: `make docs` builds with every warning an error."""

import os
import sys
from pathlib import Path

import solvent

sys.path.insert(0, str(Path(__file__).parent))

project = "solvent"
author = "The solvent developers"
copyright = "The solvent developers"
version = release = solvent.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]

root_doc = "index"
templates_path = ["_templates"]
# derivations/README.md and the logs under evidence/ are read on disk, not as pages.
exclude_patterns = ["_build", "_templates", "examples", "evidence/**", "**/README.md"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
default_role = "code"
nitpicky = False

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it with shapes and units
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "plot_gallery": os.environ.get("SOLVENT_DOCS_GALLERY", "1") == "1",
}

html_theme = "pydata_sphinx_theme"
html_title = "solvent"
html_static_path = ["_static"]
html_css_files = ["solvent.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "solvent"},
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
