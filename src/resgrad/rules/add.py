"""Nodes of a graph that compute nothing but sums and copies: add, fork, broadcast, concat, split, stop.

Where a gradient passes through unchanged it is passed on as it came, not copied: read gradients, and
write into them only after ``.copy()``.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, pairwise
from operator import add as plus

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp


def add(a: Array, b: Array) -> tuple[Array, Vjp]:
    """Sum of two arrays of one shape: ``y = a + b``.

    Parameters
    ----------
    a, b : arrays of one shape
        Floating or complex, of one dtype.

    Returns
    -------
    y : array
        Of the same shape and dtype.
    vjp : function
        Maps y_bar to ``(y_bar, y_bar)``, the received array itself twice, no copy: see :eq:`eq-add-vjp`.
        It holds on to nothing but a shape and a dtype.

    Raises
    ------
    TypeError
        If a dtype is not floating, or the two differ.
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> y, vjp = add(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    >>> a_bar, b_bar = vjp(np.array([3.0, 4.0]))
    >>> y.tolist(), a_bar.tolist(), b_bar.tolist()
    ([11.0, 22.0], [3.0, 4.0], [3.0, 4.0])
    """
    require.floating(a=a, b=b)
    if a.shape != b.shape:
        raise require.misfit("a and b of one shape", a=a, b=b)
    shape, dtype = a.shape, a.dtype

    def vjp(y_bar: Array) -> tuple[Array, Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return y_bar, y_bar

    return a + b, vjp


def fork(x: Array, *, copies: int = 2) -> tuple[tuple[Array, ...], Vjp]:
    """Use one array in several places: ``y_i = x``.

    Parameters
    ----------
    x : array of any shape
        Floating or complex.
    copies : int
        The number of places, at least 1.

    Returns
    -------
    ys : tuple of arrays
        x itself in each place, no copy.
    vjp : function
        Maps the tuple of their gradients to ``(x_bar,)``, the sum: see :eq:`eq-add-fork`.
        One place alone gives the received array itself. It holds on to nothing but a shape and a dtype.

    Raises
    ------
    TypeError
        If x's dtype is not floating, or copies is no whole number.
    ValueError
        If there are fewer than 1 copies.

    Examples
    --------
    >>> (y1, y2), vjp = fork(np.array([1.0, 2.0]))
    >>> (x_bar,) = vjp((np.array([3.0, 4.0]), np.array([10.0, 20.0])))
    >>> x_bar.tolist()
    [13.0, 24.0]
    """
    require.floating(x=x)
    (copies,) = require.whole("copies", [copies])
    if copies < 1:
        raise ValueError(f"copies: expected at least 1 for x {x.shape}, got {copies}")
    shape, dtype = x.shape, x.dtype

    def vjp(y_bars: tuple[Array, ...]) -> tuple[Array]:
        require.tuple_of("y_bars", y_bars, copies)
        for i, y_bar in enumerate(y_bars):
            require.like(f"y_bars[{i}]", y_bar, shape, dtype)
        return (reduce(plus, y_bars),)

    return (x,) * copies, vjp


def broadcast_add(x: Array, b: Array) -> tuple[Array, Vjp]:
    """Add one vector to every row: ``y_r = x_r + b``.

    Parameters
    ----------
    x : (N, n) array
        Floating or complex.
    b : (n,) array
        Of x's dtype.

    Returns
    -------
    y : (N, n) array
        Of x's dtype.
    vjp : function
        Maps y_bar to ``(x_bar, b_bar)``: x_bar is y_bar itself, no copy, and b_bar the sum over its rows,
        see :eq:`eq-add-broadcast`. It holds on to nothing but a shape and a dtype.

    Raises
    ------
    TypeError
        If a dtype is not floating, or the two differ.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> y, vjp = broadcast_add(x, np.array([10.0, 20.0]))
    >>> x_bar, b_bar = vjp(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> y.tolist(), b_bar.tolist()
    ([[11.0, 22.0], [13.0, 24.0]], [4.0, 6.0])
    """
    require.floating(x=x, b=b)
    if x.ndim != 2 or b.shape != x.shape[1:]:
        raise require.misfit("x (N, n), b (n,)", x=x, b=b)
    shape, dtype = x.shape, x.dtype

    def vjp(y_bar: Array) -> tuple[Array, Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return y_bar, y_bar.sum(axis=0)

    return x + b, vjp


def concat(*xs: Array) -> tuple[Array, Vjp]:
    """Put arrays side by side along the last axis.

    Parameters
    ----------
    *xs : arrays
        Floating or complex, of one dtype, and of one shape but for the last axis.

    Returns
    -------
    y : array
        As wide as all together.
    vjp : function
        Maps y_bar to one gradient for each array, its own columns (views of y_bar, no copies):
        see :eq:`eq-add-concat`. It holds on to nothing but sizes and a dtype.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from the first.
    ValueError
        If there is no array, one has no axis, or the shapes differ before the last axis.

    Examples
    --------
    >>> y, vjp = concat(np.array([[1.0]]), np.array([[2.0, 3.0]]))
    >>> x1_bar, x2_bar = vjp(np.array([[4.0, 5.0, 6.0]]))
    >>> y.tolist(), x1_bar.tolist(), x2_bar.tolist()
    ([[1.0, 2.0, 3.0]], [[4.0]], [[5.0, 6.0]])
    """
    if not xs:
        raise ValueError("xs: expected at least one array, got none")
    named = {f"xs[{i}]": x for i, x in enumerate(xs)}
    require.floating(**named)
    if any(x.ndim == 0 or x.shape[:-1] != xs[0].shape[:-1] for x in xs):
        raise require.misfit("arrays of one shape but for the last axis", **named)
    y, sizes = np.concatenate(xs, axis=-1), [x.shape[-1] for x in xs]
    shape, dtype = y.shape, y.dtype

    def vjp(y_bar: Array) -> tuple[Array, ...]:
        require.like("y_bar", y_bar, shape, dtype)
        return _cut(y_bar, sizes)

    return y, vjp


def split(x: Array, *, sizes: Sequence[int]) -> tuple[tuple[Array, ...], Vjp]:
    """Cut an array into pieces along the last axis: the inverse of concat.

    Parameters
    ----------
    x : array with at least one axis
        Floating or complex.
    sizes : sequence of int
        The width of each piece, none negative; together x's last axis.

    Returns
    -------
    ys : tuple of arrays
        The pieces, views of x, no copies.
    vjp : function
        Maps the tuple of their gradients to ``(x_bar,)``, side by side again: see :eq:`eq-add-split`.
        It holds on to nothing but shapes and a dtype.

    Raises
    ------
    TypeError
        If x's dtype is not floating, or a size is no whole number.
    ValueError
        If there is no piece, a size is negative, or the sizes do not add up to x's last axis.

    Examples
    --------
    >>> (y1, y2), vjp = split(np.array([[1.0, 2.0, 3.0]]), sizes=(1, 2))
    >>> (x_bar,) = vjp((np.array([[4.0]]), np.array([[5.0, 6.0]])))
    >>> y1.tolist(), y2.tolist(), x_bar.tolist()
    ([[1.0]], [[2.0, 3.0]], [[4.0, 5.0, 6.0]])
    """
    require.floating(x=x)
    sizes = require.whole("sizes", sizes)
    if x.ndim == 0 or not sizes or min(sizes) < 0 or sum(sizes) != x.shape[-1]:
        raise ValueError(f"sizes: expected widths that add up to the last axis of x {x.shape}, got {sizes}")
    ys, dtype = _cut(x, sizes), x.dtype
    shapes = [y.shape for y in ys]

    def vjp(y_bars: tuple[Array, ...]) -> tuple[Array]:
        require.tuple_of("y_bars", y_bars, len(shapes))
        for i, (y_bar, shape) in enumerate(zip(y_bars, shapes, strict=True)):
            require.like(f"y_bars[{i}]", y_bar, shape, dtype)
        return (np.concatenate(y_bars, axis=-1),)

    return ys, vjp


def stop_gradient(x: Array) -> tuple[Array, Vjp]:
    """Pass a value on and hold its gradient back: ``y = x``, and x_bar is zero.

    Parameters
    ----------
    x : array of any shape
        Floating or complex.

    Returns
    -------
    y : array
        x itself, no copy.
    vjp : function
        Maps y_bar to ``(x_bar,)``, zeros of x's shape and dtype: see :eq:`eq-add-stop`.
        It holds on to nothing but a shape and a dtype.

    Raises
    ------
    TypeError
        If x's dtype is not floating.

    Notes
    -----
    The zeros are not the derivative of ``y = x``: they say that what follows is to take y for a constant, as
    ``detach`` of PyTorch and ``stop_gradient`` of JAX and TensorFlow do. So `resgrad.check_vjp` rejects this
    rule, and every network with one in it.

    Examples
    --------
    >>> y, vjp = stop_gradient(np.array([1.0, 2.0]))
    >>> (x_bar,) = vjp(np.array([3.0, 4.0]))
    >>> y.tolist(), x_bar.tolist()
    ([1.0, 2.0], [0.0, 0.0])
    """
    require.floating(x=x)
    shape, dtype = x.shape, x.dtype

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return (np.zeros(shape, dtype),)

    return x, vjp


def _cut(x: Array, sizes: Sequence[int]) -> tuple[Array, ...]:
    edges = accumulate(sizes, initial=0)
    return tuple(x[..., start:stop] for start, stop in pairwise(edges))
