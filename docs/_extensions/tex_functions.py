"""The functions that the grammar knows, each from values and a position to a value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from math import comb
from typing import Any

import numpy as np

from tex_tree import Position, TexError, TexShapeError
from tex_values import Value, shape

GREATEST_CHOICE = 2000


def _entrywise(function: Callable[[Any], Any], domain: str, value: Value, at: Position) -> Value:
    """Apply a numpy function to each entry; a Python number gives a Python number back."""
    outside = {"positive": np.less_equal, "zero or more": np.less}.get(domain)
    if outside and not np.iscomplexobj(value) and np.any(outside(value, 0)):
        raise TexError(f"{function.__name__} of a number that is not {domain}", *at)
    found = function(value)
    return found.item() if type(value) in (int, float, complex) else found


def _extremum(pick: Callable[[Any, Any], Any], *operands: Value, at: Position) -> Value:
    shapes = {shape(value) for value in operands} - {()}
    if len(shapes) > 1:
        raise TexShapeError(f"{pick.__name__} of shapes {sorted(shapes)}", *at)
    if any(np.iscomplexobj(value) for value in operands):
        raise TexError(f"{pick.__name__} of complex numbers", *at)
    found = reduce(pick, operands)
    return found.item() if all(type(value) in (int, float) for value in operands) else found


def _diag(value: Value, at: Position) -> Value:
    if np.ndim(value) == 1 or (np.ndim(value) == 2 and shape(value)[0] == 1):
        return np.diag(value.reshape(-1))
    raise TexShapeError(f"diag of shape {shape(value)}, not a vector or a matrix of one row", *at)


def _of_square(function: Callable[[Any], Any], value: Value, at: Position) -> Value:
    if np.ndim(value) != 2 or shape(value)[0] != shape(value)[1]:
        raise TexShapeError(f"{function.__name__} of shape {shape(value)}, not a square matrix", *at)
    return function(value)


def _norm(value: Value, at: Position) -> Value:
    if not shape(value):
        raise TexShapeError(r"the norm of a number: write \lvert a \rvert", *at)
    return np.linalg.norm(value.reshape(-1))


def _norm2(value: Value, at: Position) -> Value:
    if np.ndim(value) != 2 or not value.size:
        raise TexShapeError(f"the largest singular value of shape {shape(value)}, not a matrix", *at)
    return np.linalg.norm(value, 2)


def _inner(left: Value, right: Value, at: Position) -> Value:
    if shape(left) != shape(right):
        raise TexShapeError(f"an inner product of shapes {shape(left)} and {shape(right)}", *at)
    return np.sum(left * right)


def _binomial(of: Value, chosen: Value, at: Position) -> Value:
    if not all(isinstance(value, int) and 0 <= value <= GREATEST_CHOICE for value in (of, chosen)):
        raise TexError(f"a binomial coefficient takes whole numbers from 0 to {GREATEST_CHOICE}", *at)
    return comb(of, chosen)


def _absolute(value: Value, at: Position) -> Value:
    return abs(value)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "exp": partial(_entrywise, np.exp, ""),
    "log": partial(_entrywise, np.log, "positive"),
    "tanh": partial(_entrywise, np.tanh, ""),
    "sin": partial(_entrywise, np.sin, ""),
    "cos": partial(_entrywise, np.cos, ""),
    "sqrt": partial(_entrywise, np.sqrt, "zero or more"),
    "max": partial(_extremum, np.maximum),
    "min": partial(_extremum, np.minimum),
    "diag": _diag,
    "tr": partial(_of_square, np.trace),
    "det": partial(_of_square, np.linalg.det),
    "norm": _norm,
    "norm2": _norm2,
    "binom": _binomial,
    "abs": _absolute,
    "inner": _inner,
}
