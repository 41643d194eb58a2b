"""Find the value of a symbol in a namespace; more than one reading, or none, is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import prod
from typing import Any

import numpy as np

from tex_names import base_name, shared_subscript, spelled, spelled_derivative
from tex_reach import Reach
from tex_tree import (
    Derivative,
    Label,
    Node,
    Number,
    Product,
    Range,
    Sum,
    Symbol,
    TexError,
    TexNameError,
    walk,
)

LONGEST_RANGE = 10_000


@dataclass(frozen=True)
class Scope:
    """Where names are looked up: a namespace, and the indices that a sum or a quantifier binds.

    What they reach is noted in `reach`, one for a whole statement.
    """

    namespace: Mapping[str, Any]
    bound: Mapping[str, int] = field(default_factory=dict)
    reach: Reach = field(default_factory=Reach)

    def bind(self, name: str, value: int) -> Scope:
        """Return a scope in which `name` is this index."""
        return Scope(self.namespace, {**self.bound, name: value}, self.reach)


def lookup(node: Symbol | Derivative, scope: Scope) -> Any:
    """Return the one value that a symbol or a derivative can stand for.

    A name may be spelled out, or a shorter name indexed by what is left of the subscript: exactly one of
    these readings must exist.

    Raises
    ------
    TexNameError
        If no reading exists.
    TexError
        If several do, or if an index is out of range.
    """
    spell, items = _spelling(node, scope)
    if isinstance(node, Symbol) and not (items or node.marks) and base_name(node) in scope.bound:
        return scope.bound[base_name(node)]
    readings = [found for kept in range(len(items) + 1) for found in _reading(spell, items, kept, scope)]
    if not readings:
        raise TexNameError(_tried(spell, items, scope), *node.at)
    if len(readings) > 1:
        names = " and ".join(f"{name}, indexed" if rest else name for name, rest in readings)
        raise TexError(f"ambiguous: the namespace has {names}", *node.at)
    name, rest = readings[0]
    return _take(scope.namespace[name], rest, name, scope)


_Spell = Callable[[Sequence[Node]], str | None]


def _spelling(node: Symbol | Derivative, scope: Scope) -> tuple[_Spell, tuple[Node, ...]]:
    if isinstance(node, Symbol):
        return (lambda items: spelled(node, items)), node.subscript
    shared = shared_subscript(node)
    if shared is not None:
        return (lambda items: spelled_derivative(node, items)), shared
    parts = [spelled(part, part.subscript) for part in (node.top, node.bottom)]
    joined = None if None in parts or _runs((node,), scope) else "_".join(f"d{part}" for part in parts)
    return (lambda items: joined), ()


def _reading(
    spell: _Spell, items: Sequence[Node], kept: int, scope: Scope
) -> Iterator[tuple[str, Sequence[Node]]]:
    """Yield the name with the first `kept` items joined and the rest as indices, if it can be meant."""
    name, rest = spell(items[:kept]), items[kept:]
    if name is None or name not in scope.namespace or _runs(items[:kept], scope):
        return
    value = scope.namespace[name]
    indexes = isinstance(value, tuple | list) and rest and _may_index(rest[0], scope)
    selects = isinstance(value, np.ndarray) and _selects_rows(rest, scope)
    if not rest or indexes or selects:
        yield name, rest


def _runs(items: Sequence[Node], scope: Scope) -> bool:
    """Whether a bound index occurs: such a subscript is never a label."""
    return any(isinstance(node, Symbol) and base_name(node) in scope.bound for node in walk(tuple(items)))


def _may_index(item: Node, scope: Scope) -> bool:
    """Whether `item` is no mere label: a word, or a name that has a value which is no whole number."""
    if isinstance(item, Symbol) and not item.subscript:
        name = spelled(item, ()) or ""
        return name in scope.bound or name not in scope.namespace or is_whole(scope.namespace[name])
    return not isinstance(item, Label)


def _selects_rows(items: Sequence[Node], scope: Scope) -> bool:
    """Whether an index of an array runs: a bound letter, or a lower-case one that is a whole number."""
    names = [base_name(node) for node in walk(tuple(items)) if isinstance(node, Symbol)]
    whole = [n for n in names if n[0].islower() and is_whole(scope.namespace.get(n))]
    return _runs(items, scope) or bool(whole)


def is_whole(value: object) -> bool:
    """Whether `value` is one whole number (bools are not)."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _take(value: Any, items: Sequence[Node], name: str, scope: Scope, axis: int = 0) -> Any:
    """Index a sequence by one item after the other, an array by all that are left."""
    if not items:
        return value
    if isinstance(value, np.ndarray):
        if len(items) > value.ndim:
            raise TexError(f"{name} has {value.ndim} axes, not {len(items)}", *items[0].at)
        places = zip(items, value.shape, count(axis), strict=False)
        return value[tuple(_place(item, size, (name, number), scope) for item, size, number in places)]
    if isinstance(value, tuple | list):
        place = _place(items[0], len(value), (name, axis), scope)
        return _take(value[place], items[1:], name, scope, axis + 1)
    raise TexError(f"{name} has fewer indices", *items[0].at)


def _place(item: Node, size: int, axis: tuple[str, int], scope: Scope) -> int:
    place = whole(item, scope)
    if not 0 <= place < size:
        raise TexError(f"the index {place} of {axis[0]} is outside 0, ..., {size - 1}", *item.at)
    scope.reach.note(axis, place, size, item.at if _steps(item, scope) else None)
    return place


def _steps(item: Node, scope: Scope) -> bool:
    """Whether an index runs itself: `l + 1` does, `t_r` is a label that is read off."""
    if isinstance(item, Sum):
        return any(_steps(term, scope) for _, term in item.terms)
    if isinstance(item, Product):
        return any(_steps(factor, scope) for factor in item.factors)
    return isinstance(item, Symbol) and not item.subscript and base_name(item) in scope.bound


def whole(node: Node, scope: Scope) -> int:
    """Return the whole number that an index stands for."""
    if isinstance(node, Number) and isinstance(node.value, int):
        return node.value
    if isinstance(node, Sum):
        return sum(sign * whole(term, scope) for sign, term in node.terms)
    if isinstance(node, Product):
        return prod(whole(factor, scope) for factor in node.factors)
    value = lookup(node, scope) if isinstance(node, Symbol) else None
    if not is_whole(value):
        raise TexError("an index is a whole number", *node.at)
    return int(value)  # type: ignore[arg-type]


def span(node: Range, scope: Scope) -> Sequence[int]:
    """Return the values of a range, which is never empty; the listed form may run downwards."""
    if base_name(node.variable) in scope.bound:
        raise TexError(f"{base_name(node.variable)} already runs here", *node.at)
    first, last = whole(node.first, scope), whole(node.last, scope)
    step = -1 if node.listed and last < first else 1
    if node.second is not None and whole(node.second, scope) != first + step:
        raise TexError(f"the second value is not {first + step}", *node.second.at)
    found = range(first, last + step, step)
    if not found:
        raise TexError(f"an empty range: {first} up to {last}", *node.at)
    if len(found) > LONGEST_RANGE:
        raise TexError(f"a range of {len(found)} values, more than {LONGEST_RANGE}", *node.at)
    return found


def _tried(spell: _Spell, items: Sequence[Node], scope: Scope) -> str:
    names = [spell(items[:kept]) for kept in range(len(items) + 1)]
    wanted = [name for name in (names[:-1] if _runs(items, scope) else names) if name]
    hint = ""
    if items and isinstance(scope.namespace.get(names[0] or ""), np.ndarray):
        hint = f" ({names[0]} is an array: an index that runs takes its rows, a digit does not)"
    return f"no value here for {' or '.join(wanted[::-1]) or 'this derivative'}{hint}"
