"""Diagrams of one value that a function uses in several ways, with the gradient that comes back over each."""

from collections.abc import Sequence

from resgrad.lab.diagram import Block, Diagram, Edge, _Drawing, _text_of
from resgrad.lab.figures import check_words
from resgrad.lab.marks import MARGIN, NARROW, WIDE

__all__ = ["fan"]

_BEND = 20.0  # px from the tap to where a path's own signs begin


def fan(
    label: str,
    source: Edge,
    paths: Sequence[Sequence[Edge | Block]],
    join: str,
    result: Edge,
    *,
    alt: str,
    caption: str,
) -> Diagram:
    """Draw a value that forks into several paths, which meet in one function.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``, by which the text refers to it.
    source, result : Edge
        Before the fork, and behind the function.
    paths : sequence of sequences of Edge and Block
        From the fork to the function, each with an edge at least.
    join : str
        The name of the function in which they meet.
    alt, caption : str
        As for `resgrad.lab.figures.figure`.

    Returns
    -------
    Diagram

    Raises
    ------
    ValueError
        Without words, and if the signs and their text do not fit into 640 or into 328 pixels.
    """
    check_words(label, alt, caption)
    wide, narrow = (_drawn(_Drawing(wide=wide), source, paths, join, result) for wide in (True, False))
    return Diagram(label, wide, narrow, alt, caption)


def _drawn(
    drawing: _Drawing, source: Edge, paths: Sequence[Sequence[Edge | Block]], join: str, result: Edge
) -> str:
    lanes = _lanes(drawing, paths)
    ends = [drawing._length(sign) for sign in (source, Block(join), result)]
    inner = max(sum(drawing._length(sign) for sign in path) for path in paths)
    if drawing.wide:
        inner = max(inner, WIDE - 2 * MARGIN - sum(ends) - _BEND)
    tap = MARGIN + ends[0]
    meet = tap + _BEND + inner
    drawing._edge(source, MARGIN, tap, lanes[0], "plain")
    for path, lane in zip(paths, lanes, strict=True):
        if lane != lanes[0]:
            drawing._bend([(tap, lanes[0]), (tap, lane), (tap + _BEND, lane)], "plain")
        _path(drawing, path, tap + (_BEND if lane != lanes[0] else 0), meet, lane)
    drawing._dot(tap, lanes[0], 5, "plain-tap")
    _join(drawing, join, meet, ends[1], lanes)
    drawing._edge(result, meet + ends[1], meet + sum(ends[1:]), lanes[0], "plain", head=True)
    return _framed(drawing, meet + sum(ends[1:]) + MARGIN)


def _lanes(drawing: _Drawing, paths: Sequence[Sequence[Edge | Block]]) -> list[float]:
    """Return where the paths run: below each other, or beside each other with room for their texts."""
    lanes = [34.0 if drawing.wide else 24.0]
    for path in paths[:-1]:
        text = max(_text_of(sign) for sign in path if isinstance(sign, Edge))
        lanes.append(lanes[-1] + (84 if drawing.wide else 12 + text + 24))
    return lanes


def _path(drawing: _Drawing, path: Sequence[Edge | Block], u: float, stop: float, lane: float) -> None:
    lengths = [drawing._length(sign) for sign in path]
    more = (stop - u - sum(lengths)) / sum(isinstance(sign, Edge) for sign in path)
    for index, (sign, length) in enumerate(zip(path, lengths, strict=True)):
        if isinstance(sign, Edge):
            last = index == len(path) - 1
            drawing._edge(sign, u, u + length + more, lane, "plain", head=last, inset=14 if not index else 4)
            u += length + more
        else:
            drawing._block(sign, u, length, lane, "plain-box")
            u += length


def _join(drawing: _Drawing, name: str, u: float, length: float, lanes: Sequence[float]) -> None:
    """Draw the function in which all lanes end, as one box across them."""
    low, high = lanes[0] - 20, lanes[-1] + 20
    (x, y), (right, bottom) = drawing._at(u, low), drawing._at(u + length, high)
    size = f'x="{x:.1f}" y="{y:.1f}" width="{right - x:.1f}" height="{bottom - y:.1f}"'
    drawing.marks.append(f'<rect class="plain-box" {size} rx="3"/>')
    drawing._write(name, (x + right) / 2, (y + bottom) / 2 + 5, "name", "middle")
    drawing.end = max(drawing.end, high)


def _framed(drawing: _Drawing, along: float) -> str:
    across = drawing.end + MARGIN
    drawing._check(along if drawing.wide else across)
    width, height, left = (WIDE, across, 0.0) if drawing.wide else (NARROW, along, (across - NARROW) / 2)
    size = f'viewBox="{left:.0f} 0 {width:g} {height:.0f}" width="{width:g}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(drawing.marks)}</svg>'
