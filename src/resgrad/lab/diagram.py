"""Diagrams of a computation with the real values and gradients on its edges.

A diagram is a list of signs along a main line, from input to output: `Edge` (a piece of line with the value that
flows along it and the gradient that comes back), `Block` (a function), `Residual` (tap, branch, addition), `Fork`
and `Add` (one line becomes two, two become one), `Coupling` (two lines, each with a branch to the other), `Gap`
(blocks left out). `diagram` lays it out twice: from left
to right, 640 wide, and downwards, 328 wide, as SVG whose colours are the style sheet's classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from resgrad.lab import marks
from resgrad.lab.figures import Figure, check_words
from resgrad.lab.marks import text_width

__all__ = ["Add", "Block", "Coupling", "Diagram", "Edge", "Fork", "Gap", "Residual", "diagram"]

_LINE = 20  # px from baseline to baseline
_NODE, _WIDE, _NARROW, _MARGIN = marks.NODE, marks.WIDE, marks.NARROW, marks.MARGIN


@dataclass(frozen=True)
class Edge:
    """A piece of line: the value that flows forward, the gradient that comes back, and how thick its arrow is.

    Parameters
    ----------
    value, gradient : str
        What stands at the line and at its arrow.
    thickness : float
        Of the gradient's arrow, in pixels.
    back : bool
        Whether a gradient flows back at all.
    """

    value: str = ""
    gradient: str = ""
    thickness: float = 2.0
    back: bool = True


@dataclass(frozen=True)
class Block:
    """A function, as a box.

    Parameters
    ----------
    name : str
    weights : tuple of str
        Its weights or their gradients, a line each in its box.
    """

    name: str
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Residual:
    """A tap on the line, a branch beside it and the node where both meet.

    Parameters
    ----------
    branch : sequence of Edge and Block
        From the tap to the node.
    skip : Edge, or sequence of Edge and Block
        The piece of the main line between the two.
    joint : str
        ``"add"`` for a node that adds, ``"concat"`` for one that puts side by side.
    """

    branch: Sequence[Edge | Block]
    skip: Edge | Sequence[Edge | Block] = Edge()
    joint: str = "add"

    def line(self) -> Sequence[Edge | Block]:
        """Return the signs of the skip as a sequence."""
        return [self.skip] if isinstance(self.skip, Edge) else self.skip


@dataclass(frozen=True)
class Fork:
    """One line becomes two."""

    one: Edge
    other: Edge


@dataclass(frozen=True)
class Add:
    """Two lines become one."""

    one: Edge
    other: Edge


@dataclass(frozen=True)
class Coupling:
    """Two lines: a branch of the second is added to the first, then one of the first to the second.

    Parameters
    ----------
    one, other : sequence of three Edge
        Each line before the first branch, between the two, and behind the second.
    up, down : (Edge, Block, Edge)
        The two branches, each from its tap to its addition.
    """

    one: Sequence[Edge]
    other: Sequence[Edge]
    up: tuple[Edge, Block, Edge]
    down: tuple[Edge, Block, Edge]


@dataclass(frozen=True)
class Gap:
    """Blocks that are left out, as three dots."""


Sign = Edge | Block | Residual | Fork | Add | Coupling | Gap


@dataclass(frozen=True)
class Diagram(Figure):
    """A diagram of the site: two drawings whose colours are classes, its label and its words."""

    fence: str = "drawn"

    def payload(self) -> dict[str, Any]:
        """Return what the fence carries: the drawings and the words."""
        return {"alt": self.alt, "caption": self.caption, "svg": {"wide": self.wide, "narrow": self.narrow}}

    def svg(self) -> str:
        """Return the wide drawing with its colours, as a picture that stands by itself."""
        start = self.wide.index(">") + 1
        return f"{self.wide[:start]}<style>{marks.style()}</style>{self.wide[start:]}"


def diagram(label: str, signs: Sequence[Sign], *, alt: str, caption: str) -> Diagram:
    """Draw a diagram in both widths.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``, by which the text refers to it.
    signs : sequence
        From input to output. The main line is the thick skip path where a `Residual` lies on it.
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
    wide, narrow = (_Drawing(wide=wide).draw(signs) for wide in (True, False))
    return Diagram(label, wide, narrow, alt, caption)


@dataclass
class _Drawing:
    """Collects the marks of one drawing. `u` runs along the flow, `v` across it; a swap makes it vertical."""

    wide: bool
    marks: list[str] = field(default_factory=list)
    end: float = 0.0  # how far the marks reach across

    def draw(self, signs: Sequence[Sign]) -> str:
        """Lay out the signs and write the SVG."""
        lane, beside = self._lanes(signs)
        lengths = self._stretched([self._length(sign) for sign in signs], signs)
        kinds, u = _kinds(signs), float(_MARGIN)
        for index, (sign, length) in enumerate(zip(signs, lengths, strict=True)):
            self._place(sign, u, length, lane, beside, kinds[index], last=index == len(signs) - 1)
            u += length
        along, across = u + _MARGIN, self.end + _MARGIN
        width, height = (_WIDE, across) if self.wide else (_NARROW, along)
        self._check(along if self.wide else across)
        left = 0 if self.wide else -(_NARROW - across) / 2
        size = f'viewBox="{left:.0f} 0 {width:g} {height:.0f}" width="{width:g}" height="{height:.0f}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(self.marks)}</svg>'

    def _check(self, used: float) -> None:
        limit = _WIDE if self.wide else _NARROW
        if used > limit + 0.5:
            raise ValueError(
                f"the diagram needs {used:.0f} of {limit} pixels: shorten its texts or leave blocks out"
            )

    # Sizes

    def _lanes(self, signs: Sequence[Sign]) -> tuple[float, float]:
        """Return where the main line runs across the flow, and the line beside it."""
        if self.wide:
            on_it = [*signs, *(s for sign in signs if isinstance(sign, Residual) for s in sign.line())]
            tall = max([self._across(sign) / 2 for sign in on_it if isinstance(sign, Block)], default=0.0)
            lane = max(26.0, tall + _MARGIN)
            branches = [s for sign in signs if isinstance(sign, Residual) for s in sign.branch]
            boxes = [self._across(sign) / 2 for sign in branches if isinstance(sign, Block)]
            apart = 208.0 if any(isinstance(sign, Coupling) for sign in signs) else 96.0
            return lane, lane + max(apart, 58 + max(boxes, default=0.0))
        boxes = [self._across(sign) / 2 for sign in signs if isinstance(sign, Block)]
        lane = max(22.0, max(boxes, default=0.0) + _MARGIN)
        return lane, lane + self._room_beside(signs)

    def _room_beside(self, signs: Sequence[Sign]) -> float:
        """Return how far apart the two lines of a vertical drawing run."""
        room = 70.0
        for sign in signs:
            if isinstance(sign, Residual):
                boxes = [self._across(inner) / 2 for inner in sign.branch if isinstance(inner, Block)]
                texts = [_text_of(s) if isinstance(s, Edge) else self._across(s) / 2 for s in sign.line()]
                room = max(room, max(texts, default=0.0) + 24 + max(18.0, *boxes, 0.0))
            elif isinstance(sign, Fork | Add):
                room = max(room, _text_of(sign.one) + 40)
            elif isinstance(sign, Coupling):
                for start, block, end in (sign.up, sign.down):
                    room = max(room, self._across(block) + 2 * (32 + max(_text_of(start), _text_of(end))))
        return room

    def _across(self, block: Block) -> float:
        if self.wide:
            return 24.0 + _LINE * (1 + len(block.weights))
        return 20.0 + max(text_width(text) for text in (block.name, *block.weights))

    def _length(self, sign: Sign) -> float:
        if isinstance(sign, Edge):
            return self._edge_length(sign)
        if isinstance(sign, Block):
            turned = replace(self, wide=not self.wide, marks=[])
            return turned._across(sign)
        if isinstance(sign, Residual):
            inner = sum(self._length(s) for s in sign.branch)
            return max(inner + 32, sum(self._length(s) for s in sign.line()) + 16) + 2 * _NODE
        if isinstance(sign, Gap):
            return 30.0
        if isinstance(sign, Coupling):
            return sum(self._coupling_lengths(sign))
        return max(self._edge_length(edge) for edge in (sign.one, sign.other)) + 20 + 2 * _NODE

    def _coupling_lengths(self, sign: Coupling) -> list[float]:
        """Return how long the three pieces of both lines are: before, between and behind the branches."""
        if not self.wide:
            pairs = zip(
                sign.one, sign.other, [20, 84, 84], strict=True
            )  # the branches' texts stand below them
            return [
                max(self._edge_length(one), self._edge_length(other)) + more for one, other, more in pairs
            ]
        texts = [max(_text_of(edge) for edge in branch[::2]) + 60 for branch in (sign.up, sign.down)]
        lines = [
            max(map(self._edge_length, pair)) + 2 * _NODE for pair in zip(sign.one, sign.other, strict=True)
        ]
        return [max(pair) for pair in zip(lines, [0.0, *texts], strict=True)]

    def _edge_length(self, edge: Edge) -> float:
        if self.wide:
            return max(26.0, _text_of(edge) + 14) if edge.value or edge.gradient else 22.0
        return 26.0 + _LINE * ((edge.value != "") + (edge.gradient != ""))

    def _stretched(self, lengths: list[float], signs: Sequence[Sign]) -> list[float]:
        """Fill the width with the edges; a vertical drawing is as long as it needs."""
        spare = _WIDE - 2 * _MARGIN - sum(lengths)
        elastic = [
            i for i, sign in enumerate(signs) if isinstance(sign, Edge | Residual | Fork | Add | Coupling)
        ]
        if not self.wide or spare <= 0 or not elastic:
            return lengths
        more = spare / len(elastic)
        return [length + more if i in elastic else length for i, length in enumerate(lengths)]

    # Signs

    def _place(
        self, sign: Sign, u: float, length: float, lane: float, beside: float, kind: str, *, last: bool
    ) -> None:
        if isinstance(sign, Edge):
            self._edge(sign, u, u + length, lane, kind, head=last)
        elif isinstance(sign, Block):
            self._block(sign, u, length, lane, "plain-box")
        elif isinstance(sign, Residual):
            self._residual(sign, u, length, lane, beside)
        elif isinstance(sign, Gap):
            for k in (-1, 0, 1):
                self._dot(u + length / 2 + 9 * k, lane, 2.5, "tap" if kind == "bus" else "plain-tap")
        elif isinstance(sign, Fork):
            self._fork(sign, u, length, lane, beside)
        elif isinstance(sign, Coupling):
            self._coupling(sign, u, length, lane, beside)
        else:
            self._add(sign, u, length, lane, beside)

    def _residual(self, sign: Residual, u: float, length: float, lane: float, beside: float) -> None:
        tap, node = u + 8, u + length - _NODE
        self._run(sign.line(), u, node - _NODE, lane, "bus", "plain-box", inset=16)
        self._bend([(tap, lane), (tap, beside), (tap + 12, beside)], "wire")
        end = self._run(sign.branch, tap + 12, node - 12, beside, "wire", "box")
        self._bend([(end, beside), (node, beside), (node, lane + _NODE + 7)], "wire")
        self._head(node, lane + _NODE + 1, "wire-head", across=-1)
        self._dot(tap, lane, 6, "tap")
        self._node(node, lane, sign.joint)

    def _run(
        self,
        signs: Sequence[Edge | Block],
        start: float,
        stop: float,
        lane: float,
        line: str,
        box: str,
        inset: float = 4,
    ) -> float:
        """Draw edges and blocks in a row, the edges stretched to fill it; return where the last one ends."""
        lengths = [self._length(s) for s in signs]
        more = (stop - start - sum(lengths)) / max(1, sum(isinstance(s, Edge) for s in signs))
        at = start
        for index, (inner, needed) in enumerate(zip(signs, lengths, strict=True)):
            if isinstance(inner, Edge):
                span = needed + more
                self._edge(inner, at, at + span, lane, line, inset=inset if index == 0 else 4)
            else:
                span = needed
                self._block(inner, at, span, lane, box)
            at += span
        return at

    def _fork(self, sign: Fork, u: float, length: float, lane: float, beside: float) -> None:
        tap = u + _NODE
        self._line((u, lane), (tap, lane), "plain")
        self._edge(sign.one, tap, u + length, lane, "plain", head=True, inset=14)
        self._bend([(tap, lane), (tap, beside), (tap + 20, beside)], "plain")
        self._edge(sign.other, tap + 20, u + length, beside, "plain", head=True)
        self._dot(tap, lane, 5, "plain-tap")

    def _add(self, sign: Add, u: float, length: float, lane: float, beside: float) -> None:
        node = u + length - _NODE
        self._edge(sign.one, u, node - _NODE, lane, "plain")
        self._edge(sign.other, u, node - 20, beside, "plain")
        self._bend([(node - 20, beside), (node, beside), (node, lane + _NODE + 7)], "plain")
        self._head(node, lane + _NODE + 1, "head", across=-1)
        self._node(node, lane)

    def _coupling(self, sign: Coupling, u: float, length: float, lane: float, beside: float) -> None:
        lengths = self._coupling_lengths(sign)
        more = (length - sum(lengths)) / 3
        first = u + lengths[0] + more
        second = first + lengths[1] + more
        places = [(u, first - _NODE), (first + _NODE, second - _NODE), (second + _NODE, u + length)]
        for edges, at, tap in ((sign.one, lane, second), (sign.other, beside, first)):
            self._line((tap - _NODE, at), (tap + _NODE, at), "bus")
            for edge, (start, stop) in zip(edges, places, strict=True):
                self._edge(edge, start, stop, at, "bus", head=stop == u + length)
            self._dot(tap, at, 6, "tap")
        self._crossing(sign.up, first, beside, lane)
        self._crossing(sign.down, second, lane, beside)

    def _crossing(self, branch: tuple[Edge, Block, Edge], u: float, tap: float, node: float) -> None:
        """Draw a branch from a tap on one line to an addition on the other."""
        before, block, after = branch
        turned = replace(self, wide=not self.wide, marks=[])
        half, along, middle = self._across(block) / 2, turned._across(block), (tap + node) / 2
        way = 1 if node > tap else -1
        self._arm(before, u, tap + 6 * way, middle - half * way, way)
        self._arm(after, u, middle + half * way, node - (_NODE + 7) * way, way)
        self._head(u, node - (_NODE + 1) * way, "wire-head", across=way)
        self._block(block, u - along / 2, along, middle, "box")
        self._node(u, node)

    def _arm(self, edge: Edge, u: float, start: float, stop: float, way: int) -> None:
        self._line((u, start), (u, stop), "wire")
        # Its ends are clear of the gradients' arrows beside the two lines.
        self._line((u - 13, stop - 6 * way), (u - 13, start + 18 * way), "back", edge.thickness)
        self._head(u - 13, start + 10 * way, "back-head", across=-way)
        middle = (start + stop) / 2
        lines = [(text, name) for text, name in ((edge.value, "value"), (edge.gradient, "backward")) if text]
        for index, (text, name) in enumerate(lines):
            if self.wide:
                self._text(
                    text, u + 12, middle + 5 + _LINE * (index - (len(lines) - 1) / 2), name, anchor="start"
                )
            else:
                self._text(text, middle, u + 20 + _LINE * index, name)

    def _edge(
        self,
        edge: Edge,
        start: float,
        stop: float,
        lane: float,
        kind: str,
        *,
        head: bool = False,
        inset: float = 4,
    ) -> None:
        self._line((start, lane), (stop - (7 if head else 0), lane), kind)
        if head:
            self._head(stop, lane, {"bus": "bus-head", "wire": "wire-head"}.get(kind, "head"), along=1)
        aside = lane + 13 if self.wide else lane - 13
        if edge.back and stop - start > 20:
            self._line((stop - inset, aside), (start + inset + 8, aside), "back", edge.thickness)
            self._head(start + inset, aside, "back-head", along=-1)
        self._labels(edge, (start + stop) / 2, lane)

    def _labels(self, edge: Edge, middle: float, lane: float) -> None:
        if self.wide:
            self._text(edge.value, middle, lane - 11, "value")
            self._text(edge.gradient, middle, lane + 34, "backward")
            self.end = max(self.end, lane + (40 if edge.gradient else 20))
            return
        lines = [(text, name) for text, name in ((edge.value, "value"), (edge.gradient, "backward")) if text]
        for index, (text, name) in enumerate(lines):
            baseline = middle + 5 + _LINE * (index - (len(lines) - 1) / 2)
            self._text(text, lane + 12, baseline, name, anchor="start")
        self.end = max(self.end, lane + 12 + _text_of(edge))

    def _block(self, block: Block, u: float, length: float, lane: float, kind: str) -> None:
        half = self._across(block) / 2
        x, y, w, h = (u, lane - half, length, 2 * half) if self.wide else (lane - half, u, 2 * half, length)
        kind += " light" if block.weights else ""
        self.marks.append(marks.box(kind, (x, y), (w, h)))
        names = [(block.name, "name"), *((text, "weight") for text in block.weights)]
        for index, (text, name) in enumerate(names):
            baseline = y + h / 2 + 5 + _LINE * (index - (len(names) - 1) / 2)
            self._write(text, x + w / 2, baseline, name, "middle")
        self.end = max(self.end, lane + half)

    # Marks

    def _at(self, u: float, v: float) -> tuple[float, float]:
        return (u, v) if self.wide else (v, u)

    def _line(
        self, one: tuple[float, float], two: tuple[float, float], kind: str, thickness: float = 2.0
    ) -> None:
        width = thickness if kind == "back" else None
        self.marks.append(marks.line(kind, self._at(*one), self._at(*two), width=width))

    def _bend(self, corners: Sequence[tuple[float, float]], kind: str) -> None:
        self.marks.append(marks.line(kind, *(self._at(*corner) for corner in corners), joined=True))

    def _head(self, u: float, v: float, kind: str, *, along: int = 0, across: int = 0) -> None:
        """Draw an arrow's head, its tip at (u, v)."""
        self.marks.append(marks.head(kind, self._at(u, v), self._at(along, across)))

    def _dot(self, u: float, v: float, radius: float, kind: str) -> None:
        self.marks.append(marks.dot(kind, self._at(u, v), radius))

    def _node(self, u: float, v: float, joint: str = "add") -> None:
        self.marks.append(marks.node(self._at(u, v), joint))
        self.end = max(self.end, v + _NODE)

    def _text(self, text: str, x: float, y: float, kind: str, anchor: str = "middle") -> None:
        if text:
            self._write(text, x, y, kind, anchor)

    def _write(self, text: str, x: float, y: float, kind: str, anchor: str) -> None:
        self.marks.append(marks.text(kind, text, (x, y), anchor))


def _kinds(signs: Sequence[Sign]) -> list[str]:
    """Say for each sign whether its line is the skip path: from block to block, if an addition lies between."""
    kinds: list[str] = []
    run: list[Sign] = []
    for sign in [*signs, Block("")]:
        run.append(sign)
        if isinstance(sign, Block):
            bus = any(isinstance(other, Residual) for other in run)
            kinds += ["bus" if bus else "plain"] * len(run)
            run = []
    return kinds[:-1]


def _text_of(edge: Edge) -> float:
    return max(text_width(edge.value), text_width(edge.gradient))
