r"""TeX to MathML when the site is built: no script, no inline style, real nodes for screen readers.

`to_mathml` is a pure function. The rest plugs it into Sphinx as the math renderer ``mathml`` and offers the
visitors with which a derivation (rows ``step | reason``) is laid out. Colours are a notation:
``\skippath{...}`` and ``\branch{...}`` put a class on a term; ``\color`` is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from itertools import pairwise, zip_longest
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.builders._epub_base import MEDIA_TYPES
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number
from sphinx.util.nodes import get_node_line, get_node_source

import font_subset

#: Macro -> the named colour that stands for its class until the conversion is done.
_SENTINELS = {"skippath": "blue", "branch": "red"}

#: What math-core styles inline, and the classes that say the same (the site allows no inline style).
CLASSES = {
    "color:#0000FF;": "skip",
    "color:#FF0000;": "branch",
    "text-align: right;justify-items: end;padding-right: 0;": "m-right",
    "text-align: left;justify-items: start;padding-left: 0;": "m-left",
    "text-align: left;justify-items: start;padding-right: 0;": "m-case",
    "text-align: left;justify-items: start;padding-right: 0;padding-left:1em;": "m-when",
    "text-align: left;justify-items: start;": "m-left-column",
    "text-align: right;justify-items: end;": "m-right-column",
    "margin-left:-0.16666667em;": "m-thin-back",
}

#: Not a plain link: in a folder, a preloaded font is an error in the console.
_PRELOAD = """if (location.protocol !== "file:") document.head.append(Object.assign(document.createElement("link"), {
  rel: "preload", as: "font", type: "font/woff2", crossOrigin: "",
  href: document.documentElement.dataset.content_root + "_static/fonts/stix-two-math.woff2" }));"""

#: An equation with more signs than this may not fit a phone and gets a scroll box of its own.
_WIDE = 18
_COLOUR = re.compile(r"\\(?:text)?color\b")
#: Letters no taller than an x; all others reach at least a capital's height.
_LOW = "acegmnopqrsuvwxyzαγεηικμνοπρςστυφχψω"
_OVERLINES = "¯‾\u0332"
#: A formula in the text and the signs that close up to it; browsers would break the line between them.
_CLOSED = re.compile(r"(<math>(?:(?!</math>).)*</math>(?:[.,;:!?)\]”]|’s?|-th)+)", re.DOTALL)
_CONVERTER = LatexToMathML(
    fancy_error=False,
    macros={name: rf"\textcolor{{{colour}}}{{#1}}" for name, colour in _SENTINELS.items()},
)


class MathError(ValueError):
    """TeX that cannot be shown, with the offset at which it stops being understood."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@lru_cache(maxsize=4096)
def to_mathml(tex: str, *, display: bool) -> str:
    r"""Write TeX as a ``<math>`` element.

    Parameters
    ----------
    tex : str
        TeX as math-core reads it, with ``\skippath{...}`` and ``\branch{...}`` to colour a term.
    display : bool
        Whether it stands on a line of its own.

    Returns
    -------
    str
        MathML without inline styles and without named entities, valid in HTML and in XHTML.

    Raises
    ------
    MathError
        For TeX that is not understood, for ``\color`` and for what browsers do not render.
    """
    if found := _COLOUR.search(tex):
        raise MathError(r"colour a term with \skippath{...} or \branch{...}", found.start())
    try:
        text = _CONVERTER.convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        offset, _, message = str(error).partition(": ")
        raise MathError(message, int(offset)) from error
    # U+FE00 asks for the other script alphabet, which the font subset leaves out.
    root = ElementTree.fromstring(text.replace("&ApplyFunction;", "\u2061").replace("\ufe00", ""))
    if lacking := font_subset.missing("".join(root.itertext())):
        raise MathError(f"the font lacks {' '.join(lacking)}: add it to font_subset.py and run that")
    for element in root.iter():
        _classify(element)
        _draw_bar(element)
        _set_prime(element)
        _close_up(element)
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _classify(element: ElementTree.Element) -> None:
    """Replace an inline style by its class."""
    if element.tag == "menclose":
        raise MathError("boxes and strokes around a term are not rendered by browsers")
    style = element.attrib.pop("style", None)
    if style is not None and style not in CLASSES:
        raise MathError(f"no class stands for the style {style!r}: add one to mathml.CLASSES and to the CSS")
    if style is not None:
        element.set("class", CLASSES[style])


def _draw_bar(element: ElementTree.Element) -> None:
    r"""Write the bar of ``\bar`` and ``\overline`` so that every browser sets it close above its letter.

    math-core's U+00AF floats far above the letter in WebKit. A stretchy U+203E touches the letter in Chromium
    (and vanishes on screens of low density) unless the letter stands in a box a little taller than itself.
    """
    if element.tag not in ("mover", "munder") or element[-1].text not in tuple(_OVERLINES):
        return
    bar, letter = element[-1], "".join(element[0].itertext()).strip()
    bar.set("stretchy", "true")
    bar.text = "\u203e" if element.tag == "mover" else "_"
    if element.tag == "mover" and len(letter) == 1:
        box = ElementTree.Element("mpadded", height="0.62em" if letter in _LOW else "0.84em")
        box.append(element[0])
        element[0] = box


def _set_prime(element: ElementTree.Element) -> None:
    """Set a prime on the line: its glyph stands high as it is, and a superscript would lift it once more."""
    if element.tag == "msup" and set(element[1].text or "-") <= set("′″‴"):
        element.tag = "mrow"
        element[1].attrib.update(lspace="0", rspace="0")


def _close_up(element: ElementTree.Element) -> None:
    """Take the space after a comma that a parenthesis closes, as in the shape (m,)."""
    for sign, following in pairwise(element):
        if sign.text == "," and following.text == ")":
            sign.set("rspace", "0")


def equation_html(tex: str, *, name: str = "Equation") -> str:
    """Write a displayed equation inside its own scroll box; `name` is what a screen reader calls the box."""
    mathml = to_mathml(tex, display=True)
    return f'<div class="equation-body"{_reachable(mathml, name)}>{mathml}</div>'


def _reachable(mathml: str, name: str) -> str:
    """Let the tab key reach the scroll box of an equation only if it may be too wide for a phone."""
    rows = [
        [len(re.sub(r"<[^>]*>", "", cell)) for cell in row.split("</mtd>")] for row in mathml.split("</mtr>")
    ]
    signs = sum(max(column) for column in zip_longest(*rows, fillvalue=0))
    return f' tabindex="0" role="region" aria-label="{escape(name)}"' if signs > _WIDE else ""


def step_html(step: str, *, name: str = "Step") -> str:
    """Write the step of a derivation in two cells, split at the first ``&`` so that relations align."""
    left, aligned, right = step.partition("&")
    if not aligned:
        mathml = to_mathml(step, display=True)
        return f'<div class="whole"{_reachable(mathml, name)}>{mathml}</div>'
    # The empty group keeps the relation's own spacing, as between two terms.
    left, right = to_mathml(left, display=True), to_mathml("{}" + right, display=True)
    return f'<div class="lhs">{left}</div><div class="rhs"{_reachable(left + right, name)}>{right}</div>'


def visit_derivation(self: Any, node: nodes.Element) -> None:
    """Open the grid step | reason of a derivation, numbered like an equation."""
    self.body.append(self.starttag(node, "div", CLASS="derivation"))
    _append_number(self, node)
    self.body.append('<div class="derivation-rows">')


def depart_derivation(self: Any, node: nodes.Element) -> None:
    """Close the grid."""
    self.body.append("</div></div>\n")


def visit_derivation_step(self: Any, node: nodes.Element) -> None:
    """Write a step and open the cell of its reason."""
    above: Any = node.parent
    number = above.get("number") and get_node_equation_number(self, above)
    name = f"Step {above.index(node) + 1}" + (f" of equation {number}" if number else "")
    step = _for_builder(self, _placed(node, step_html, node["step"], name=name))
    self.body.append(f'<div class="derivation-row">{step}<div class="reason">')


def depart_derivation_step(self: Any, node: nodes.Element) -> None:
    """Close the reason and its row."""
    self.body.append("</div></div>\n")


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(_for_builder(self, _placed(node, to_mathml, node.astext(), display=False)))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, its number and the link to itself."""
    name = f"Equation {get_node_equation_number(self, node)}" if node.get("number") else "Equation"
    self.body.append(self.starttag(node, "div", CLASS="equation"))
    self.body.append(_for_builder(self, _placed(node, equation_html, node.astext(), name=name)))
    _append_number(self, node)
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _append_number(self: Any, node: Any) -> None:
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        if node["ids"]:
            self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")


def _for_builder(self: Any, html: str) -> str:
    """Name the namespace where the page is read as XML (EPUB)."""
    space = ' xmlns="http://www.w3.org/1998/Math/MathML"'
    return html.replace("<math", f"<math{space}") if self.builder.name == "epub" else html


def _placed(node: nodes.Element, convert: Any, tex: str, **settings: Any) -> str:
    """Convert; an error names the file and the line of the node."""
    try:
        return str(convert(tex, **settings))
    except MathError as error:
        line = (get_node_line(node) or 1) + tex.count("\n", 0, error.offset)
        raise ExtensionError(
            f"{get_node_source(node)}:{line}: {error}, in the TeX {tex.strip()!r}"
        ) from error


def check_page(app: Sphinx, doctree: nodes.document) -> None:
    """Stop at TeX that cannot be shown as soon as its page is read, whatever the builder."""
    for node in doctree.findall(nodes.Element):
        if isinstance(node, nodes.math | nodes.math_block):
            _placed(node, to_mathml, node.astext(), display=isinstance(node, nodes.math_block))
        elif "step" in node:
            _placed(node, step_html, node["step"])


def keep_signs(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let no line begin with the full stop of a formula that ends the line before."""
    if "body" in context:
        context["body"] = _CLOSED.sub(r'<span class="closed">\1</span>', context["body"])


def preload_font(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Fetch the font with the page, not after the style sheet: a late one moves the text around its formulas."""
    if "<math" in context.get("body", ""):
        context["metatags"] = f"{context.get('metatags', '')}<script>{_PRELOAD}</script>"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("doctree-read", check_page)
    app.connect("html-page-context", keep_signs)
    app.connect("html-page-context", preload_font)
    MEDIA_TYPES[".woff2"] = "font/woff2"  # one of EPUB's own types, which Sphinx does not know
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
