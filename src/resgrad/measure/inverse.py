"""The input of a residual block from its output: the fixed point of u = y - F(u)."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule

# The relative change that counts as none, by the precision of the dtype.
_RTOL = {"float32": 1e-6, "float64": 1e-13}


def iterates(F: Rule, y: Array, *theta: Any, steps: int, **settings: Any) -> tuple[Array, ...]:
    """Iterate ``u_{k+1} = y - F(u_k)`` from ``u_0 = y``, whatever comes of it.

    Parameters
    ----------
    F : rule
        ``Fx, vjp = F(x, *theta, **settings)`` with Fx of x's shape and dtype: the branch of a residual block.
    y : array
        The block's output.
    *theta, **settings
        Those of F.
    steps : int
        How many, at least 0.

    Returns
    -------
    u : tuple of arrays
        ``u_0, ..., u_steps``, see :eq:`eq-reversible-iteration`; where it diverges, entries may become infinite
        or nan.

    Raises
    ------
    TypeError
        If y's dtype is not floating, F(u) is of another, or steps is no whole number.
    ValueError
        If steps is negative, or F(u) is of another shape than y.

    Examples
    --------
    >>> u = iterates(linear, np.array([[3.0]]), np.array([[0.5]]), np.zeros(1), steps=3)
    >>> [v.item() for v in u]
    [3.0, 1.5, 2.25, 1.875]
    """
    (steps,) = require.whole("steps", [steps])
    if steps < 0:
        raise ValueError(f"steps: expected none or more for y {y.shape}, got {steps}")
    return tuple(islice(_iterate(F, y, theta, settings), steps + 1))


def invert(
    F: Rule, y: Array, *theta: Any, rtol: float | None = None, max_steps: int = 1000, **settings: Any
) -> tuple[Array, int]:
    """Solve ``F(x) + x = y`` for x by the fixed-point iteration ``u = y - F(u)``, from ``u = y``.

    Parameters
    ----------
    F : rule
        ``Fx, vjp = F(x, *theta, **settings)`` with Fx of x's shape and dtype: the branch of a residual block.
    y : array
        The block's output.
    *theta, **settings
        Those of F.
    rtol : float, optional
        The change in one step at which it stops, as a Euclidean norm over all entries, relative to that of u;
        between 0 and 1. If not given, 1e-13 in double precision and 1e-6 in single precision.
    max_steps : int
        After how many steps it gives up, at least 1.

    Returns
    -------
    x : array
        Of y's shape and dtype. Where F has a Lipschitz constant c below 1, the distance to the one solution is
        at most ``c / (1 - c)`` times the last change, besides rounding.
    steps : int
        How many evaluations of F it took.

    Raises
    ------
    ArithmeticError
        If it does not converge, with the last change, its ratio to the one before, and what to do. A Lipschitz
        constant below 1 is enough to converge, see :eq:`eq-reversible-bound`, and not necessary.
    TypeError
        If y's dtype is not floating, F(u) is of another, or max_steps is no whole number.
    ValueError
        If y has no entry or one that is not finite, F(u) is of another shape, or rtol or max_steps is out of
        bounds.

    Notes
    -----
    Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen 2019, Invertible Residual Networks (arXiv 1811.00995),
    algorithm 1, which takes a number of steps instead of a tolerance.

    Examples
    --------
    >>> x, W, b = np.array([[1.0, -2.0]]), np.array([[0.0, 0.5], [0.25, 0.0]]), np.zeros(2)
    >>> y, vjp = residual(linear)(x, W, b)
    >>> found, steps = invert(linear, y, W, b)
    >>> agree(found, x), steps < 50
    (True, True)
    """
    tolerance, max_steps = _require_arguments(y, rtol, max_steps)
    u, before, change = y, np.nan, np.nan
    for steps, after in enumerate(islice(_iterate(F, y, theta, settings), 1, max_steps + 1), start=1):
        before, change, u = change, _norm(after - u), after
        if not np.isfinite(change):
            break
        if change <= tolerance * _norm(u):
            return u, steps
    raise ArithmeticError(_advice(steps, change, before))


def _norm(u: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.linalg.norm(u))


def _iterate(F: Rule, y: Array, theta: tuple[Any, ...], settings: dict[str, Any]) -> Iterator[Array]:
    require.floating(y=y)
    u = y
    while True:
        yield u
        with np.errstate(
            over="ignore", divide="ignore", invalid="ignore"
        ):  # what diverges is reported as such
            Fu, _ = F(u, *theta, **settings)
            require.like("F(u)", Fu, y.shape, y.dtype)
            u = y - Fu


def _require_arguments(y: Array, rtol: float | None, max_steps: int) -> tuple[float, int]:
    require.floating(y=y)
    if y.size == 0 or not np.isfinite(y).all():
        raise ValueError(f"y: expected finite entries, one or more (shape {y.shape})")
    precision = str(np.finfo(y.dtype).dtype)
    rtol = _RTOL.get(precision, 1e-2) if rtol is None else rtol
    if not 0 < rtol < 1:
        raise ValueError(f"rtol: expected a number between 0 and 1, got {rtol}")
    (max_steps,) = require.whole("max_steps", [max_steps])
    if max_steps < 1:
        raise ValueError(f"max_steps: expected 1 or more for y {y.shape}, got {max_steps}")
    return float(rtol), max_steps


def _advice(steps: int, change: float, before: float) -> str:
    rate = change / before if before > 0 else np.nan
    last = f"the last change, {change:.2g}, is {rate:.3g} times the one before"
    found = f"invert: no convergence in {steps} steps: {last}"
    scale = "scale F so that its Lipschitz constant is below 1, or use a coupling, whose inverse needs no iteration"
    if rate < 1:
        return f"{found}: raise max_steps or rtol, or, for a faster rate, {scale}"
    return f"{found}: {scale}"
