"""Read what stands between brackets of its own: groups, arguments, norms, comparisons, matrices.

What is inside is an expression, read by the function that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable

from tex_cursor import Cursor
from tex_signs import MATRICES, RELATIONS
from tex_tokens import Token
from tex_tree import Function, Group, Iverson, Matrix, Node, TexError

Reader = Callable[[Cursor], Node]


def _group(cursor: Cursor, opening: Token, expression: Reader) -> Node:
    items = arguments(cursor, expression)
    return Group(opening.at, items)


def arguments(cursor: Cursor, expression: Reader) -> tuple[Node, ...]:
    """Read expressions with commas between them, up to the closing parenthesis."""
    items = [expression(cursor)]
    while cursor.accept(","):
        items.append(expression(cursor))
    cursor.expect(")")
    return tuple(items)


def _iverson(cursor: Cursor, opening: Token, expression: Reader) -> Node:
    left = expression(cursor)
    if not cursor.at_sign(*RELATIONS):
        raise cursor.unexpected("a relation: [a > 0] is 1 where it holds; brackets that group are (")
    relation = RELATIONS[cursor.next().text]
    right = expression(cursor)
    cursor.expect("]")
    return Iverson(opening.at, left, relation, right)


def _norm(cursor: Cursor, opening: Token, expression: Reader) -> Node:
    inner = expression(cursor)
    cursor.expect(r"\rVert")
    if not cursor.accept("_"):
        return Function(opening.at, "norm", (inner,))
    braced = cursor.accept("{")
    cursor.expect("2", r"(norms are \lVert a \rVert and \lVert J \rVert_2)")
    if braced:
        cursor.expect("}")
    return Function(opening.at, "norm2", (inner,))


def _absolute(cursor: Cursor, opening: Token, expression: Reader) -> Node:
    inner = expression(cursor)
    cursor.expect(r"\rvert")
    return Function(opening.at, "abs", (inner,))


def _inner(cursor: Cursor, opening: Token, expression: Reader) -> Node:
    left = expression(cursor)
    cursor.expect(",", r"(an inner product is \langle a, b \rangle)")
    right = expression(cursor)
    cursor.expect(r"\rangle")
    return Function(opening.at, "inner", (left, right))


def _matrix(cursor: Cursor, opening: Token, expression: Reader) -> Node:
    closing = opening.text.replace("begin", "end")
    rows = [_cells(cursor, expression)]
    while cursor.accept(r"\\"):
        if not cursor.at_sign(closing):
            rows.append(_cells(cursor, expression))
    cursor.expect(closing)
    if len({len(row) for row in rows}) > 1:
        raise TexError("the rows of a matrix have different lengths", *opening.at)
    return Matrix(opening.at, tuple(rows))


def _cells(cursor: Cursor, expression: Reader) -> tuple[Node, ...]:
    cells = [expression(cursor)]
    while cursor.accept("&"):
        cells.append(expression(cursor))
    return tuple(cells)


BRACKETS = {
    "(": _group,
    "[": _iverson,
    r"\lVert": _norm,
    r"\lvert": _absolute,
    r"\langle": _inner,
} | {rf"\begin{{{name}}}": _matrix for name in MATRICES}
