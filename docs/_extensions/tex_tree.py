"""What a parsed equation is made of, and the errors that point into it.

Every node knows where it starts in the TeX that it was read from; two nodes are equal if they
read the same, wherever they stand. Nothing here knows numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import NamedTuple


class Position(NamedTuple):
    """Where a sign stands: line and column, both counted from 1."""

    line: int
    column: int


class TexError(ValueError):
    """An equation that cannot be read or evaluated, with the place of the trouble.

    Parameters
    ----------
    message : str
        One sentence that says what is wrong and, where it can, what to write instead.
    line, column : int
        Position in the TeX that was given, counted from 1.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message, self.line, self.column = message, line, column

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class TexShapeError(TexError):
    """Operands whose shapes do not fit; the one error by which a near miss may be rejected."""


class TexNameError(TexError):
    """A symbol that has no value in the namespace, or no row in the table of notation."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an equation; `at` is where it starts and does not take part in comparisons."""

    at: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A literal; whole numbers are `int`, so that they stay exact and can be an index."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Label(Node):
    r"""A subscript that is a word, such as `\min` or `\text{out}`."""

    text: str


@dataclass(frozen=True, slots=True)
class Symbol(Node):
    r"""A name: `\bar W_1` has the base `W`, the subscript `(1,)` and the mark `bar`.

    `marks` are accents and primes from the inside out; `style` is the alphabet (`\mathcal`, or
    `\operatorname` for a word in upright letters), empty for plain letters.
    """

    base: str
    style: str = ""
    subscript: tuple[Node, ...] = ()
    marks: tuple[str, ...] = ()
    differential: bool = False


@dataclass(frozen=True, slots=True)
class Derivative(Node):
    r"""A partial derivative, `\frac{\partial y}{\partial x}`: one name, not a quotient."""

    top: Symbol
    bottom: Symbol


@dataclass(frozen=True, slots=True)
class Group(Node):
    """Parentheses: a value, or the arguments of the function before them."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """Terms, each with its sign +1 or -1."""

    terms: tuple[tuple[int, Node], ...]


@dataclass(frozen=True, slots=True)
class Product(Node):
    """Factors side by side."""

    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Dot(Node):
    r"""Parts joined by `\cdot`."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Odot(Node):
    r"""Parts joined by `\odot`."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quotient(Node):
    r"""A fraction, written `\frac` or with a slash."""

    top: Node
    bottom: Node
    slash: bool = False


@dataclass(frozen=True, slots=True)
class Raised(Node):
    r"""A factor with a superscript: `kind` is `top`, `power` or `odot` (no exponent for `top`)."""

    base: Node
    kind: str
    exponent: Node | None = None


@dataclass(frozen=True, slots=True)
class Function(Node):
    """A function that the grammar knows: exp, max, tr, norm, inner, ..."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Iverson(Node):
    """`[a > 0]`: 1 where the relation holds, 0 elsewhere."""

    left: Node
    relation: str
    right: Node


@dataclass(frozen=True, slots=True)
class Matrix(Node):
    """Rows of cells, all of the same length."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Range(Node):
    r"""The values of an index.

    `listed` is the form `l = a, b, \dots, c`, which may run downwards (`second` is b, or None if it
    was left out); the other form is that of limits below and above a sign, which runs upwards.
    """

    variable: Symbol
    first: Node
    second: Node | None
    last: Node
    listed: bool


@dataclass(frozen=True, slots=True)
class Big(Node):
    r"""`\sum` or `\prod` over a range."""

    kind: str
    range: Range
    body: Node


@dataclass(frozen=True, slots=True)
class Chain(Node):
    r"""A first expression and its links: `(relation, expression)`, relation one of = < > \le \ge."""

    first: Node
    links: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """All that one display states: chains, each for all values of the quantifiers."""

    chains: tuple[Chain, ...]
    quantifiers: tuple[Range, ...] = ()

    def symbols(self) -> Iterator[Symbol]:
        """Yield the symbols, those in subscripts and ranges too, each with its position `at`."""
        return (node for node in walk(self) if isinstance(node, Symbol))


def walk(part: object) -> Iterator[Node]:
    """Yield a node and all nodes below it, from left to right."""
    if isinstance(part, Node):
        yield part
        part = tuple(getattr(part, slot.name) for slot in fields(part))
    if isinstance(part, tuple):
        for inner in part:
            yield from walk(inner)
