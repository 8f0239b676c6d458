"""Sphinx: ``python -m sphinx -W docs docs/_build``."""

import importlib.metadata

project = "sklearn-adagrad"
author = "the sklearn-adagrad developers"
copyright = f"2026, {author}"
release = version = importlib.metadata.version("sklearn-adagrad")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["deflist", "dollarmath"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Sparse online learners with a learning rate for every feature",
    "fixed_sidebar": True,
    "page_width": "1040px",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
numpydoc_show_class_members = False
autodoc_typehints = "none"
