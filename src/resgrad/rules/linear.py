"""The affine layer."""

import math

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp


def linear(x: Array, W: Array, b: Array) -> tuple[Array, Vjp]:
    """Multiply each row by a matrix and add a bias: ``y = x W + b``.

    Parameters
    ----------
    x : (N, n) or (N, ..., n) array
        One sample, token or position in each row, the last axis; floating or complex, like all that follows.
    W : (n, m) array
        Weights, of x's dtype.
    b : (m,) array
        Bias, of x's dtype.

    Returns
    -------
    y : (N, m) or (N, ..., m) array
        Of x's dtype.
    vjp : function
        Maps y_bar, of y's shape, to ``(x_bar, W_bar, b_bar)``, see :eq:`eq-linear-vjp`; W_bar and b_bar are sums over
        all rows, whatever axes they lie along.
        It holds on to x and W themselves: change neither in place before the last call.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> x, b = np.array([[1.0, 2.0]]), np.zeros(2)
    >>> W = np.array([[1.0, 0.0], [3.0, 1.0]])
    >>> y, vjp = linear(x, W, b)
    >>> x_bar, W_bar, b_bar = vjp(np.array([[1.0, 2.0]]))
    >>> y.tolist(), x_bar.tolist()
    ([[7.0, 2.0]], [[1.0, 5.0]])
    """
    require.floating(x=x, W=W, b=b)
    if x.ndim < 2 or W.ndim != 2 or W.shape != (x.shape[-1], *b.shape):
        raise require.misfit("x (N, n) or (N, ..., n), W (n, m), b (m,)", x=x, W=W, b=b)
    y = x @ W + b
    shape, dtype = y.shape, y.dtype

    def vjp(y_bar: Array) -> tuple[Array, Array, Array]:
        require.like("y_bar", y_bar, shape, dtype)
        rows, row_bars = _rows(x), _rows(y_bar)
        return y_bar @ W.T, rows.T @ row_bars, row_bars.sum(axis=0)

    return y, vjp


def _rows(x: Array) -> Array:
    """Return x as a matrix of its rows: for a product, axes before the last are more rows."""
    # Not -1: numpy cannot tell how many rows there are of an array without entries.
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
