"""Arithmetic in fewer bits: every number rounded to a short format and kept in single precision.

A sum or a product of two numbers of 16 bits, computed in single precision and rounded once, is what hardware gives
that computes in 16 bits with a wide accumulator.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from resgrad.rules import _require as require
from resgrad.rules._types import Rule, Vjp

Float: TypeAlias = NDArray[np.float32]
#: Takes an array in single precision, and returns one of numbers that the format has.
Rounding: TypeAlias = Callable[[Float], Float]

#: u, half the spacing of the numbers from 1 to 2: no rounding to nearest is off by more, relative to the number.
UNIT = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24}


def bfloat16(x: Float) -> Float:
    """Round to the nearest number with 8 significant bits, to the even one of two: bfloat16.

    Parameters
    ----------
    x : float32 array
        Finite; its upper 16 bits are a bfloat16.

    Returns
    -------
    float32 array
        The nearest bfloat16; infinite above the greatest of them, by the rules of IEEE 754.

    Raises
    ------
    TypeError
        If x is not in single precision.
    ValueError
        If an entry is not finite.

    Examples
    --------
    >>> bfloat16(np.array([1.0, 1.003, 257.0, 259.0], np.float32)).tolist()
    [1.0, 1.0, 256.0, 260.0]
    """
    bits = _bits(x)
    # Half of the spacing, less one where the last bit that stays is 0: a tie goes down to the even number.
    return _cut(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))


def float16(x: Float) -> Float:
    """Round to the nearest number with 11 significant bits, to the even one of two: IEEE 754's float16.

    Parameters
    ----------
    x : float32 array

    Returns
    -------
    float32 array
        The nearest float16.

    Raises
    ------
    TypeError
        If x is not in single precision.
    OverflowError
        If an entry rounds to more than 65504, the greatest float16.

    Examples
    --------
    >>> float16(np.array([1.0, 2049.0, 3e-8], np.float32)).tolist()
    [1.0, 2048.0, 5.960464477539063e-08]
    """
    require.like("x", x, np.shape(x), np.dtype(np.float32))
    with np.errstate(over="ignore"):  # said below, with what to do
        rounded = x.astype(np.float16).astype(np.float32)
    if not np.isfinite(rounded).all():
        largest = float(np.abs(x).max())
        raise OverflowError(f"float16: {largest:.3g} is above 65504: scale x down, or use bfloat16")
    return rounded


def float32(x: Float) -> Float:
    """Leave a number in single precision as it is.

    Parameters
    ----------
    x : float32 array

    Returns
    -------
    float32 array
        x itself.

    Raises
    ------
    TypeError
        If x is not in single precision.

    Examples
    --------
    >>> float32(np.array([1.003], np.float32)) == np.float32(1.003)
    array([ True])
    """
    require.like("x", x, np.shape(x), np.dtype(np.float32))
    return x


def stochastic(rng: np.random.Generator) -> Rounding:
    """Round to one of the two bfloat16 next to a number, to the nearer one more often: the mean is the number.

    Parameters
    ----------
    rng : numpy.random.Generator
        What decides; each call draws anew.

    Returns
    -------
    function
        From a float32 array to one of bfloat16; a number that is one is left as it is.

    Notes
    -----
    Gupta, Agrawal, Gopalakrishnan and Narayanan 2015 (arXiv 1502.02551), there for fixed-point numbers.

    Examples
    --------
    >>> rounding = stochastic(np.random.default_rng(0))
    >>> sorted(set(rounding(np.full(1000, 257.0, np.float32)).tolist()))
    [256.0, 258.0]
    """

    def rounding(x: Float) -> Float:
        bits = _bits(x)
        return _cut(bits + rng.integers(0, 2**16, x.shape, dtype=np.uint32))

    return rounding


def rounded(f: Rule, rounding: Rounding) -> Rule:
    """Round what a rule returns, and on the way back what its vjp returns.

    Parameters
    ----------
    f : rule
        ``y, vjp = f(x, *parameters, **settings)`` with one output, in single precision.
    rounding : function
        Such as `bfloat16`.

    Returns
    -------
    rule
        ``round(y), vjp``, whose vjp rounds every gradient: f as it is computed in the short format, with the sums
        inside it in single precision.

    Examples
    --------
    >>> x, W, b = np.float32([[1.0]]), np.float32([[1.003]]), np.zeros(1, np.float32)
    >>> y, vjp = rounded(linear, bfloat16)(x, W, b)
    >>> y.item(), vjp(y)[0].item()
    (1.0, 1.0)
    """

    def g(x: Any, *parameters: Any, **settings: Any) -> tuple[Any, Vjp]:
        y, vjp = f(x, *parameters, **settings)
        return rounding(y), lambda y_bar: tuple(_each(rounding, bar) for bar in vjp(y_bar))

    return g


def _each(rounding: Rounding, bar: Any) -> Any:
    return tuple(_each(rounding, part) for part in bar) if isinstance(bar, tuple) else rounding(bar)


def _bits(x: Float) -> NDArray[np.uint32]:
    require.like("x", x, np.shape(x), np.dtype(np.float32))
    if not np.isfinite(x).all():
        raise ValueError(f"x: expected finite numbers, got {x[~np.isfinite(x)].flat[0]} (shape {x.shape})")
    return np.asarray(x).view(np.uint32)


def _cut(bits: NDArray[np.uint32]) -> Float:
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)
