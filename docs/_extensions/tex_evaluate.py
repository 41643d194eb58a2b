"""Evaluate a parsed equation in a namespace and say how far its sides agree.

Nothing is broadcast but a bias over rows, sides of different shape are an error, and an equation without
entries states nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tex_compute import value
from tex_lookup import Scope, span
from tex_names import base_name
from tex_tree import Chain, Node, Position, Range, Statement, TexError, TexShapeError
from tex_values import Value, shape


@dataclass(frozen=True)
class Result:
    """How far the sides of a statement agree.

    Attributes
    ----------
    error : float
        Largest deviation over all links, relative to the largest entry of the two sides; for an inequality,
        by how much it is violated.
    holds : bool
        Whether `error` is within the tolerance and every strict inequality is strict.
    slack : float or None
        Smallest relative distance of the two sides of an inequality; None if there is none.
    exact : bool
        Whether there is an equality and all of them hold without any rounding.
    """

    error: float
    holds: bool
    slack: float | None
    exact: bool


def evaluate(
    statement: Statement, namespace: Mapping[str, Any], *, rtol: float = 1e-12, whole: bool = True
) -> Result:
    """Compute all sides of a statement and compare them.

    Parameters
    ----------
    statement : Statement
        From `tex_grammar.parse`.
    namespace : mapping of str to object
        Arrays, numbers, tuples or lists of these (indexed), and functions, by name.
    rtol : float
        Largest relative deviation at which the statement holds.
    whole : bool
        Whether an index that runs must reach every entry of the axis that it indexes, over all uses of its
        symbol; a near miss may speak of some entries alone.

    Returns
    -------
    Result

    Raises
    ------
    TexShapeError
        If the shapes of operands or of two sides do not fit.
    TexNameError
        If a symbol has no value.
    TexError
        If anything else cannot be evaluated as written.
    """
    scope = Scope(namespace)
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused where it arises
            links = list(_links(statement, scope))
    except RecursionError:
        raise TexError("nested too deeply", *statement.at) from None
    if whole:
        scope.reach.refuse_partial()
    errors = [max(0.0, -distance) if relation else distance for relation, distance in links]
    slacks = [distance for relation, distance in links if relation]
    strict = all(distance > 0 for relation, distance in links if relation in ("<", ">"))
    equalities = [distance for relation, distance in links if not relation]
    return Result(
        error=max(errors),
        holds=max(errors) <= rtol and strict,
        slack=min(slacks, default=None),
        exact=bool(equalities) and not any(equalities),
    )


def _links(statement: Statement, scope: Scope) -> Iterator[tuple[str, float]]:
    """Yield for each link its relation, empty for an equality, and the distance of its sides."""
    for chain in statement.chains:
        for inner in _quantified(statement.quantifiers, scope):
            yield from _chain_links(chain, inner)


def _quantified(ranges: tuple[Range, ...], scope: Scope) -> Iterator[Scope]:
    if not ranges:
        yield scope
        return
    for index in span(ranges[0], scope):
        yield from _quantified(ranges[1:], scope.bind(base_name(ranges[0].variable), index))


def _chain_links(chain: Chain, scope: Scope) -> Iterator[tuple[str, float]]:
    sides = [(node, _side(value(node, scope), node.at)) for node in _sides(chain)]
    relations = [relation for relation, _ in chain.links]
    for relation, ((_, left), (node, right)) in zip(relations, pairwise(sides), strict=True):
        if relation == "=":
            _refuse_unlike(left, right, node.at)
            yield "", _deviation(left, right)
        else:
            ascending = (left, right) if relation in (r"\le", "<") else (right, left)
            yield relation, _slack(*ascending, node.at)


def _sides(chain: Chain) -> list[Node]:
    return [chain.first, *(node for _, node in chain.links)]


def _side(found: Value, at: Position) -> Value:
    if not np.size(found):
        raise TexError("a side without entries states nothing", *at)
    return float(found) if isinstance(found, int) else found


def _refuse_unlike(left: Value, right: Value, at: Position) -> None:
    if shape(left) != shape(right):
        raise TexShapeError(f"sides of shapes {shape(left)} and {shape(right)}", *at)
    dtypes = [np.asarray(side).dtype for side in (left, right) if type(side) is not float]
    if len({dtype.kind for dtype in dtypes}) > 1:
        raise TexError(f"sides of different kinds: {dtypes[0]} and {dtypes[1]}", *at)


def _largest(*sides: Value) -> float:
    return max(float(np.abs(side).max()) for side in sides)


def _deviation(left: Value, right: Value) -> float:
    """Return the largest difference of two sides, relative to their largest entry."""
    size = _largest(left, right)
    return _largest(np.subtract(_floating(left), _floating(right))) / size if size else 0.0


def _floating(side: Value) -> Value:
    """Return labels as floating numbers, whose differences cannot wrap around."""
    return side.astype(float) if np.asarray(side).dtype.kind in "iub" else side


def _slack(less: Value, greater: Value, at: Position) -> float:
    """Return the smallest distance of two sides, relative to their largest entry; below 0 if violated."""
    if shape(less) != shape(greater) and shape(less) and shape(greater):
        raise TexShapeError(f"sides of shapes {shape(less)} and {shape(greater)}", *at)
    if np.iscomplexobj(less) or np.iscomplexobj(greater):
        raise TexError("an inequality between complex numbers", *at)
    size = _largest(less, greater)
    return float(np.subtract(_floating(greater), _floating(less)).min()) / size if size else 0.0
