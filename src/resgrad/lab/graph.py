"""A diagram of layers in a row with skips past them, and the real numbers on every edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resgrad.lab.diagram import Block, Diagram, Edge, _Drawing
from resgrad.lab.figures import check_words
from resgrad.lab.marks import MARGIN, NARROW, NODE, WIDE, text_width

__all__ = ["Layer", "Node", "graph"]


class Node(NamedTuple):
    """An activation.

    Attributes
    ----------
    value : str
        Such as ``x₁ = 2``.
    gradient : str
        Its whole gradient; when narrow, the line is broken before the second equals sign.
    """

    value: str
    gradient: str


class Layer(NamedTuple):
    """A function from one activation to the next.

    Attributes
    ----------
    name : str
        Stands in its box.
    gradient : str
        What it hands back to its input.
    """

    name: str
    gradient: str


def graph(
    label: str,
    nodes: Sequence[Node],
    layers: Sequence[Layer],
    skips: Mapping[tuple[int, int], str],
    *,
    alt: str,
    caption: str,
) -> Diagram:
    """Draw layers in a row with skips past them, in both widths.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``, by which the text refers to it.
    nodes : sequence of Node
        The L + 1 activations.
    layers : sequence of Layer
        The L layers between them.
    skips : dict
        ``(i, j)`` -> the gradient that comes back over the skip from node i to node j; they lie on the two sides
        of the row in turn, two at most.
    alt, caption : str
        As for `resgrad.lab.figures.figure`.

    Returns
    -------
    Diagram

    Raises
    ------
    ValueError
        Without words; for more or fewer nodes than one more than the layers, or for more than two skips.
    """
    check_words(label, alt, caption)
    if len(nodes) != len(layers) + 1 or len(skips) > 2:
        raise ValueError(
            f"{label}: expected one node more than layers and two skips at most, "
            f"got {len(nodes)} nodes, {len(layers)} layers, {len(skips)} skips"
        )
    wide, narrow = (_drawn(_Drawing(wide=wide), nodes, layers, skips) for wide in (True, False))
    return Diagram(label, wide, narrow, alt, caption)


def _drawn(
    pen: _Drawing, nodes: Sequence[Node], layers: Sequence[Layer], skips: Mapping[tuple[int, int], str]
) -> str:
    """Lay the row along u, the skips beside it on either side, and write the SVG."""
    lane, aside, first = (152.0, 116.0, 20.0) if pen.wide else (NARROW / 2, 136.0, 40.0)
    stage = (WIDE - 2 * first) / len(layers) if pen.wide else 164.0
    places = [first + stage * k for k in range(len(nodes))]
    sides = {node: side for pair, side in zip(skips, (-1, 1), strict=False) for node in pair}
    for (i, j), side in zip(skips, (-1, 1), strict=False):
        _skip(pen, places[i], places[j], lane, lane + side * aside, stage, skips[i, j])
    for layer, u in zip(layers, places, strict=False):
        _layer(pen, layer, u, stage, lane)
    sums = {j for _, j in skips}
    for k, (node, u) in enumerate(zip(nodes, places, strict=True)):
        if k in sums:
            pen._node(u, lane)
        else:
            pen._dot(u, lane, 6, "tap" if k in sides else "plain-tap")
        _words(pen, node, u, lane, -sides.get(k, -1), last=k == len(layers))
    across, along = lane + aside + 44, places[-1] + first
    width, height = (WIDE, across) if pen.wide else (NARROW, along)
    size = f'viewBox="0 0 {width:g} {height:.0f}" width="{width:g}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(pen.marks)}</svg>'


def _skip(pen: _Drawing, u: float, end: float, lane: float, beside: float, stage: float, text: str) -> None:
    side = 1 if beside > lane else -1
    pen._bend([(u, lane), (u, beside), (end, beside), (end, lane + side * (NODE + 9))], "bus")
    pen._head(end, lane + side * (NODE + 1), "bus-head", across=-side)
    outside = beside + 13 * side
    pen._line((end - 10, outside), (u + 18, outside), "back")
    pen._head(u + 10, outside, "back-head", along=-1)
    if pen.wide:
        pen._text(text, (u + end) / 2, outside + (21 if side > 0 else -10), "backward")
    else:
        x = beside + 12 if side < 0 else beside - 12 - text_width(text)
        pen._text(text, x, u + stage / 2 + 5, "backward", anchor="start")


def _layer(pen: _Drawing, layer: Layer, u: float, stage: float, lane: float) -> None:
    block = Block(layer.name)
    length = pen._length(block)
    left = u + (stage - length) / 2 + 8  # more room below the node, where its words are
    pen._line((u, lane), (u + NODE, lane), "wire")
    pen._edge(Edge("", layer.gradient), u + NODE, left, lane, "wire")
    pen._block(block, left, length, lane, "box")
    pen._edge(Edge(), left + length, u + stage - NODE - 1, lane, "wire", head=True)


def _words(pen: _Drawing, node: Node, u: float, lane: float, side: int, *, last: bool) -> None:
    lines = [node.value, node.gradient]
    if pen.wide:
        widest = max(map(text_width, lines))
        middle = min(max(u, MARGIN + widest / 2), WIDE - MARGIN - widest / 2)
        for k, (text, kind) in enumerate(zip(lines, ("value", "backward"), strict=True)):
            pen._text(text, middle, lane + (62 if side > 0 else -52) + 20 * k, kind)
        return
    head, *more = node.gradient.rsplit(" = ", 1) if node.gradient.count(" = ") > 1 else [node.gradient]
    lines = [node.value, head, *(f"= {text}" for text in more)]
    for k, text in enumerate(lines):
        baseline = u + 5 + 20 * (k - (len(lines) - 1) / 2)
        x = lane + 24 if side > 0 else lane - 24 - text_width(text)
        pen._text(text, x, baseline, "backward" if k else "value", anchor="start")
