"""The affine layer."""

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp


def linear(x: Array, W: Array, b: Array) -> tuple[Array, Vjp]:
    """Multiply each row by a matrix and add a bias: ``y = x W + b``.

    Parameters
    ----------
    x : (N, n) array
        One sample in each row; floating or complex, like all that follows.
    W : (n, m) array
        Weights, of x's dtype.
    b : (m,) array
        Bias, of x's dtype.

    Returns
    -------
    y : (N, m) array
        Of x's dtype.
    vjp : function
        Maps y_bar, (N, m), to ``(x_bar, W_bar, b_bar)``, see :eq:`eq-linear-vjp`.
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
    if x.ndim != 2 or W.ndim != 2 or W.shape != (x.shape[1], *b.shape):
        raise require.misfit("x (N, n), W (n, m), b (m,)", x=x, W=W, b=b)
    y = x @ W + b
    shape, dtype = y.shape, y.dtype

    def vjp(y_bar: Array) -> tuple[Array, Array, Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return y_bar @ W.T, x.T @ y_bar, y_bar.sum(axis=0)

    return y, vjp
