"""Sphinx: ``python -m sphinx -W docs docs/_build``.

The pages need no network, neither to be built nor to be read: formulas are text, and names of other
projects become links only if ``DOCS_ONLINE`` is set, since their inventories must be fetched.
"""

import importlib.metadata
import os

project = "sklearn-adagrad"
author = "the sklearn-adagrad developers"
copyright = f"2026, {author}"
release = version = importlib.metadata.version("sklearn-adagrad")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
]
if os.environ.get("DOCS_ONLINE"):
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Sparse online learners with a learning rate for every feature",
    "fixed_sidebar": True,
    "body_max_width": "890px",
    "page_width": "1180px",
    "sidebar_width": "230px",
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_static_path = ["_static"]
numpydoc_show_class_members = False
autodoc_typehints = "none"
toc_object_entries = False  # or the sidebar of the API has a hundred lines


def setup(app):
    """Leave the methods of losses and rules, which the compiled code calls, off the API page."""
    app.connect("autodoc-skip-member", _is_for_the_compiled_code)


def _is_for_the_compiled_code(app, what, name, member, skip, options):
    return True if what == "class" and _of_formulas(member) else None


def _of_formulas(member):
    function = getattr(member, "fget", member)
    field = type(member).__name__ == "_tuplegetter"
    return field or str(getattr(function, "__module__", "")).startswith("sklearn_adagrad.formulas")
