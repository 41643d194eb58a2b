"""Normalisation: each group of numbers less its mean, over the root of its mean square, then a gain and a shift.

The rules differ in what a group is and in whether the mean is taken off. The variance is the biased one, the mean
of the squares; it is computed from centred numbers, and these are centred twice: the first mean is rounded to the
precision of x, which for numbers far from 0 is coarse beside their spread.
"""

import math
from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp


def layer_norm(x: Array, gamma: Array, beta: Array, *, eps: float) -> tuple[Array, Vjp]:
    """Normalise each row by itself: mean and variance over the last axis.

    Parameters
    ----------
    x : (..., n) array
        At least two features; floating or complex (then the square is ``z²``, which is analytic, and not its
        modulus).
    gamma, beta : (n,) arrays
        Gain and shift, of x's dtype.
    eps : float
        Added to the variance, under the root; 0 or more.

    Returns
    -------
    y : (..., n) array
        ``(x - mean) / sqrt(var + eps) * gamma + beta``, of x's dtype. A row of equal numbers gives beta.
    vjp : function
        Maps y_bar to ``(x_bar, gamma_bar, beta_bar)``, see :eq:`eq-normalization-vjp`.
        It holds on to ``(x - mean) / sqrt(var + eps)``, the root for each row, and gamma itself.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's, or eps is no number.
    ValueError
        If the shapes do not fit, there are fewer than two features, eps is negative or not finite, or
        ``var + eps`` is 0 or not finite.

    Notes
    -----
    Ba, Kiros and Hinton 2016, Layer Normalization (arXiv 1607.06450).

    Examples
    --------
    >>> x, gamma, beta = np.array([[1.0, 3.0, 1.0, 3.0]]), np.ones(4), np.zeros(4)
    >>> y, vjp = layer_norm(x, gamma, beta, eps=0.0)
    >>> x_bar, gamma_bar, beta_bar = vjp(np.array([[4.0, 0.0, 0.0, 0.0]]))
    >>> y.tolist(), x_bar.tolist()
    ([[-1.0, 1.0, -1.0, 1.0]], [[2.0, 0.0, -2.0, 0.0]])
    """
    _require_arrays(x, "(..., n)", 1, gamma=gamma, beta=beta)
    x_hat, pull = _normalized(x, (-1,), eps)
    return _scaled(x_hat, pull, gamma, beta)


def rms_norm(x: Array, gamma: Array, *, eps: float) -> tuple[Array, Vjp]:
    """Divide each row by the root of its mean square; no mean is taken off and nothing is added.

    Parameters
    ----------
    x : (..., n) array
        Floating or complex (then the square is ``x²``, which is analytic, and not its modulus).
    gamma : (n,) array
        Gain, of x's dtype.
    eps : float
        Added to the mean square, under the root; 0 or more.

    Returns
    -------
    y : (..., n) array
        ``x / sqrt(mean(x²) + eps) * gamma``, of x's dtype. A row of zeros gives zeros.
    vjp : function
        Maps y_bar to ``(x_bar, gamma_bar)``, see :eq:`eq-normalization-rms`.
        It holds on to ``x / sqrt(mean(x²) + eps)``, the root for each row, and gamma itself.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's, or eps is no number.
    ValueError
        If the shapes do not fit, there is no feature, eps is negative or not finite, or ``mean(x²) + eps`` is 0 or
        not finite.

    Notes
    -----
    Zhang and Sennrich 2019, Root Mean Square Layer Normalization (arXiv 1910.07467).

    Examples
    --------
    >>> y, vjp = rms_norm(np.array([[3.0, -3.0]]), np.ones(2), eps=0.0)
    >>> x_bar, gamma_bar = vjp(np.array([[6.0, 0.0]]))
    >>> y.tolist(), x_bar.tolist()
    ([[1.0, -1.0]], [[1.0, 1.0]])
    """
    _require_arrays(x, "(..., n)", 1, gamma=gamma)
    x_hat, pull = _normalized(x, (-1,), eps, centre=False)
    return _scaled(x_hat, pull, gamma)


def batch_norm(x: Array, gamma: Array, beta: Array, *, eps: float) -> tuple[Array, Vjp]:
    """Normalise each channel over the batch, as in training: the gradient goes through the statistics too.

    Parameters
    ----------
    x : (N, ..., C) array
        Two values or more for each channel; floating or complex (then the square is ``z²``, which is analytic, and
        not its modulus).
    gamma, beta : (C,) arrays
        Gain and shift, of x's dtype.
    eps : float
        Added to the variance, under the root; 0 or more.

    Returns
    -------
    y : (N, ..., C) array
        ``(x - mean) / sqrt(var + eps) * gamma + beta``, of x's dtype, with mean and var over all axes but the last
        (`batch_statistics`). A channel of equal numbers gives beta.
    vjp : function
        Maps y_bar to ``(x_bar, gamma_bar, beta_bar)``, see :eq:`eq-normalization-batch`.
        It holds on to ``(x - mean) / sqrt(var + eps)``, the root for each channel, and gamma itself.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's, or eps is no number.
    ValueError
        If the shapes do not fit, a channel has fewer than two values, eps is negative or not finite, or
        ``var + eps`` is 0 or not finite.

    Notes
    -----
    Ioffe and Szegedy 2015, Batch Normalization (arXiv 1502.03167), algorithm 1.

    Examples
    --------
    >>> x, gamma, beta = np.array([[1.0], [3.0], [1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> y, vjp = batch_norm(x, gamma, beta, eps=0.0)
    >>> x_bar, gamma_bar, beta_bar = vjp(np.array([[4.0], [0.0], [0.0], [0.0]]))
    >>> x_bar.ravel().tolist()
    [2.0, 0.0, -2.0, 0.0]
    """
    _require_arrays(x, "(N, ..., C)", 2, gamma=gamma, beta=beta)
    x_hat, pull = _normalized(x, _all_but_last(x), eps)
    return _scaled(x_hat, pull, gamma, beta)


def batch_norm_inference(
    x: Array, gamma: Array, beta: Array, *, mean: Array, var: Array, eps: float
) -> tuple[Array, Vjp]:
    """Normalise each channel with statistics that are given: an affine map of each number by itself.

    Parameters
    ----------
    x : (N, ..., C) array
        Floating or complex.
    gamma, beta : (C,) arrays
        Gain and shift, of x's dtype.
    mean, var : (C,) arrays
        Of x's dtype, var not negative; settings, without a gradient.
    eps : float
        Added to var, under the root; 0 or more.

    Returns
    -------
    y : (N, ..., C) array
        ``(x - mean) / sqrt(var + eps) * gamma + beta``, of x's dtype.
    vjp : function
        Maps y_bar to ``(x_bar, gamma_bar, beta_bar)``, see :eq:`eq-normalization-inference`.
        It holds on to ``(x - mean) / sqrt(var + eps)``, the root for each channel, and gamma itself.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's, or eps is no number.
    ValueError
        If the shapes do not fit, mean or var is not finite, var is negative, eps is negative or not finite, or
        ``var + eps`` is 0 or not finite.

    Notes
    -----
    Ioffe and Szegedy 2015, Batch Normalization (arXiv 1502.03167), algorithm 2.

    Examples
    --------
    >>> x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> y, vjp = batch_norm_inference(x, one, zero, mean=one, var=4 * one, eps=0.0)
    >>> x_bar, gamma_bar, beta_bar = vjp(np.array([[4.0], [0.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([0.0, 1.0], [2.0, 0.0])
    """
    _require_arrays(x, "(N, ..., C)", 2, gamma=gamma, beta=beta, mean=mean, var=var)
    if not (np.isfinite(mean).all() and np.isfinite(var).all()) or (var.real < 0).any():
        raise ValueError(f"mean, var: expected finite numbers, var not negative; got mean {mean}, var {var}")
    root = _root(var, eps, "var")
    return _scaled((x - mean) / root, lambda g: g / root, gamma, beta)


def group_norm(x: Array, gamma: Array, beta: Array, *, groups: int, eps: float) -> tuple[Array, Vjp]:
    """Normalise groups of consecutive channels, each sample by itself.

    Parameters
    ----------
    x : (N, ..., C) array
        Two values or more in each group; floating or complex (then the square is ``z²``, which is analytic, and not
        its modulus).
    gamma, beta : (C,) arrays
        Gain and shift, of x's dtype.
    groups : int
        How many groups, a divisor of C; one channel in each is instance normalisation.
    eps : float
        Added to the variance, under the root; 0 or more.

    Returns
    -------
    y : (N, ..., C) array
        ``(x - mean) / sqrt(var + eps) * gamma + beta``, of x's dtype, with mean and var over all axes but the first,
        for each group of channels. A group of equal numbers gives beta.
    vjp : function
        Maps y_bar to ``(x_bar, gamma_bar, beta_bar)``, see :eq:`eq-normalization-group`.
        It holds on to ``(x - mean) / sqrt(var + eps)``, the root for each sample and group, and gamma itself.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's, eps is no number or groups no whole number.
    ValueError
        If the shapes do not fit, groups is no divisor of C, a group has fewer than two values, eps is negative or not
        finite, or ``var + eps`` is 0 or not finite.

    Notes
    -----
    Wu and He 2018, Group Normalization (arXiv 1803.08494), equation 7.

    Examples
    --------
    >>> x, gamma, beta = np.array([[1.0, 3.0, 10.0, 30.0]]), np.ones(4), np.zeros(4)
    >>> y, vjp = group_norm(x, gamma, beta, groups=2, eps=0.0)
    >>> y.tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    _require_arrays(x, "(N, ..., C)", 2, gamma=gamma, beta=beta)
    (groups,) = require.whole("groups", [groups])
    if groups < 1 or x.shape[-1] % groups:
        raise ValueError(f"groups: expected a divisor of the channels of x {x.shape}, got {groups}")
    shape, apart = x.shape, (*x.shape[:-1], groups, x.shape[-1] // groups)
    x_hat, pull = _normalized(x.reshape(apart), (*range(1, x.ndim - 1), -1), eps)
    return _scaled(x_hat.reshape(shape), lambda g: pull(g.reshape(apart)).reshape(shape), gamma, beta)


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel, as `batch_norm` uses them; not a rule: there is no vjp.

    Running statistics for `batch_norm_inference` are the caller's to update.

    Parameters
    ----------
    x : (N, ..., C) array
        Two values or more for each channel; floating or complex (then the square is ``z²``).

    Returns
    -------
    mean, var : (C,) arrays
        Over all axes but the last, of x's dtype; var is the mean of the squares: with m values for each channel,
        the unbiased estimate is ``m / (m - 1)`` times that.

    Raises
    ------
    TypeError
        If x's dtype is not floating.
    ValueError
        If x has fewer than two axes or a channel fewer than two values, or the variance is not finite.

    Examples
    --------
    >>> mean, var = batch_statistics(np.array([[1.0], [3.0], [1.0], [3.0]]))
    >>> mean.tolist(), var.tolist()
    ([2.0], [1.0])
    """
    _require_arrays(x, "(N, ..., C)", 2)
    axes = _all_but_last(x)
    _require_several(x, axes)
    centred, mean = _centred(x, axes)
    var = _mean(centred * centred, axes)
    if not np.isfinite(var).all():
        raise ValueError(f"x: the variance is not finite in {x.dtype} (shape {x.shape})")
    return mean.reshape(-1), var.reshape(-1)


def _normalized(x: Array, axes: tuple[int, ...], eps: float, centre: bool = True) -> tuple[Array, Any]:
    """Return x_hat, and the function that pulls its gradient back to x in three terms, without a mean in two."""
    if centre:
        _require_several(x, axes)
    centred = _centred(x, axes)[0] if centre else x
    root = _root(_mean(centred * centred, axes), eps, "x")
    x_hat = centred / root

    def pull(g: Array) -> Array:
        through_mean = _mean(g, axes) if centre else 0
        through_root = x_hat * _mean(g * x_hat, axes)
        x_bar: Array = (g - through_mean - through_root) / root
        return x_bar

    return x_hat, pull


def _scaled(x_hat: Array, pull: Any, gamma: Array, *beta: Array) -> tuple[Array, Vjp]:
    """Return x_hat times the gain plus the shift, if there is one, and the vjp of the whole rule."""
    rows, shape, dtype = _all_but_last(x_hat), x_hat.shape, x_hat.dtype

    def vjp(y_bar: Array) -> tuple[Array, ...]:
        require.like("y_bar", y_bar, shape, dtype)
        shifts = [y_bar.sum(axis=rows) for _ in beta]
        return pull(y_bar * gamma), (y_bar * x_hat).sum(axis=rows), *shifts

    return sum(beta, x_hat * gamma), vjp


def _centred(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return x less its mean, and the mean: twice, for what the rounding of the first one left."""
    first = _mean(x, axes)
    centred = x - first
    second = _mean(centred, axes)
    return centred - second, first + second


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    mean: Array = x.mean(axis=axes, keepdims=True)
    return mean


def _all_but_last(x: Array) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def _root(var: Array, eps: float, name: str) -> Array:
    """Return ``sqrt(var + eps)``, which must be something to divide by."""
    if isinstance(eps, bool) or not isinstance(eps, int | float):
        raise TypeError(f"eps: expected a number, got {type(eps).__name__}")
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps: expected a finite number, 0 or more, got {eps}")
    root: Array = np.sqrt(var + float(eps))  # a numpy float64 would promote float32
    if not np.isfinite(root).all():
        raise ValueError(f"{name}: the variance, or mean square, plus eps is not finite in {var.dtype}")
    if not root.all():
        raise ValueError(
            f"{name}: the variance, or mean square, plus eps = {eps} is 0 in {var.dtype}: no root"
        )
    return root


def _require_arrays(x: Array, expected: str, axes: int, **parameters: Array) -> None:
    require.floating(x=x, **parameters)
    if x.ndim < axes or x.shape[-1] == 0 or any(p.shape != x.shape[-1:] for p in parameters.values()):
        last = expected[-2]
        shapes = "".join(f", {name} ({last},)" for name in parameters)
        raise require.misfit(f"x {expected}{shapes}, {last} >= 1", x=x, **parameters)


def _require_several(x: Array, axes: tuple[int, ...]) -> None:
    """Refuse a group of one value, which less its mean is 0 whatever it is, and one of none."""
    size = math.prod(x.shape[axis] for axis in axes)
    if size < 2:
        raise ValueError(
            f"x: expected two values or more to normalise together, got {size} (shape {x.shape})"
        )
