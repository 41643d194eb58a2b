"""The singular values of a network's Jacobian: by how much it multiplies a gradient, direction by direction."""

from typing import Any

import numpy as np

from resgrad.measure.check import jacobian
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule


def singular_values(f: Rule, x: Array, *parameters: Any, **settings: Any) -> Array:
    """Singular values of the Jacobian of f, sample by sample.

    Parameters
    ----------
    f : rule
        ``y, vjp = f(x, *parameters, **settings)`` with one output, a row of it for each row of x: a block, a
        stack, a whole network, or a function of your own.
    x : (N, ...) array
        The samples. Each is put through f alone, so that a function which mixes samples, such as a batch
        normalisation with the statistics of the batch, is another one here.
    *parameters, **settings
        Those of f.

    Returns
    -------
    s : (N, k) array
        For each sample the k singular values, the largest first; k is the smaller one of the numbers of entries
        of a row of y and of x. A gradient at y of length 1, along the j-th direction, comes back with the
        length ``s[i, j]``, see :eq:`eq-bounds-block`. Which of them rounding leaves standing says `resolved`.

    Raises
    ------
    OverflowError
        If an entry of a Jacobian is not finite.
    TypeError
        If x's dtype is not floating, or f has several outputs.
    ValueError
        If x has no sample or no features, or f does not return one row.

    Notes
    -----
    The Jacobian is built by one vjp for each entry of a row of y.

    Examples
    --------
    >>> x, b = np.array([[1.0, 2.0]]), np.zeros(2)
    >>> W = np.array([[0.0, 2.0], [0.0, 0.0]])
    >>> s = singular_values(residual(linear), x, W, b)
    >>> agree(s, np.array([[1 + np.sqrt(2), np.sqrt(2) - 1]]))
    True
    """
    Js = _jacobians(f, x, parameters, settings)
    s: Array = np.linalg.svd(Js, compute_uv=False)
    return s


def branch_norm(block: Rule, x: Array, *parameters: Any, **settings: Any) -> Array:
    """Largest singular value of the branch of a residual block, sample by sample: c in the bounds.

    Parameters
    ----------
    block : rule
        ``y, vjp = block(x, *parameters, **settings)`` with y of x's shape: the block, not its branch.
    x : (N, ...) array
        The samples, where the forward pass has come by.
    *parameters, **settings
        Those of the block.

    Returns
    -------
    c : (N,) array
        The largest singular value of the block's Jacobian less the identity.

    Raises
    ------
    OverflowError
        If an entry of a Jacobian is not finite.
    TypeError
        If x's dtype is not floating, or the block has several outputs.
    ValueError
        If x has no sample or no features, or a row of y has another number of entries than one of x: there is no
        identity to take off a Jacobian that is not square.

    Examples
    --------
    >>> W, b = np.array([[0.0, 2.0], [0.0, 0.0]]), np.zeros(2)
    >>> branch_norm(residual(linear), np.ones((1, 2)), W, b).tolist()
    [2.0]
    """
    Js = _jacobians(block, x, parameters, settings)
    if Js.shape[1] != Js.shape[2]:
        raise ValueError(
            f"block: expected a square Jacobian, got {Js.shape[1:]} for a row of x {x.shape[1:]}: "
            "where the width changes the skip is not the identity, and this bound does not hold"
        )
    c: Array = np.linalg.norm(Js - np.eye(Js.shape[1], dtype=Js.dtype), 2, axis=(1, 2))
    return c


def bounds(c: Any) -> tuple[float, float]:
    """Between which two numbers all singular values of a stack of residual blocks lie.

    Parameters
    ----------
    c : sequence of L numbers
        For each block the largest singular value of its branch's Jacobian, such as from `branch_norm`.

    Returns
    -------
    low, high : float
        The products of ``1 - c_l`` and of ``1 + c_l``, see :eq:`eq-bounds-stack`; low is 0 if a c_l is 1 or more, for
        then there is no lower bound above 0.

    Raises
    ------
    OverflowError
        If the upper one is too large for a float.
    ValueError
        If there is no block, or a c_l is negative or not finite.

    Examples
    --------
    >>> bounds([0.5, 0.5]), bounds([0.5, 2.0])
    ((0.25, 2.25), (0.0, 4.5))
    """
    c = np.asarray(c, dtype=float)
    if c.ndim != 1 or c.size == 0 or not np.isfinite(c).all() or (c < 0).any():
        raise ValueError(f"c of shape {c.shape}: expected (L,), finite numbers of 0 or more, one a block")
    with np.errstate(over="ignore"):
        high = float(np.prod(1 + c))
    if not np.isfinite(high):
        raise OverflowError(
            f"bounds: the product over {c.size} blocks is too large: take fewer, or smaller c"
        )
    return float(np.prod(np.maximum(1 - c, 0))), high


def resolved(s: Array) -> Array:
    """Which singular values the arithmetic can tell from zero beside the largest.

    Parameters
    ----------
    s : (..., n) array
        Of n x n matrices, in the dtype that they were computed in.

    Returns
    -------
    told : (..., n) array of bool
        False where one is below n eps times the largest, the tolerance of `numpy.linalg.matrix_rank`. Such a value is
        rounding, however many digits it has.

    Raises
    ------
    ValueError
        If there is none, all of a matrix are zero, or one is negative or not finite.

    Examples
    --------
    >>> resolved(np.array([1.0, 1e-8, 1e-17])).tolist()
    [True, True, False]
    """
    s = _require_values(s)
    told: Array = s >= s.shape[-1] * np.finfo(s.dtype).eps * s.max(axis=-1, keepdims=True)
    return told


def unresolved(s: Array) -> Any:
    """Share of the singular values that the arithmetic cannot tell from zero: not `resolved`.

    Parameters
    ----------
    s : (..., n) array
        Of n x n matrices, in the dtype that they were computed in.

    Returns
    -------
    share : (...) array
        From 0 to 1.

    Raises
    ------
    ValueError
        If there is none, all of a matrix are zero, or one is negative or not finite.

    Examples
    --------
    >>> float(unresolved(np.array([1.0, 1e-17])))
    0.5
    """
    return (~resolved(s)).mean(axis=-1)


def effective_rank(s: Array) -> Any:
    r"""Effective rank: how many singular values there are in effect, from 1 to n.

    :math:`\exp(-\sum_k p_k \log p_k)` with :math:`p_k = s_k / \sum_j s_j`.

    Parameters
    ----------
    s : (..., n) array
        Not negative.

    Returns
    -------
    rank : (...) array
        n if all are equal, 1 if one alone is not zero.

    Raises
    ------
    ValueError
        If there is none, all of a matrix are zero, or one is negative or not finite.

    Notes
    -----
    Roy and Vetterli 2007, The effective rank: a measure of effective dimensionality.

    Examples
    --------
    >>> effective_rank(np.array([[2.0, 2.0], [3.0, 0.0]])).round(12).tolist()
    [2.0, 1.0]
    """
    s = _require_values(s)
    p = s / s.sum(axis=-1, keepdims=True)
    return np.exp(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1))


def _jacobians(f: Rule, x: Array, parameters: tuple[Any, ...], settings: dict[str, Any]) -> Array:
    require.floating(x=x)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"x: expected samples in rows, (N, ...), not empty, got {x.shape}")
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        Js = np.array([_jacobian(f, x[i : i + 1], parameters, settings) for i in range(len(x))])
    if not np.isfinite(Js).all():
        bad = int(np.argmin(np.isfinite(Js).all(axis=(1, 2))))
        raise OverflowError(
            f"the Jacobian of sample {bad}, {Js.shape[1:]}, has entries that are not finite in {Js.dtype}: "
            "take fewer blocks or smaller branches, such as divided by the root of the number of blocks"
        )
    return Js


def _jacobian(f: Rule, row: Array, parameters: tuple[Any, ...], settings: dict[str, Any]) -> Array:
    def of_one_row(x: Array, *parameters: Any, **settings: Any) -> tuple[Any, Any]:
        y, vjp = f(x, *parameters, **settings)
        if isinstance(y, np.ndarray) and (y.ndim < 1 or len(y) != 1 or y.size == 0):
            raise ValueError(f"f: expected one row of y for the one row of x {x.shape}, got {y.shape}")
        return y, vjp

    return jacobian(of_one_row, row, *parameters, **settings)


def _require_values(s: Array) -> Array:
    s = np.asarray(s)
    if s.size == 0 or not np.isfinite(s).all() or (s < 0).any() or not (s.max(axis=-1) > 0).all():
        raise ValueError(f"singular values of shape {s.shape}: expected finite ones >= 0, not all of them 0")
    return s
