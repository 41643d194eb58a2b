"""How a gradient flows down a stack: its length at every block, and what skip and branch carry of it.

The gradient that leaves a residual block is the one that arrives, over the skip, plus what the branch pulls
back; nothing but the two gradients is needed to tell the parts apart.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from resgrad.blocks.stack import trace
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule


class Flow(NamedTuple):
    """What `gradient_flow` measures at L blocks, in double precision.

    Attributes
    ----------
    lengths : ndarray, shape (L + 1,)
        ``|x_bar_l|`` for l = 0, ..., L; the skip part of block l has the length ``lengths[l + 1]``.
    branch : ndarray, shape (L,)
        ``|x_bar_l - x_bar_{l+1}|``, the length of the branch part of block l.
    share : ndarray, shape (L,)
        The branch part's length over the sum of both lengths: 0 for a branch that adds nothing, 1/2 for one
        that adds as much as the skip; 0 too where no gradient arrives and none is added.
    cosine : ndarray, shape (L,)
        Of the angle between the two parts, from -1, they cancel, to 1, they pull the same way; 0 where one of
        them is zero.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> gradient_flow([residual(linear)], one, [(3 * one, one[0])], one).share.tolist()
    [0.75]
    """

    lengths: Array
    branch: Array
    share: Array
    cosine: Array


def gradient_lengths(
    blocks: Sequence[Rule], x: Array, thetas: Sequence[tuple[Any, ...]], y_bar: Array
) -> Array:
    """Length of the gradient at every activation of a stack.

    Parameters
    ----------
    blocks : sequence of rules
        ``y, vjp = block(x, *theta)``, the first one first, with or without a skip, of any shapes that fit.
    x : array of any shape, such as (N, n)
        The input x_0, floating or complex.
    thetas : sequence of tuples
        The parameters, one tuple for each of the L blocks, ``()`` for a block without any.
    y_bar : array of the output's shape and dtype
        The gradient at x_L.

    Returns
    -------
    ndarray, shape (L + 1,)
        ``|x_bar_l|`` for l = 0, ..., L, the root of the sum of squares over all rows, in double precision. What is
        too small for the dtype of x counts as 0.

    Raises
    ------
    TypeError
        If a dtype is not floating or another than x's, a block is no function, or its parameters are no
        tuple.
    ValueError
        If there are more or fewer tuples than blocks, a shape does not fit, or x or y_bar is not finite.
    OverflowError
        If an activation, a gradient or its length is not finite, being too large for its dtype. The message
        names the block.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> gradient_lengths([residual(linear)] * 2, one, [(2 * one, one[0]), (-one, one[0])], one).tolist()
    [0.0, 0.0, 1.0]
    """
    return _lengths(_gradients(blocks, x, thetas, y_bar), "the length of the gradient at x_{}")


def gradient_flow(blocks: Sequence[Rule], x: Array, thetas: Sequence[tuple[Any, ...]], y_bar: Array) -> Flow:
    """Length of the gradient at every block of a residual network, and of the skip's and the branch's part of it.

    Parameters
    ----------
    blocks : sequence of rules
        ``y, vjp = block(x, *theta)``, residual blocks, the first one first.
    x : array of any shape, such as (N, n)
        The input x_0, floating or complex.
    thetas : sequence of tuples
        The parameters, one tuple for each of the L blocks, ``()`` for a block without any.
    y_bar : array of x's shape and dtype
        The gradient at x_L.

    Returns
    -------
    Flow
        Of all rows together; give one row to measure one.

    Raises
    ------
    TypeError, OverflowError
        As `gradient_lengths`.
    ValueError
        As `gradient_lengths`, and if a block changes the shape, so that it has no identity for a skip.

    Notes
    -----
    The parts are ``x_bar_{l+1}`` and ``x_bar_l - x_bar_{l+1}``, see :eq:`eq-bus-share`; the four numbers of a block
    are tied by :eq:`eq-failure-parts`. The difference has the rounding error of the gradient: a branch part that is
    smaller than that cannot be seen. A block without a skip cannot be told from one that has it; its
    parts then mean nothing. The network is run once, forwards and backwards, and all activations and all
    gradients are held.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> flow = gradient_flow([residual(linear)] * 2, one, [(2 * one, one[0]), (-one / 2, one[0])], one)
    >>> flow.lengths.tolist(), flow.branch.tolist(), flow.cosine.tolist()
    ([1.5, 0.5, 1.0], [1.0, 0.5], [1.0, -1.0])
    """
    x_bars = _gradients(blocks, x, thetas, y_bar)
    for i, x_bar in enumerate(x_bars[:-1]):
        require.like(f"the gradient behind blocks[{i}], a residual block", x_bar, y_bar.shape, y_bar.dtype)
    with np.errstate(over="ignore"):  # looked for in its length
        parts = [lower - upper for lower, upper in pairwise(x_bars)]
    lengths = _lengths(x_bars, "the length of the gradient at x_{}")
    branch = _lengths(parts, "the branch part of the gradient of blocks[{}]")
    whole = branch / 2 + lengths[1:] / 2  # halves, so that the sum of two large lengths is not too large
    share = np.divide(branch / 2, whole, out=np.zeros_like(branch), where=whole > 0)
    cosine = np.array([_cosine(upper, part) for upper, part in zip(x_bars[1:], parts, strict=True)])
    return Flow(lengths, branch, share, cosine)


def _gradients(
    blocks: Sequence[Rule], x: Array, thetas: Sequence[tuple[Any, ...]], y_bar: Array
) -> tuple[Array, ...]:
    """Run the network both ways and return x_bar_0, ..., x_bar_L, or say where it overflows."""
    for name, values in (("blocks", blocks), ("thetas", thetas)):
        if not isinstance(values, Sequence):
            kind = type(values).__name__
            raise TypeError(f"{name}: expected a sequence, one entry for each block, got {kind}")
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        xs, pull = trace(*blocks)(x, *thetas)
        _require_finite("x", "the stream behind", xs, range(1, len(xs)))
        x_bars, _ = pull(y_bar)
    for i, (x_l, x_bar) in enumerate(zip(xs, x_bars, strict=True)):
        require.like(f"the gradient at x_{i}", x_bar, x_l.shape, x_l.dtype)
    _require_finite("y_bar", "the gradient at the input of", x_bars[::-1], range(len(xs) - 1, 0, -1))
    return tuple(x_bars)


def _require_finite(name: str, what: str, values: Sequence[Array], places: range) -> None:
    """Look along the way for the first array that is not finite; places are the numbers of the blocks, from 1."""
    if not np.isfinite(values[0]).all():
        raise ValueError(f"{name}: expected finite entries (shape {values[0].shape})")
    for value, place in zip(values[1:], places, strict=True):
        if not np.isfinite(value).all():
            raise _overflow(f"{what} blocks[{place - 1}]", value.dtype)


def _overflow(what: str, dtype: Any) -> OverflowError:
    return OverflowError(
        f"{what} is not finite in {dtype}: multiply the L branches by 1/sqrt(L), normalise what they read, "
        "take fewer blocks, or use a wider dtype"
    )


def _lengths(vectors: Sequence[Array], what: str) -> Array:
    """Root of the sum of squares of each, of numbers whose squares may be too large or too small."""
    scaled = [_scaled(v) for v in vectors]
    lengths = np.array([size * float(np.linalg.norm(unit)) for unit, size in scaled])
    if not np.isfinite(lengths).all():
        place = int(np.flatnonzero(~np.isfinite(lengths))[-1])  # the first on the way back
        raise _overflow(what.format(place), vectors[place].dtype)
    return lengths


def _cosine(u: Array, v: Array) -> float:
    (u, size), (v, other) = _scaled(u), _scaled(v)
    if size == 0 or other == 0:
        return 0.0
    cosine = np.vdot(u, v).real / (np.linalg.norm(u) * np.linalg.norm(v))
    return float(np.clip(cosine, -1, 1))  # rounding may lead beyond


def _scaled(v: Array) -> tuple[Array, float]:
    """Return the numbers as one vector over the largest of them, in double precision, and that."""
    wide = np.ravel(v).astype(np.result_type(v.dtype, np.float64))
    size = float(np.abs(wide).max(initial=0.0))
    return (wide / size if 0 < size < np.inf else wide), size
