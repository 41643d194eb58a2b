"""Sphinx configuration; ``sphinx-build -c . docs build/html`` builds the site from the top of the project."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent
EXTENSIONS = ROOT / "docs" / "_extensions"
sys.path.insert(0, str(EXTENSIONS))
# The kernels of the pages import the checks from the same place.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(EXTENSIONS), os.environ.get("PYTHONPATH")]))

project = "Residual gradients"
author = "The Residual gradients maintainers"
copyright = "2026, the Residual gradients maintainers; text under CC BY 4.0, code under MIT"  # noqa: A001
release = "0.4.0"
version = release  # which an EPUB asks for

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
    "cards",
    "check_directives",
    "claims",
    "descriptions",
    "equations",
    "explorers",
    "exports",
    "finished",
    "mathml",
    "notation_table",
    "page_keys",
    "page_list",
    "page_tools",
    "pictures",
    "previews",
    "results_map",
    "site_files",
    "source_code",
    "tag_pages",
    "notfound.extension",
    "sphinx_copybutton",
]
exclude_patterns = ["_*"]
source_suffix = {".md": "myst-nb"}
# The site's public addresses. Unset, the links that need one are left out and a notebook installs from the checkout:
# site, where the pages stand; repository, where the source and the issues are; colab and binder, what opens a
# notebook there, with {page} for its name; pdf and epub, where what `make formats` wrote is put.
public_addresses: dict[str, str] = {}
notfound_template = "missing.html"
notfound_urls_prefix = urlsplit(public_addresses.get("site", "")).path.rstrip("/") + "/"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
summary = "How gradients are back-propagated through y = F(x) + x: derived, executed and checked."
nitpicky = True
# The types in docstrings are words ("(N, n) array"), not links; links to our own names are checked.
nitpick_ignore_regex = [("py:class", r"(?!resgrad\.).*")]
numfig = True
numfig_secnum_depth = 0
numfig_format = {"figure": "Figure %s", "table": "Table %s"}
math_eqref_format = "({number})"

myst_enable_extensions = ["attrs_block", "attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_custom_formats = {".md": ["reader.notebook_of", {}, False]}
nb_execution_mode = "cache"
page_keys_roots = ["src", "docs/_extensions"]
page_keys_locks = ["requirements.lock"]
# One thread for the linear algebra: the bits of a sum depend on their number.
kernel_environment = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], "1")
nb_execution_timeout = 600  # a cell takes half a minute, and much longer on a busy machine
nb_render_markdown_format = "myst"
nb_mime_priority_overrides = [("*", "text/markdown", 1)]
nb_merge_streams = True
bibtex_bibfiles = ["docs/references.bib"]
bibtex_default_style = "alpha"
bibtex_reference_style = "label"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]  # not under the word "Variables"

pygments_style, pygments_dark_style = "ink_style.Light", "ink_style.Dark"
# What search engines show of the pages whose first paragraph does not say it.
descriptions = {
    "index": "How gradients are back-propagated through y = F(x) + x: every equation derived, evaluated by the build "
    "and shown in numpy, and what the skip does to them measured.",
    "genindex": "Every term and every function of Residual gradients, in the order of the alphabet.",
    "practice/index": "What to do with the gradients of residual networks: guides for those who write or check one.",
    "py-modindex": "The modules of resgrad, the numpy library that runs on every page of Residual gradients.",
    "reference/bibliography": "The papers and books that Residual gradients cites, with their identifiers.",
    "reference/glossary": "The terms of Residual gradients, each defined in a sentence and linked from its pages.",
    "reference/index": "Functions, equations, terms and sources of Residual gradients, each with its own address.",
    "search": "Search the pages, equations and functions of Residual gradients. What you type stays in your browser.",
}
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "Residual gradients"
html_static_path = ["docs/_static"]
templates_path = ["docs/_templates"]
html_css_files = ["css/explorers.css", "css/resgrad.css"]
html_js_files = ["js/piecewise.js"]
html_favicon = "docs/_static/favicon.svg"
html_show_sphinx = False
html_show_search_summary = False
html_copy_source = True  # the source that a page links to
html_last_updated_fmt = None

epub_show_urls = "no"
# A second build finds what the first left beside its pages.
epub_exclude_files = ["_static/fonts/OFL.txt", "checks.json", ".buildinfo.bak"]


def setup(app: Sphinx) -> None:
    """Leave the fields of a named tuple to its docstring, which says more than "Alias for field number 0"."""
    app.connect(
        "autodoc-skip-member",
        lambda app, what, name, obj, skip, options: skip or (obj.__doc__ or "").startswith("Alias for field"),
    )
