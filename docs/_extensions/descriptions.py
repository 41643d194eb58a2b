r"""A description of every page for search engines and previews: its answer in plain text, without TeX.

A page is described by the first paragraphs under its title, a generated one by all its paragraphs. A
formula is written with the signs of Unicode: ``\bar x = \bar y J_F`` becomes x̄ = ȳ J_F.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Any
from unicodedata import normalize
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from mathml import to_mathml

#: About what a search engine shows.
LONGEST = 200

_ABOVE = {
    "‾": "\u0304",
    "¯": "\u0304",
    "^": "\u0302",
    "ˆ": "\u0302",
    "~": "\u0303",
    "˜": "\u0303",
    "˙": "\u0307",
}
_LOW = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)) | {
    "−": "₋"
}
_HIGH = dict(zip("0123456789+-=()nik", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵏ", strict=True)) | {"−": "⁻", "⊤": "ᵀ"}
_SPACED = set("=≠≈≃≡≅∼∝≤≥≪≫<>≔+−±×⊙⊕⊗∈∉⊂⊆→↔⇒⇐⇔↦←")
_SPACE = re.compile(r"\s+")


def plain_math(tex: str) -> str:
    """Write TeX in one line of Unicode, as far as Unicode goes."""
    text = _plain(ElementTree.fromstring(to_mathml(tex, display=False)))
    return normalize("NFC", _SPACE.sub(" ", text)).strip()


def _plain(element: ElementTree.Element) -> str:
    parts = [_plain(child) for child in element]
    match element.tag:
        case "mfrac":
            return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
        case "msqrt":
            return f"√{_grouped(''.join(parts))}"
        case "msub" | "munder":
            return parts[0] + _shifted(parts[1], _LOW, "_")
        case "msup":
            return parts[0] + _shifted(parts[1], _HIGH, "^")
        case "msubsup" | "munderover":
            return parts[0] + _shifted(parts[1], _LOW, "_") + _shifted(parts[2], _HIGH, "^")
        case "mover":
            sign = parts[1].strip()
            return parts[0] + (_ABOVE.get(sign) or _shifted(sign, _HIGH, "^"))
        case "mspace":
            return " "
    text = "".join(parts) or element.text or ""
    return f" {text} " if element.tag == "mo" and text in _SPACED else text.replace("\u2061", "")


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"[\w\u0304.]+", text) else f"({text})"


def _shifted(text: str, signs: dict[str, str], mark: str) -> str:
    """Lower or raise a text: by Unicode's signs where it has them all, otherwise behind a mark."""
    text = text.replace(" ", "")
    if all(sign in signs for sign in text):
        return "".join(signs[sign] for sign in text)
    return f"{mark}{_grouped(text)}"


def plain_text(node: nodes.Node) -> str:
    """Write a paragraph without its links and marks, its formulas as Unicode."""
    if isinstance(node, nodes.math):
        return plain_math(node.astext())
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(plain_text(child) for child in node.children)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut a text behind a sentence where that leaves enough of it, otherwise behind a word."""
    text = _SPACE.sub(" ", text).strip()
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    sentences = [found.end() for found in re.finditer(r"[.!?](?= [A-Z])", cut)]
    if sentences and sentences[-1] > longest // 3:
        return cut[: sentences[-1]]
    return f"{cut.rpartition(' ')[0].rstrip(' ,;:')}…"


def answer_of(doctree: nodes.document) -> str:
    """Return the first paragraphs under the title of a page, up to the first of anything else."""
    titles = list(doctree.findall(nodes.title))
    after = list(titles[0].parent.children)[1:] if titles else list(doctree.children)
    found: list[str] = []
    for node in after:
        if isinstance(node, nodes.paragraph):
            found.append(plain_text(node))
        elif found and not isinstance(node, nodes.Invisible):
            break
    return " ".join(found)


def _of_body(body: str) -> str:
    """Return the paragraphs of a generated page, without their tags, each as a sentence."""
    paragraphs = (_bare(text) for text in re.findall(r"<p[^>]*>(.*?)</p>", body, re.DOTALL))
    return " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in paragraphs if text)


def _bare(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def describe(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the description into the page's head, unless its author wrote one."""
    if 'name="description"' in context.get("metatags", ""):
        return
    text = app.config.descriptions.get(pagename) or (
        answer_of(doctree) if doctree is not None else _of_body(context.get("body", ""))
    )
    text = text or f"{_bare(context.get('title', pagename))}: {app.config.project}."
    tag = f'<meta name="description" content="{escape(shortened(text))}" />'
    context["metatags"] = context.get("metatags", "") + tag


def setup(app: Sphinx) -> ExtensionMetadata:
    """Describe each page as it is written; ``descriptions`` in conf.py holds those that no paragraph gives."""
    app.add_config_value("descriptions", {}, "html", dict)
    app.connect("html-page-context", describe)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
