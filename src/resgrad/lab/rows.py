"""Diagrams of several residual blocks below each other: what stands in the branch, and what behind the addition."""

from collections.abc import Sequence
from dataclasses import dataclass

from resgrad.lab.diagram import Diagram, _Drawing
from resgrad.lab.figures import check_words
from resgrad.lab.marks import MARGIN, NARROW, NODE, WIDE, text_width

__all__ = ["Row", "rows"]

_HEIGHT = 132.0  # px from one block to the next
_TAP = 14.0  # px from the edge to the tap


@dataclass(frozen=True)
class Row:
    """One residual block.

    Parameters
    ----------
    title : str
        Stands above it.
    branch, after : sequence of str
        The names of the layers in the branch and behind the addition.
    gradient : str
        What comes back over the skip.
    """

    title: str
    branch: Sequence[str]
    after: Sequence[str]
    gradient: str


def rows(label: str, blocks: Sequence[Row], *, alt: str, caption: str) -> Diagram:
    """Draw residual blocks below each other, from left to right in both widths.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``, by which the text refers to it.
    blocks : sequence of Row
        From top to bottom.
    alt, caption : str
        As for `resgrad.lab.figures.figure`.

    Returns
    -------
    Diagram

    Raises
    ------
    ValueError
        Without words, and if a block does not fit into 640 or into 328 pixels.
    """
    check_words(label, alt, caption)
    wide, narrow = (_drawn(blocks, width) for width in (WIDE, NARROW))
    return Diagram(label, wide, narrow, alt, caption)


def _drawn(blocks: Sequence[Row], width: int) -> str:
    drawing = _Drawing(wide=True)
    gap = 34.0 if width == WIDE else 6.0
    for index, row in enumerate(blocks):
        used = _row(drawing, row, index * _HEIGHT, gap, width)
        if used > width + 0.5:
            raise ValueError(
                f"the diagram needs {used:.0f} of {width} pixels: shorten its texts or leave layers out"
            )
    height = len(blocks) * _HEIGHT - 12
    size = f'viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(drawing.marks)}</svg>'


def _row(drawing: _Drawing, row: Row, top: float, gap: float, width: int) -> float:
    """Draw one block and return how far it needs to reach."""
    lane, beside = top + 40, top + 100
    drawing._write(row.title, MARGIN, top + 18, "name", "start")
    start = _TAP + 6 + 2 * gap
    node = start + _boxes(row.branch, gap) + 2 * gap + 6
    first = node + NODE + gap
    used = first + _boxes(row.after, gap) + (gap if row.after else 0) + 10
    drawing._line((MARGIN, lane), (width - MARGIN - 7, lane), "bus")
    drawing._head(width - MARGIN, lane, "bus-head", along=1)
    drawing._bend([(_TAP, lane), (_TAP, beside), (start, beside)], "wire")
    end = _layers(drawing, row.branch, start, beside, gap, "box", "wire")
    drawing._bend([(end, beside), (node, beside), (node, lane + NODE + 7)], "wire")
    drawing._head(node, lane + NODE + 1, "wire-head", across=-1)
    _layers(drawing, row.after, first, lane, gap, "plain-box", "bus")
    drawing._line((node - NODE - 8, lane + 13), (_TAP + 20, lane + 13), "back")
    drawing._head(_TAP + 12, lane + 13, "back-head", along=-1)
    drawing._write(row.gradient, (_TAP + node) / 2, lane + 33, "backward", "middle")
    drawing._dot(_TAP, lane, 6, "tap")
    drawing._node(node, lane)
    return used + MARGIN


def _boxes(names: Sequence[str], gap: float) -> float:
    return sum(map(_box, names)) + gap * max(0, len(names) - 1)


def _box(name: str) -> float:
    return text_width(name) + 10


def _layers(
    drawing: _Drawing, names: Sequence[str], u: float, lane: float, gap: float, kind: str, line: str
) -> float:
    """Draw boxes one after the other with pieces of line between them, and return where they end."""
    for index, name in enumerate(names):
        if index and line == "wire":
            drawing._line((u - gap, lane), (u, lane), line)
        length = _box(name)
        size = f'x="{u:.1f}" y="{lane - 14:.1f}" width="{length:.1f}" height="28"'
        drawing.marks.append(f'<rect class="{kind}" {size} rx="3"/>')
        drawing._write(name, u + length / 2, lane + 5, "name", "middle")
        u += length + gap
    return u - gap
