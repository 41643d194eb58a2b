"""What every rule asks of what it is given: floating arrays of one dtype, gradients that fit their values.

The checks run on every call, so that the passing case is a comparison or two; what it takes to say which
argument is wrong is worked out only once something is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from resgrad.rules._types import Array

_ARRAY = (np.ndarray, np.generic)  # a union written out at the call would be built anew on each one
_REAL = frozenset(map(np.dtype, "efdg"))
_FLOATING = _REAL | frozenset(map(np.dtype, "FDG"))


def floating(**arrays: Any) -> None:
    """Refuse what is no real or complex floating array, or is of another dtype than the first.

    Parameters
    ----------
    **arrays : array
        The arguments by name.

    Raises
    ------
    TypeError
        Naming the first argument that does not fit.
    """
    _one_dtype(_FLOATING, "a floating", arrays)


def real(**arrays: Any) -> None:
    """Refuse what `floating` refuses, and complex arrays: for rules without a complex derivative.

    Parameters
    ----------
    **arrays : array
        The arguments by name.

    Raises
    ------
    TypeError
        Naming the first argument that does not fit.
    """
    _one_dtype(_REAL, "a real floating", arrays)


def _one_dtype(allowed: frozenset[np.dtype[Any]], kind: str, arrays: dict[str, Any]) -> None:
    values = iter(arrays.values())
    first = getattr(next(values), "dtype", None)
    fits = first in allowed
    for array in values:
        dtype = getattr(array, "dtype", None)
        # Identity is the usual case: numpy has one object for each of these dtypes.
        fits = fits and (dtype is first or (dtype is not None and dtype == first))
    if not fits:
        raise _dtype_error(allowed, kind, arrays)


def _dtype_error(allowed: frozenset[np.dtype[Any]], kind: str, arrays: dict[str, Any]) -> TypeError:
    first, *_ = arrays
    for name, array in arrays.items():
        dtype = getattr(array, "dtype", None)
        if dtype is None:
            return TypeError(f"{name}: expected a numpy array, got {type(array).__name__}")
        if dtype not in allowed:
            return TypeError(f"{name}: expected {kind} dtype, got {dtype} (shape {array.shape})")
        if dtype != arrays[first].dtype:
            return TypeError(f"{name}: expected the dtype of {first}, {arrays[first].dtype}, got {dtype}")
    return TypeError(f"{', '.join(arrays)}: expected {kind} dtype")


def like(name: str, array: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an array of another shape or dtype: a gradient has those of the value it belongs to.

    Parameters
    ----------
    name : str
        What the caller calls the array.
    array : array
        What was given.
    shape, dtype : tuple of int, dtype
        What it has to have.

    Raises
    ------
    ValueError
        For another shape.
    TypeError
        For another dtype, or no array.
    """
    if not isinstance(array, _ARRAY):
        raise TypeError(f"{name}: expected a numpy array of shape {shape}, got {type(array).__name__}")
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected dtype {dtype}, got {array.dtype}")


def misfit(expected: str, **arrays: Array) -> ValueError:
    """Return the error to raise for shapes that do not fit each other.

    Parameters
    ----------
    expected : str
        The shapes in letters, ``"x (N, n), W (n, m), b (m,)"``.
    **arrays : array
        The arguments by name.

    Returns
    -------
    ValueError
        Names each argument with its shape, beside what was expected.
    """
    found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    return ValueError(f"expected {expected}; got {found}")


def tuple_of(name: str, values: Any, length: int) -> None:
    """Refuse what is no tuple of that length: the gradients of several outputs come as one tuple.

    Parameters
    ----------
    name : str
        What the caller calls it.
    values : tuple
        What was given.
    length : int
        The number of entries that it has to have.

    Raises
    ------
    TypeError
        If it is no tuple.
    ValueError
        If its length is another.
    """
    if not isinstance(values, tuple):
        raise TypeError(f"{name}: expected a tuple of {length}, got {type(values).__name__}")
    if len(values) != length:
        raise ValueError(f"{name}: expected a tuple of {length}, got {len(values)} entries")


def scalar(name: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """Cast a Python number to the dtype of a loss; a number that has a dtype must have that one.

    Parameters
    ----------
    name : str
        What the caller calls it.
    value : int, float, complex or 0-d array
        What was given.
    dtype : dtype
        That of the loss.

    Returns
    -------
    numpy scalar
        The value, of that dtype.

    Raises
    ------
    TypeError
        For no number, a bool, a complex number where the loss is real, or another dtype.
    ValueError
        For an array that is not 0-d.
    """
    number = int | float if dtype in _REAL else int | float | complex
    if isinstance(value, _ARRAY):
        like(name, value, (), dtype)
    elif isinstance(value, bool) or not isinstance(value, number):
        raise TypeError(f"{name}: expected a number that fits {dtype}, got {type(value).__name__}")
    return dtype.type(value)


def whole(name: str, values: Sequence[Any]) -> list[int]:
    """Refuse what is no sequence of whole numbers; a bool is none.

    Parameters
    ----------
    name : str
        What the caller calls it.
    values : sequence of int
        What was given.

    Returns
    -------
    list of int
        The same numbers.

    Raises
    ------
    TypeError
        If an entry is no whole number.
    """
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name}: expected whole numbers, got {value!r}")
    return [int(value) for value in values]
