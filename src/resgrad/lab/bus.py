"""The bus of a residual network to scale: the stream upwards, the gradient downwards, and every block's share.

Two lines run between the input and the loss, with the blocks between them. The thickness of a line is the length
of the vector that flows along it; where a block adds to one line it reads the other. `bus` draws this from left to
right, 640 wide, and from the bottom to the top, 328 wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from resgrad.lab import marks
from resgrad.lab.angles import Angles, Way
from resgrad.lab.diagram import Diagram
from resgrad.lab.figures import check_words
from resgrad.lab.marks import MARGIN, NARROW, NODE, WIDE, text_width

__all__ = ["THICKEST", "bus"]

#: Thickness of the longest vector on either line, in pixels.
THICKEST = 14.0

_INSET = 12.0  # px from the middle between two blocks to a tap or an addition
_END = 24.0  # px of line before the first block and after the last
_LINE = 20.0  # px from baseline to baseline
_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def bus(label: str, measured: Angles, *, alt: str, caption: str) -> Diagram:
    """Draw both ways along a bus, in both widths.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``, by which the text refers to it.
    measured : Angles
        Of one row, as `resgrad.lab.angles.both_ways` gives it.
    alt, caption : str
        As for `resgrad.lab.figures.figure`.

    Returns
    -------
    Diagram
        Each line has its own scale, which stands under the drawing: the longest vector is 14 pixels thick.

    Raises
    ------
    ValueError
        Without words, for more than one row or shapes that do not fit each other, for lengths that are not
        positive and cosines beyond 1, and if the blocks do not fit into 640 pixels.
    """
    check_words(label, alt, caption)
    _check(measured)
    wide, narrow = (_drawn(_Layout(wide, len(measured.forward.added)), measured) for wide in (True, False))
    return Diagram(label, wide, narrow, alt, caption)


@dataclass(frozen=True)
class _Layout:
    """Where things are: `u` runs from the input to the loss, `v` from the stream to the gradient."""

    wide: bool
    blocks: int

    @property
    def first(self) -> float:
        """Where the first block begins."""
        return MARGIN + _END + (64 if self.wide else 0)

    @property
    def pitch(self) -> float:
        """From one block to the next."""
        return (WIDE - MARGIN - 44 - _END - self.first) / self.blocks if self.wide else 76.0

    @property
    def loss(self) -> tuple[float, float]:
        """From where to where the loss stands."""
        start = self.boundary(self.blocks) + _END
        return start, start + (44 if self.wide else 34)

    @property
    def across(self) -> tuple[float, float, float, float]:
        """Where the names, the line and the edge of the blocks are on the stream's side, and the middle."""
        return (28, 62, 126, 141) if self.wide else (37, 68, 145, 164)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height without the scale."""
        return (WIDE, 2 * self.across[3]) if self.wide else (NARROW, self.loss[1] + 2 * _LINE + 2 * MARGIN)

    def boundary(self, index: int) -> float:
        """Where block `index` begins and the one before it ends."""
        return self.first + index * self.pitch

    def at(self, u: float, v: float) -> marks.Place:
        """Turn (u, v) into (x, y)."""
        return (u, v) if self.wide else (v, self.size[1] - u)

    def to(self, du: float, dv: float) -> marks.Place:
        """Turn a direction."""
        return (du, dv) if self.wide else (dv, -du)


@dataclass(frozen=True)
class _Side:
    """One of the two lines: the stream, or the gradient as its mirror image."""

    layout: _Layout
    way: Way
    back: bool

    @property
    def scale(self) -> float:
        """Pixels for a length of 1."""
        return THICKEST / float(max(self.way.lengths.max(), self.way.added.max()))

    def v(self, where: float) -> float:
        """Mirror a place across, for the gradient."""
        return 2 * self.layout.across[3] - where if self.back else where

    def u(self, block: int, *, joins: bool) -> float:
        """Where a block adds to the line, or reads it."""
        start, stop = self.layout.boundary(block) + _INSET, self.layout.boundary(block + 1) - _INSET
        return stop if joins != self.back else start

    def kind(self, line: str, end: str = "") -> str:
        """Return the class of a mark: gradients look the same on the line and beside it."""
        return ("back" if self.back else line) + end


def _drawn(layout: _Layout, measured: Angles) -> str:
    sides = _Side(layout, measured.forward, back=False), _Side(layout, measured.backward, back=True)
    _require_room(layout, sides)
    drawn = [mark for side in sides for mark in (*_line(side), *_shares(side), *_names(side))]
    drawn += [*_boxes(layout), *_headings(layout), *_scales(layout, sides)]
    width, height = layout.size[0], layout.size[1] + 34
    size = f'viewBox="0 0 {width:g} {height:.0f}" width="{width:g}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(drawn)}</svg>'


def _line(side: _Side) -> Iterator[str]:
    """Draw the line from addition to addition, as thick as what flows there is long."""
    layout, lane = side.layout, side.v(side.layout.across[1])
    joins = [side.u(block, joins=True) for block in range(layout.blocks)]
    places = [layout.first - _END, *joins, layout.loss[0]]
    for index, length in enumerate(side.way.lengths[:, 0]):
        thick = side.scale * length
        start, stop = places[index : index + 2]
        end = index == (0 if side.back else layout.blocks)
        if side.back:
            start, stop = stop, start
        kind, back = side.kind("bus"), -1 if side.back else 1
        yield marks.line(kind, layout.at(start, lane), layout.at(stop - 8 * back * end, lane), width=thick)
        if end:
            yield marks.head(f"{kind}-head", layout.at(stop, lane), layout.to(back, 0), half=_half(thick))


def _shares(side: _Side) -> Iterator[str]:
    """Draw what each block reads, thin, and what it adds, to scale, with its length and its angle."""
    layout, (_, lane, edge, _) = side.layout, side.layout.across
    towards = 1 if side.back else -1
    for block in range(layout.blocks):
        tap, join, thick = (
            side.u(block, joins=False),
            side.u(block, joins=True),
            side.scale * side.way.added[block, 0],
        )
        arriving = side.scale * side.way.lengths[block + side.back, 0]
        tip = side.v(lane + NODE + 1)
        read, written = (
            (layout.at(tap, side.v(lane)), layout.at(tap, side.v(edge - 8))),
            layout.at(join, side.v(edge)),
        )
        yield marks.line(side.kind("plain"), *read, width=2 if side.back else None)
        yield marks.head(
            side.kind("", "-head").lstrip("-"), layout.at(tap, side.v(edge)), layout.to(0, -towards)
        )
        yield marks.dot(
            "back-head" if side.back else "tap", layout.at(tap, side.v(lane)), max(5.0, arriving / 2 + 2)
        )
        yield marks.line(side.kind("wire"), written, layout.at(join, tip - 8 * towards), width=thick)
        yield marks.head(
            side.kind("wire", "-head"), layout.at(join, tip), layout.to(0, towards), half=_half(thick)
        )
        yield marks.node(layout.at(join, side.v(lane)))
        inner = join + (1 if join < tap else -1) * max(thick / 2, _half(thick))
        yield from _pair(side, (tap + inner) / 2, (lane + edge) / 2, *_share(side.way, block))


def _names(side: _Side) -> Iterator[str]:
    """Write the name and the length of what flows between two blocks."""
    for index, length in enumerate(side.way.lengths[:, 0]):
        name = "x" + ("\N{COMBINING OVERLINE}" if side.back else "") + str(index).translate(_DIGITS)
        yield from _pair(side, side.layout.boundary(index), side.layout.across[0], name, _short(length))


def _pair(side: _Side, u: float, v: float, first: str, second: str) -> Iterator[str]:
    x, y = side.layout.at(u, side.v(v))
    kind = "backward" if side.back else "value"
    yield marks.text(kind, first, (x, y - 5))
    yield marks.text(kind, second, (x, y - 5 + _LINE))


def _boxes(layout: _Layout) -> Iterator[str]:
    """Draw the blocks between the two lines, and the loss that the one enters and the other leaves."""
    _, lane, edge, middle = layout.across
    spans = [(layout.boundary(k) + 5, layout.boundary(k + 1) - 5, edge) for k in range(layout.blocks)]
    for index, (start, stop, top) in enumerate([*spans, (*layout.loss, lane - 16)]):
        corners = layout.at(start, top), layout.at(stop, 2 * middle - top)
        (x, y), (right, bottom) = (tuple(f(pair) for pair in zip(*corners, strict=True)) for f in (min, max))
        last = index == layout.blocks
        yield marks.box("plain-box" if last else "box", (x, y), (right - x, bottom - y))
        name = "loss" if last else "F" + str(index).translate(_DIGITS)
        yield marks.text("name", name, ((x + right) / 2, (y + bottom) / 2 + 5))


def _headings(layout: _Layout) -> Iterator[str]:
    """Say what the numbers are: rows at the left, columns above a vertical drawing."""
    names, lane, edge, middle = layout.across
    rows = [(names, ("stream", "")), ((lane + edge) / 2, ("writes", "angle"))]
    rows += [(2 * middle - (lane + edge) / 2, ("adds", "angle")), (2 * middle - names, ("gradient", ""))]
    for v, (first, second) in rows:
        x, y = (MARGIN, v) if layout.wide else (v, MARGIN + 16)
        place = "start" if layout.wide else "middle"
        lines = [(first, -5), (second, -5 + _LINE)] if second else [(first, 5)]
        yield from (marks.text("small", words, (x, y + down), place) for words, down in lines)


def _scales(layout: _Layout, sides: tuple[_Side, _Side]) -> Iterator[str]:
    """Draw a piece of each line with a round length, as a map has it."""
    x, y = layout.first - _END if layout.wide else 30.0, layout.size[1] + 16
    for side in sides:
        unit = _round_below(THICKEST / side.scale)
        words = f"length {unit:g}"
        yield marks.line(side.kind("bus"), (x, y), (x + 40, y), width=side.scale * unit)
        yield marks.text("backward" if side.back else "value", words, (x + 48, y + 5), "start")
        x += 48 + text_width(words) + 30


def _share(way: Way, block: int) -> tuple[str, str]:
    degrees = math.degrees(math.acos(max(-1.0, min(1.0, way.cosines[block, 0]))))
    return _short(way.added[block, 0]), f"{degrees:.0f}°"


def _short(length: float) -> str:
    return f"{length:.0f}" if length >= 99.5 else f"{length:#.2g}".rstrip(".")


def _half(thick: float) -> float:
    """Half the width of the head of an arrow."""
    return max(5.0, thick / 2 + 3)


def _round_below(length: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return float(max(k * power for k in (1, 2, 5) if k * power <= length))


def _require_room(layout: _Layout, sides: tuple[_Side, _Side]) -> None:
    for side in sides:
        texts = [text for block in range(layout.blocks) for text in _share(side.way, block)]
        wide = max(map(text_width, texts)) if layout.wide else 34.0
        needed = wide + 2 * _INSET + _half(side.scale * side.way.added.max()) + 2
        if needed > layout.pitch + 0.5:
            raise ValueError(
                f"bus: a block needs {needed:.0f} pixels and has {layout.pitch:.0f}: draw fewer than {layout.blocks}"
            )


def _check(measured: Angles) -> None:
    blocks = len(measured.forward.added)
    for name, way in zip(Angles._fields, measured, strict=True):
        shapes = tuple(np.shape(part) for part in way)
        if blocks < 1 or shapes != ((blocks + 1, 1), (blocks, 1), (blocks, 1)):
            raise ValueError(
                f"bus: {name} has shapes {shapes}, expected (L + 1, 1), (L, 1), (L, 1), L the same"
            )
        lengths = np.concatenate([way.lengths, way.added])
        if not (
            np.isfinite(lengths).all() and (lengths > 0).all() and (np.abs(way.cosines) <= 1 + 1e-9).all()
        ):
            raise ValueError(f"bus: {name} has a length that is not positive or a cosine beyond 1")
