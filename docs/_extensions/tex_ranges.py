"""Read the ranges of an index: limits of a sum or product, and the values that a statement runs over."""

from __future__ import annotations

from dataclasses import replace

from tex_cursor import Cursor
from tex_names import base_tex
from tex_signs import DOTS
from tex_symbols import index, single, starts_symbol, symbol
from tex_tokens import Token
from tex_tree import Node, Range, Symbol, TexError


def limits(cursor: Cursor, sign: Token) -> Range:
    r"""Read the range of `\sum` or `\prod`: `_{l=0}^{L-1}` or `_{l=L-1,\dots,0}`."""
    below: Range | None = None
    above: Node | None = None
    while cursor.at_sign("_", "^"):
        mark = cursor.peek()
        if (above if mark.text == "^" else below) is not None:
            raise TexError("two limits on the same side", *mark.at)
        cursor.next()
        if mark.text == "_":
            below = _below(cursor)
        else:
            above = _above(cursor)
    return _joined(sign, below, above)


def _joined(sign: Token, below: Range | None, above: Node | None) -> Range:
    if below is None or below.listed == (above is not None):
        raise TexError(rf"write the limits: {sign.text}_{{l=0}}^{{L-1}} or _{{l=L-1,\dots,0}}", *sign.at)
    return below if above is None else replace(below, last=above)


def _below(cursor: Cursor) -> Range:
    cursor.expect("{")
    variable = _variable(cursor)
    first = index(cursor)
    if cursor.at_sign("}"):
        cursor.next()
        return Range(variable.at, variable, first, None, first, listed=False)
    found = _listed(cursor, variable, first)
    cursor.expect("}")
    return found


def _above(cursor: Cursor) -> Node:
    if not cursor.accept("{"):
        return single(cursor)
    found = index(cursor)
    cursor.expect("}")
    return found


def listed_range(cursor: Cursor) -> Range:
    r"""Read `l = 0, \dots, L-1`, with or without a second value before the dots."""
    variable = _variable(cursor)
    return _listed(cursor, variable, index(cursor))


def _variable(cursor: Cursor) -> Symbol:
    if not starts_symbol(cursor.peek()):
        raise cursor.unexpected(r"a range such as l = 0, \dots, L-1")
    found = symbol(cursor)
    if base_tex(found) != found.base or found.subscript or found.marks or found.differential:
        raise TexError("the index of a range is one plain letter", *found.at)
    cursor.expect("=", r"(a range is l = 0, \dots, L-1; every other statement has its own row)")
    return found


def _listed(cursor: Cursor, variable: Symbol, first: Node) -> Range:
    cursor.expect(",", r"(a range is l = 0, \dots, L-1)")
    second = None if cursor.at_sign(*DOTS) else index(cursor)
    if second is not None:
        cursor.expect(",", "before the dots")
    if not cursor.accept(*DOTS):
        raise cursor.unexpected(r"\dots")
    cursor.expect(",", "after the dots")
    return Range(variable.at, variable, first, second, index(cursor), listed=True)
