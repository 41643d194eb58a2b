"""A resolved page as plain Markdown: for the ``.md`` beside each page and the text cells of its notebook.

It reads the doctree, so links, numbers and what code printed are those of the page. A formula stays TeX, between
dollar signs; a figure becomes its caption and its alternative text; a fold is unfolded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from docutils import nodes
from sphinx import addnodes

#: What is made of a link: its text and its address in, Markdown out.
Link = Callable[[str, str], str]
#: The number of the equation or figure with a label, as the site counts; empty if it has none.
Number = Callable[[str], str]


class Voice(NamedTuple):
    """How links and the numbers of equations are written."""

    link: Link
    number: Number


_COLOURED = re.compile(r"\\(?:skippath|branch)(?=\{)")
#: Shown nowhere in text.
_SILENT = (
    nodes.comment,
    nodes.target,
    nodes.raw,
    nodes.colspec,
    addnodes.index,
    addnodes.toctree,
    nodes.image,
)
_QUOTED = (nodes.block_quote, nodes.definition, addnodes.desc_content, nodes.field_body)


def plain_tex(tex: str) -> str:
    """TeX that any reader of TeX knows: without the site's own marks of colour."""
    return _COLOURED.sub("", tex).strip()


def markdown(node: nodes.Node, link: Link, number: Number) -> str:
    """Return a node of a resolved doctree as Markdown.

    Parameters
    ----------
    node : docutils.nodes.Node
        A document, or any part of one.
    link : callable
        Makes Markdown of a link's text and address; an address within the site is relative to the page.
    number : callable
        Gives the number of the equation or figure with a label.

    Returns
    -------
    str
        Blocks separated by an empty line, with one line feed at the end.
    """
    text = "\n\n".join(block for block in _blocks(node, Voice(link, number), 1) if block)
    return text.strip() + "\n"


def _blocks(node: nodes.Node, voice: Voice, level: int) -> Iterator[str]:
    """Yield the blocks that a block-level node is written as; `level` is that of the next heading."""
    if isinstance(node, _SILENT) or not isinstance(node, nodes.Element):
        return
    special = _special(node, voice)
    if special is not None:
        yield special
    elif isinstance(node, nodes.title | nodes.rubric):
        yield f"{'#' * min(level - isinstance(node, nodes.title), 6)} {_inline(node, voice)}"
    elif isinstance(node, nodes.bullet_list | nodes.enumerated_list):
        yield _list(node, voice, level)
    elif isinstance(node, nodes.table):
        yield _table(node, voice)
    elif isinstance(node, _QUOTED):
        yield from _children(node, voice, level)
    elif isinstance(node, nodes.TextElement):
        yield _inline(node, voice)
    else:
        yield from _children(node, voice, level + isinstance(node, nodes.section))


def _children(node: nodes.Element, voice: Voice, level: int) -> Iterator[str]:
    for child in node.children:
        yield from _blocks(child, voice, level)


def _special(node: nodes.Element, voice: Voice) -> str | None:
    """What a node that is not plain text is written as, or None."""
    match type(node).__name__:
        case "math_block":
            return f"$$\n{plain_tex(node.astext())}{_number(node, voice)}\n$$"
        case "derivation":
            rows = [_step(step, voice) for step in node.children]
            return "\n".join(
                ["$$", r"\begin{aligned}", *rows, rf"\end{{aligned}}{_number(node, voice)}", "$$"]
            )
        case "literal_block" | "doctest_block":
            language = node.get("language", "python")
            return f"```{'' if language == 'none' else language}\n{node.astext().rstrip()}\n```"
        case "picture" | "drawing":
            return f"[{node['alt']}]"
        case "summary" | "claim_statement":
            return f"**{_inline(node, voice).strip()}**"
        case "term" | "desc_signature":
            return f"**{node.astext().strip()}**"
        case "field_name":
            return f"*{node.astext()}*"
        case "caption" if isinstance(node.parent, nodes.figure):
            figure = voice.number(node.parent["names"][0])
            return f"*Figure {figure}.* {_inline(node, voice)}"
    return None


def _number(node: nodes.Element, voice: Voice) -> str:
    label = node.get("label") or node.get("derivation")
    number = voice.number(label) if label else ""
    return rf" \tag{{{number}}}" if number else ""


def _step(step: Any, voice: Voice) -> str:
    """One row of a derivation, its reason as text beside it."""
    tex = plain_tex(step["step"])
    return f"{tex if '&' in tex else '& ' + tex}{_beside(step)} \\\\"


def _beside(step: Any) -> str:
    """The reason of a step as TeX: words upright, formulas as they are."""
    parts = [_reason_part(child) for child in step.children]
    return " && " + "".join(parts) if parts else ""


def _reason_part(child: nodes.Node) -> str:
    if isinstance(child, nodes.math):
        return plain_tex(child.astext())
    text = re.sub(r"([&%#_{}$])", r"\\\1", child.astext().replace("\\", ""))
    return rf"\text{{{text}}}" if text else ""


def _list(node: nodes.Element, voice: Voice, level: int) -> str:
    ordered = isinstance(node, nodes.enumerated_list)
    items = []
    for number, item in enumerate(node.children, start=node.get("start", 1)):
        mark = f"{number}. " if ordered else "- "
        body = "\n\n".join(b for b in _blocks(item, voice, level) if b)
        items.append(mark + body.replace("\n", "\n" + " " * len(mark)))
    return "\n".join(items)


def _table(node: nodes.Element, voice: Voice) -> str:
    rows = [[_cell(entry, voice) for entry in row.children] for row in node.findall(nodes.row)]
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(entry: Any, voice: Voice) -> str:
    return " ".join(" ".join(_children(entry, voice, 1)).split()).replace("|", r"\|")


def _inline(node: nodes.Node, voice: Voice) -> str:
    """Return the content of a text element."""
    return "".join(_span(child, voice) for child in node.children)


def _span(node: nodes.Node, voice: Voice) -> str:
    if isinstance(node, nodes.Text):
        return node.astext().replace("\n", " ")
    if isinstance(node, _SILENT) or not isinstance(node, nodes.Element):
        return ""
    if isinstance(node, nodes.math):
        return f"${plain_tex(node.astext())}$"
    if isinstance(node, nodes.literal | addnodes.literal_strong):
        return f"`{node.astext()}`"
    if isinstance(node, nodes.reference):
        address = node.get("refuri") or f"#{node.get('refid', '')}"
        return voice.link(_inline(node, voice), address)
    mark = "**" if isinstance(node, nodes.strong) else "*" if isinstance(node, nodes.emphasis) else ""
    return f"{mark}{_inline(node, voice)}{mark}"
