"""How alike the gradients at different inputs are: between samples, and along a line of inputs."""

import math
from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule


def input_gradients(
    f: Rule, x: Array, *parameters: Any, y_bar: Array | None = None, **settings: Any
) -> Array:
    """Gradient at every input, from one pull-back of the same gradient at every output.

    Parameters
    ----------
    f : rule
        ``y, vjp = f(x, *parameters, **settings)`` with one output, y (N, ...). It treats each sample by itself;
        where it does not, as in batch normalisation, a row of the result is the gradient of the sum over all samples.
    x : (N, ...) array
        The inputs, one or more.
    *parameters, **settings
        Those of f. A setting that is itself called y_bar cannot be passed.
    y_bar : array of the shape of one output, optional
        The gradient at the output, the same for each sample, of y's dtype; may be left out if an output is one
        number, and is 1 then.

    Returns
    -------
    x_bar : (N, ...) array
        Of x's shape and dtype: row r is the gradient of the inner product of y_bar and output r by x[r].

    Raises
    ------
    TypeError
        If x's dtype is not floating, f has several outputs, or y_bar's dtype is not that of y.
    ValueError
        If there is no sample, y has not one row for each, y_bar is missing or of another shape, or a gradient is
        not finite.

    Examples
    --------
    >>> x, W, b = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[2.0], [5.0]]), np.zeros(1)
    >>> input_gradients(linear, x, W, b).tolist()
    [[2.0, 5.0], [2.0, 5.0]]
    """
    require.floating(x=x)
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x: expected one sample or more in rows, got shape {x.shape}")
    y, vjp = f(x, *parameters, **settings)
    x_bar, *_ = vjp(_repeated(y, y_bar, len(x)))
    require.like("x_bar", x_bar, x.shape, x.dtype)
    if not np.isfinite(x_bar).all():
        raise ValueError(f"x_bar: the gradient is not finite in {x.dtype}: fewer blocks, or smaller branches")
    gradients: Array = x_bar
    return gradients


def cosines(rows: Array) -> Array:
    """Inner products of all pairs of rows, over their lengths; no mean is taken off.

    Parameters
    ----------
    rows : (N, ...) array
        Real, finite; what stands behind the first axis is one vector.

    Returns
    -------
    C : (N, N) array
        Symmetric, of the rows' dtype, 1 on the diagonal: see :eq:`eq-shattered-cosine`.

    Raises
    ------
    TypeError
        If the dtype is not real and floating.
    ValueError
        If there is no row, or one is zero or not finite.

    Examples
    --------
    >>> cosines(np.array([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])).tolist()
    [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]
    """
    require.real(rows=rows)
    if rows.ndim < 2 or rows.size == 0:
        raise ValueError(f"rows: expected shape (N, ...), not empty, got {rows.shape}")
    # Each row over its largest entry first, so that no square leaves the range of the dtype.
    flat = rows.reshape(len(rows), -1)
    largest = np.abs(flat).max(axis=1, keepdims=True)
    bad = ~np.isfinite(largest[:, 0]) | (largest[:, 0] == 0)
    if bad.any():
        raise ValueError(f"rows[{int(np.argmax(bad))}]: expected a finite vector other than 0 {rows.shape}")
    flat = flat / largest
    units = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    C: Array = np.clip(units @ units.T, -1, 1)
    np.fill_diagonal(C, 1)
    return C


def gradient_correlation(
    f: Rule, x: Array, *parameters: Any, y_bar: Array | None = None, **settings: Any
) -> Array:
    """Correlation of the gradients at every pair of inputs.

    Parameters
    ----------
    f, x, *parameters, y_bar, **settings
        As for `input_gradients`; x real.

    Returns
    -------
    C : (N, N) array
        The cosine of the gradients at x[r] and x[s], see :eq:`eq-shattered-cosine`. No mean is taken off: over the
        draws of a last layer that is symmetric about 0 each gradient has mean 0, and the mean over the inputs is the
        very part that they share.

    Raises
    ------
    TypeError, ValueError
        As `input_gradients`, and if x is complex or a gradient is zero.

    Notes
    -----
    Balduzzi et al. 2017 (arXiv 1702.08591).

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [3.0, -4.0]])
    >>> gradient_correlation(relu, x, y_bar=np.array([1.0, 1.0])).round(4).tolist()
    [[1.0, 0.7071], [0.7071, 1.0]]
    """
    require.real(x=x)
    return cosines(input_gradients(f, x, *parameters, y_bar=y_bar, **settings))


def pair_mean(C: Array) -> float:
    """Mean over all pairs of different samples: of the entries off the diagonal.

    Parameters
    ----------
    C : (N, N) array
        N two or more; such as that of `gradient_correlation`.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the dtype is not real and floating.
    ValueError
        If C is not square, or smaller.

    Examples
    --------
    >>> pair_mean(np.array([[1.0, 0.25], [0.75, 1.0]]))
    0.5
    """
    require.real(C=C)
    if C.ndim != 2 or C.shape[0] != C.shape[1] or len(C) < 2:
        raise ValueError(f"C: expected shape (N, N) with N two or more, got {C.shape}")
    off = ~np.eye(len(C), dtype=bool)
    return float(C[off].mean())


def autocorrelation(values: Array, *, lags: int) -> Array:
    """Autocorrelation of a sequence, such as the gradients along a line of inputs at equal distances.

    Parameters
    ----------
    values : (N,) array
        Real and finite; not all equal.
    lags : int
        The largest lag, from 0 to N - 1.

    Returns
    -------
    r : (lags + 1,) array
        Of the values' dtype, from lag 0, where it is 1: the sum of the products of values that far apart, less their
        mean, over the sum of squares, see :eq:`eq-shattered-lag`.

    Raises
    ------
    TypeError
        If the dtype is not real and floating, or lags no whole number.
    ValueError
        If values is no sequence of two numbers or more, one is not finite, all are equal, or lags does not fit.

    Notes
    -----
    With the sum over all N in the denominator at every lag, no lag exceeds 1, and N independent numbers have
    about ``1/sqrt(N)`` at each lag.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), lags=2).tolist()
    [1.0, -0.75, 0.5]
    """
    require.real(values=values)
    (last,) = require.whole("lags", [lags])
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"values: expected two finite numbers or more in a row, got shape {values.shape}")
    if not 0 <= last < len(values):
        raise ValueError(f"lags: expected 0 to {len(values) - 1} for {len(values)} values, got {lags}")
    scaled = values / max(np.abs(values).max(), np.finfo(values.dtype).tiny)
    centred = scaled - scaled.mean()
    # What rounding leaves of equal values is no spread.
    if np.abs(centred).max() <= 4 * np.finfo(values.dtype).eps:
        raise ValueError(f"values: all {len(values)} are equal: no correlation")
    sums = [centred[: len(values) - lag] @ centred[lag:] for lag in range(last + 1)]
    r: Array = np.array(sums, dtype=values.dtype) / sums[0]
    return r


def _repeated(y: Any, y_bar: Array | None, samples: int) -> Array:
    """Return the gradient for one output, once for each sample."""
    if not isinstance(y, np.ndarray):
        raise TypeError(f"f: expected one output, an array, got {type(y).__name__}")
    if y.ndim == 0 or len(y) != samples:
        raise ValueError(f"f: expected one output for each of {samples} samples, got y of shape {y.shape}")
    if y_bar is None:
        if math.prod(y.shape[1:]) != 1:
            raise ValueError(f"y_bar: expected one of shape {y.shape[1:]}, for an output is no single number")
        return np.ones_like(y)
    require.like("y_bar", y_bar, y.shape[1:], y.dtype)
    return np.tile(y_bar, (samples, *(1,) * y_bar.ndim))
