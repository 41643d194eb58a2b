"""Compute the parts of an equation: one rule for each kind of node.

Juxtaposition is the product of matrices, or an application where the name before the parentheses is a
function. Every value that arises is a finite number or an array of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce, singledispatch
from typing import Any

import numpy as np

from tex_functions import FUNCTIONS
from tex_lookup import Scope, lookup, span
from tex_names import base_name, spelled
from tex_tree import (
    Big,
    Derivative,
    Dot,
    Function,
    Group,
    Iverson,
    Matrix,
    Node,
    Number,
    Odot,
    Position,
    Product,
    Quotient,
    Raised,
    Sum,
    Symbol,
    TexError,
    TexShapeError,
    walk,
)
from tex_values import (
    Value,
    accepted,
    add,
    block,
    divide,
    element_power,
    hadamard,
    iverson,
    multiply,
    operand,
    power,
    scale,
    shape,
    transpose,
)


def value(node: Node, scope: Scope) -> Value:
    """Return the value of a part of an equation: a finite number or an array."""
    try:
        return accepted(_compute(node, scope), "this", node.at)
    except ArithmeticError as error:
        raise TexError(f"cannot be computed: {error}", *node.at) from error


def _operand(node: Node, scope: Scope) -> Value:
    return operand(value(node, scope), node.at)


@singledispatch
def _compute(node: Node, scope: Scope) -> Any:
    raise TypeError(f"no rule for {type(node).__name__}")


@_compute.register
def _(node: Number, scope: Scope) -> Any:
    return node.value


@_compute.register
def _(node: Symbol, scope: Scope) -> Any:
    return accepted(lookup(node, scope), _called(node), node.at)


@_compute.register
def _(node: Derivative, scope: Scope) -> Any:
    return lookup(node, scope)


@_compute.register
def _(node: Group, scope: Scope) -> Any:
    if len(node.items) > 1:
        raise TexError("a comma between values: only a function takes several", *node.items[1].at)
    return value(node.items[0], scope)


@_compute.register
def _(node: Sum, scope: Scope) -> Any:
    total = None
    for sign, term in node.terms:
        found = sign * _operand(term, scope)
        total = found if total is None else add(total, found, term.at)
    return total


@_compute.register
def _(node: Product, scope: Scope) -> Any:
    return _folded(multiply, list(_factors(node, scope)))


@_compute.register
def _(node: Dot, scope: Scope) -> Any:
    return _folded(scale, [(_operand(part, scope), part.at) for part in node.parts])


@_compute.register
def _(node: Odot, scope: Scope) -> Any:
    parts = [(*_counted(part, scope), part.at) for part in node.parts]
    for _, arrays, at in parts[1:]:
        if arrays > 1:
            raise TexError(r"ambiguous after \odot: put the product in parentheses", *at)
    return _folded(hadamard, [(found, at) for found, _, at in parts])


@_compute.register
def _(node: Quotient, scope: Scope) -> Any:
    return divide(_operand(node.top, scope), _operand(node.bottom, scope), node.bottom.at)


@_compute.register
def _(node: Raised, scope: Scope) -> Any:
    return _raised(node, _operand(node.base, scope), scope)


@_compute.register
def _(node: Function, scope: Scope) -> Any:
    arguments = [_operand(argument, scope) for argument in node.arguments]
    return FUNCTIONS[node.name](*arguments, at=node.at)


@_compute.register
def _(node: Iverson, scope: Scope) -> Any:
    return iverson(value(node.left, scope), node.relation, value(node.right, scope), node.at)


@_compute.register
def _(node: Matrix, scope: Scope) -> Any:
    return block([[_operand(cell, scope) for cell in row] for row in node.rows], node.at)


@_compute.register
def _(node: Big, scope: Scope) -> Any:
    name = base_name(node.range.variable)
    places = span(node.range, scope)
    if node.kind == "prod":
        _refuse_open_product(node, name, scope.bind(name, places[0]))
    found = ((_operand(node.body, scope.bind(name, place)), node.body.at) for place in places)
    return _folded(add if node.kind == "sum" else multiply, list(found))


def _folded(join: Callable[[Value, Value, Position], Value], parts: list[tuple[Value, Position]]) -> Value:
    """Join values from left to right; an error points to the one that does not fit."""
    return reduce(lambda left, right: (join(left[0], right[0], right[1]), left[1]), parts)[0]


def _factors(node: Product, scope: Scope) -> Iterator[tuple[Value, Position]]:
    """Yield the values of the factors, functions with their arguments as one."""
    rest = list(node.factors)
    while rest:
        head = rest.pop(0)
        found = _head(head, scope)
        while callable(found):
            if not (rest and isinstance(_innermost(rest[0]), Group)):
                raise TexError(f"{_called(head)} is a function: give it arguments in parentheses", *head.at)
            found = _applied(found, head, rest.pop(0), scope)
        yield operand(accepted(found, _called(head), head.at), head.at), head.at


def _head(node: Node, scope: Scope) -> Any:
    """Return the value of a factor that may turn out to be a function."""
    if isinstance(node, Symbol):
        found = lookup(node, scope)
        return found if callable(found) else accepted(found, _called(node), node.at)
    return value(node, scope)


def _innermost(node: Node) -> Node:
    return node.base if isinstance(node, Raised) else node


def _applied(function: Callable[..., Any], head: Node, after: Node, scope: Scope) -> Any:
    """Apply a function to the group after it; a superscript of the group is one of the result."""
    group = _innermost(after)
    arguments = [found for item in group.items for found in _argument(item, scope)]  # type: ignore[attr-defined]
    found = _result(function, arguments, head)
    if isinstance(after, Raised):
        return _raised(after, operand(accepted(found, _called(head), head.at), head.at), scope)
    return found


def _argument(node: Node, scope: Scope) -> Iterator[Any]:
    """Yield an argument; a sequence of parameters gives one argument for each."""
    found = lookup(node, scope) if isinstance(node, Symbol) else None
    if isinstance(found, tuple | list):
        yield from (_parameter(part, node) for part in found)
    else:
        yield value(node, scope)


def _parameter(found: Any, node: Node) -> Any:
    """Return a parameter, or the tuple of parameters that a block of a stack takes."""
    if isinstance(found, tuple | list):
        return tuple(_parameter(part, node) for part in found)
    return accepted(found, f"an entry of {_called(node)}", node.at)


def _result(function: Callable[..., Any], arguments: list[Any], head: Node) -> Any:
    try:
        found = function(*arguments)
    except np.linalg.LinAlgError as error:  # a ValueError, but not about shapes
        raise TexError(f"{_called(head)} fails: {error}", *head.at) from error
    except ValueError as error:
        raise TexShapeError(f"{_called(head)} refuses its arguments: {error}", *head.at) from error
    except Exception as error:
        raise TexError(f"{_called(head)} fails: {type(error).__name__}: {error}", *head.at) from error
    if isinstance(found, tuple) and len(found) == 2 and callable(found[1]):
        return found[0]  # a rule gives its value and its pull-back
    return found


def _raised(node: Raised, base: Value, scope: Scope) -> Value:
    if node.exponent is None:
        return transpose(base, node.at)
    exponent = _operand(node.exponent, scope)
    return (power if node.kind == "power" else element_power)(base, exponent, node.at)


def _counted(node: Node, scope: Scope) -> tuple[Value, int]:
    """Return the value of a part, and how many arrays stand side by side in it."""
    if isinstance(node, Dot):
        parts = [_counted(part, scope) for part in node.parts]
        joined = _folded(scale, [(found, node.at) for found, _ in parts])
        return joined, sum(arrays for _, arrays in parts)
    if isinstance(node, Product):
        factors = list(_factors(node, scope))
        return _folded(multiply, factors), sum(bool(shape(found)) for found, _ in factors)
    return _operand(node, scope), 1


def _refuse_open_product(node: Big, name: str, scope: Scope) -> None:
    r"""Refuse a `\prod` whose last factor lacks the index: it might stand behind the product."""
    last = _last(node.body, scope)
    if not any(isinstance(part, Symbol) and base_name(part) == name for part in walk(last)):
        raise TexError(rf"does this belong to the \prod? it has no {name}: write parentheses", *last[-1].at)


def _last(node: Node, scope: Scope) -> tuple[Node, ...]:
    """Return the last factor of a part, with the function before it if there is one."""
    if isinstance(node, Odot | Dot):
        return _last(node.parts[-1], scope)
    if isinstance(node, Quotient) and node.slash:
        return (node.bottom,)
    if not isinstance(node, Product):
        return (node,)
    head, after = node.factors[-2:]
    if isinstance(head, Symbol) and isinstance(_innermost(after), Group) and callable(lookup(head, scope)):
        return head, after
    return (after,)


def _called(node: Node) -> str:
    if isinstance(node, Symbol):
        return spelled(node, node.subscript) or spelled(node, ()) or ""
    return "this"
