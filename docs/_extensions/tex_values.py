"""Arithmetic that never broadcasts in silence: shapes must fit, or there is an error with a place.

A value is a number (Python's or a 0-d array) or an array. Whole-number and boolean arrays are labels: they
index and compare, and no arithmetic takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Number as AnyNumber
from typing import Any

import numpy as np

from tex_tree import Position, TexError, TexShapeError

#: A number or an array; the functions below see to it that it is one of these.
Value = Any

GREATEST_POWER = 64
_COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "=": np.equal,
    "<": np.less,
    ">": np.greater,
    r"\le": np.less_equal,
    r"\ge": np.greater_equal,
}


def accepted(value: object, what: str, at: Position) -> Value:
    """Return `value` if it is a finite number or an array of them; 0-d arrays become numbers.

    Raises
    ------
    TexError
        For anything else; a bool is no number here.
    """
    if isinstance(value, np.ndarray | np.generic | AnyNumber):
        array = np.asarray(value)
        is_number = array.dtype.kind in "iufc" or (array.dtype.kind == "b" and array.ndim)
        if is_number:
            if not np.isfinite(array).all():
                raise TexError(f"{what} is not finite", *at)
            return array if array.ndim else _scalar(value)
    raise TexError(f"{what} is {_kind(value)}, not a number or an array", *at)


def _scalar(value: Any) -> Value:
    """Return a number; whole ones as Python's, which never overflow in silence."""
    found = value[()] if isinstance(value, np.ndarray) else value
    return int(found) if isinstance(found, np.integer) else found


def _kind(value: object) -> str:
    if isinstance(value, tuple | list):
        return "a sequence (give it an index)"
    return "a function (give it arguments)" if callable(value) else f"a {type(value).__name__}"


def operand(value: Value, at: Position) -> Value:
    """Return `value` unless it is an array of labels, with which nothing is computed."""
    if np.ndim(value) and np.asarray(value).dtype.kind in "iub":
        raise TexError("an array of whole numbers or bools is a label, not an operand: make it floating", *at)
    return value


def shape(value: Value) -> tuple[int, ...]:
    """Return the shape of a number or an array."""
    return np.shape(value)


def add(left: Value, right: Value, at: Position) -> Value:
    """Add equal shapes, or a vector `(m,)` to each row of a matrix `(N, m)`: the bias.

    Raises
    ------
    TexShapeError
        For any other pair of shapes.
    """
    one, other = sorted((shape(left), shape(right)), key=len)
    if one == other or (len(one) == 1 and len(other) == 2 and one[0] == other[1]):
        return left + right
    hint = r" (write a number times \mathbf 1)" if () in (one, other) else ""
    raise TexShapeError(f"a sum of shapes {shape(left)} and {shape(right)}{hint}", *at)


def multiply(left: Value, right: Value, at: Position) -> Value:
    """Multiply by a number, or two matrices.

    Raises
    ------
    TexShapeError
        For other arrays, or inner sizes that differ.
    """
    if not (shape(left) and shape(right)):
        return left * right
    if np.ndim(left) == np.ndim(right) == 2 and shape(left)[1] == shape(right)[0]:
        return left @ right
    hint = " (a vector in a product is a row (1, n))" if 1 in (np.ndim(left), np.ndim(right)) else ""
    raise TexShapeError(f"a product of shapes {shape(left)} and {shape(right)}{hint}", *at)


def scale(left: Value, right: Value, at: Position) -> Value:
    r"""Multiply where at least one is a number: what `\cdot` stands for."""
    if shape(left) and shape(right):
        raise TexError(r"\cdot between arrays: nothing for the product, \odot elementwise", *at)
    return left * right


def hadamard(left: Value, right: Value, at: Position) -> Value:
    """Multiply arrays of one shape, entry by entry."""
    if shape(left) != shape(right) or not shape(left):
        raise TexShapeError(rf"\odot of shapes {shape(left)} and {shape(right)}", *at)
    return left * right


def divide(top: Value, bottom: Value, at: Position) -> Value:
    """Divide by a number that is not zero."""
    if shape(bottom):
        raise TexShapeError(f"a denominator of shape {shape(bottom)}, not a number", *at)
    if bottom == 0:
        raise TexError("a division by zero", *at)
    return top / bottom


def transpose(value: Value, at: Position) -> Value:
    """Transpose a matrix; a vector has no transpose."""
    if np.ndim(value) != 2:
        raise TexShapeError(f"the transpose of shape {shape(value)}, not a matrix", *at)
    return value.T


def power(base: Value, exponent: Value, at: Position) -> Value:
    """Raise a number, or a square matrix to a whole power; -1 is the inverse."""
    _refuse_array_exponent(exponent, at)
    if not shape(base):
        return _element_power(base, exponent, at)
    if np.ndim(base) != 2 or shape(base)[0] != shape(base)[1]:
        raise TexShapeError(
            rf"a power of shape {shape(base)}, not a square matrix (^{{\odot 2}} is elementwise)", *at
        )
    if not isinstance(exponent, int) or abs(exponent) > GREATEST_POWER:
        raise TexError(f"a matrix has whole powers, up to {GREATEST_POWER}", *at)
    try:
        return np.linalg.matrix_power(base, exponent)
    except np.linalg.LinAlgError:
        raise TexError("the inverse of a singular matrix", *at) from None


def element_power(base: Value, exponent: Value, at: Position) -> Value:
    """Raise each entry of an array to a power."""
    _refuse_array_exponent(exponent, at)
    if not shape(base):
        raise TexShapeError(r"^{\odot ..} of a number: write a plain power", *at)
    return _element_power(base, exponent, at)


def _refuse_array_exponent(exponent: Value, at: Position) -> None:
    if shape(exponent):
        raise TexShapeError(f"an exponent of shape {shape(exponent)}, not a number", *at)


def _element_power(base: Value, exponent: Value, at: Position) -> Value:
    if np.iscomplexobj(exponent) or abs(exponent) > GREATEST_POWER:
        raise TexError(f"an exponent is a real number up to {GREATEST_POWER}", *at)
    is_broken = not float(exponent).is_integer()
    if is_broken and not np.iscomplexobj(base) and np.any(np.less(base, 0)):
        raise TexError("a broken power of a negative number", *at)
    if exponent < 0 and np.any(np.equal(base, 0)):
        raise TexError("a negative power of zero", *at)
    return (float(base) if isinstance(base, int) else base) ** exponent


def iverson(left: Value, relation: str, right: Value, at: Position) -> Value:
    """Return 1 where the relation holds and 0 elsewhere, in the dtype of the array."""
    _refuse_complex(left, right, relation, at)
    if shape(left) != shape(right) and shape(left) and shape(right):
        raise TexShapeError(f"a comparison of shapes {shape(left)} and {shape(right)}", *at)
    found = _COMPARE[relation](left, right)
    if not shape(found):
        return int(found)
    kinds = np.result_type(*(np.asarray(v).dtype for v in (left, right) if shape(v)))
    return found.astype(kinds if kinds.kind == "f" else float)


def _refuse_complex(left: Value, right: Value, relation: str, at: Position) -> None:
    if np.iscomplexobj(left) or np.iscomplexobj(right):
        raise TexError(f"{relation} between complex numbers", *at)


def block(rows: Sequence[Sequence[Value]], at: Position) -> Value:
    """Put a matrix together from numbers, or from matrices that fit."""
    cells = [cell for row in rows for cell in row]
    sizes = {np.ndim(cell) for cell in cells}
    if sizes not in ({0}, {2}):
        raise TexShapeError("the cells of a matrix are all numbers or all matrices", *at)
    try:
        found = np.block([list(row) for row in rows])
    except ValueError as error:
        raise TexShapeError(f"blocks that do not fit: {[shape(cell) for cell in cells]}", *at) from error
    return found if found.dtype.kind in "fc" else found.astype(float)
