"""Convolution and pooling: images in the layout (N, H, W, C), pixels in rows, channels last."""

from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._rows import blocks, from_rows, layouts, slabs, to_rows
from resgrad.rules._types import Array, Vjp
from resgrad.rules._windows import Pair, Windows, pair, slide


def conv2d(
    x: Array,
    W: Array,
    b: Array,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> tuple[Array, Vjp]:
    """Slide a kernel over images: ``y[i, j] = sum over u, v of x[i s + u d - p, j s + v d - p] W[u, v] + b``.

    Parameters
    ----------
    x : (N, H, W, C_in) array
        Images; floating or complex, like all that follows. Beyond its edges it counts as zero.
    W : (kh, kw, C_in/groups, C_out) array
        Kernel, one matrix for each of its kh kw taps, of x's dtype. It is not flipped.
    b : (C_out,) array
        Bias, of x's dtype.
    stride, padding, dilation : int or pair of int
        s pixels from window to window, p pixels of zeros on each side, d pixels from tap to tap; a pair is for
        rows and columns.
    groups : int
        Divides the channels into equal parts: part g of y sees part g of x alone.

    Returns
    -------
    y : (N, H', W', C_out) array
        Of x's dtype, with ``H' = (H + 2 p - (kh - 1) d - 1) // s + 1``: see :eq:`eq-convolution-size`.
    vjp : function
        Maps y_bar, of y's shape, to ``(x_bar, W_bar, b_bar)``, see :eq:`eq-convolution-vjp`.
        It holds on to x and W themselves, no padded copy: change neither in place before the last call.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's, or a setting is no whole number.
    ValueError
        If the shapes do not fit, a setting is too small, groups does not divide the channels, or the kernel is
        larger than the padded image.

    Notes
    -----
    A 1 x 1 kernel is `linear` at every pixel.

    Examples
    --------
    >>> x, W, b = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)), np.zeros(1)
    >>> y, vjp = conv2d(x, W, b)
    >>> x_bar, W_bar, b_bar = vjp(np.ones((1, 2, 2, 1)))
    >>> y[0, :, :, 0].tolist(), x_bar[0, :, :, 0].tolist()
    ([[8.0, 12.0], [20.0, 24.0]], [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
    """
    windows = _kernel_windows(x, W, b, stride, padding, dilation, groups)
    inputs, outputs = layouts(windows, groups)
    taps, here = blocks(windows, inputs)
    c, m = W.shape[2], len(b) // groups
    W_taps = W.reshape(len(taps), c, groups, m).swapaxes(1, 2)
    y = np.empty((len(x), *windows.output, len(b)), x.dtype)
    for images in slabs(x, y, inputs):
        rows = to_rows(x[images], inputs)
        y_rows = np.zeros((groups, 1, rows.shape[2], m), x.dtype)
        for tap, W_tap in zip(taps, W_taps, strict=True):
            y_rows[here] += rows[tap] @ W_tap
        y[images] = from_rows(y_rows, outputs, y[images].shape) + b
    shape, dtype = y.shape, y.dtype

    def vjp(y_bar: Array) -> tuple[Array, Array, Array]:
        require.like("y_bar", y_bar, shape, dtype)
        x_bar, W_taps_bar = np.empty_like(x), np.zeros(W_taps.shape, dtype)
        for images in slabs(x, y_bar, inputs):
            rows, y_rows_bar = to_rows(x[images], inputs), to_rows(y_bar[images], outputs)
            rows_bar, y_rows_bar = np.zeros_like(rows), y_rows_bar[here]
            for tap, W_tap, W_tap_bar in zip(taps, W_taps, W_taps_bar, strict=True):
                rows_bar[tap] += y_rows_bar @ W_tap.mT
                W_tap_bar += rows[tap].mT @ y_rows_bar
            x_bar[images] = from_rows(rows_bar, inputs, x[images].shape)
        W_bar = W_taps_bar.swapaxes(1, 2).reshape(W.shape)
        return x_bar, W_bar, y_bar.sum(axis=(0, 1, 2))

    return y, vjp


def avg_pool2d(
    x: Array, *, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> tuple[Array, Vjp]:
    """Mean of each window, channel by channel.

    Parameters
    ----------
    x : (N, H, W, C) array
        Images; floating or complex.
    size : int or pair of int
        Rows and columns of a window.
    stride : int or pair of int, optional
        Pixels from window to window; if not given, the size, so that no two windows overlap.
    padding : int or pair of int
        Pixels of zeros on each side, fewer than the size. They count: the sum is divided by the size of the
        window also where a part of it is padding (in PyTorch, ``count_include_pad=True``, the default).

    Returns
    -------
    y : (N, H', W', C) array
        Of x's dtype, with H' as for `conv2d`.
    vjp : function
        Maps y_bar, of y's shape, to ``(x_bar,)``, see :eq:`eq-convolution-average`.
        It holds on to nothing but shapes and a dtype.

    Raises
    ------
    TypeError
        If x's dtype is not floating, or a setting is no whole number.
    ValueError
        If x has not four axes, a setting is too small, padding is not below the size, or the window is larger
        than the padded image.

    Examples
    --------
    >>> y, vjp = avg_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), size=2)
    >>> (x_bar,) = vjp(np.array([4.0, 8.0, 0.0, 0.0]).reshape(y.shape))
    >>> y[0, :, :, 0].tolist(), x_bar[0, 0, :, 0].tolist()
    ([[2.5, 4.5], [10.5, 12.5]], [1.0, 1.0, 2.0, 2.0])
    """
    require.floating(x=x)
    windows = _pooling_windows(x, size, stride, padding)
    count = windows.size[0] * windows.size[1]
    y = np.zeros((len(x), *windows.output, x.shape[3]), x.dtype)
    for outputs, pixels in windows.reads():
        y[outputs] += x[pixels]
    y /= count
    y_shape, x_shape, dtype = y.shape, x.shape, x.dtype

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, y_shape, dtype)
        x_bar, share = np.zeros(x_shape, dtype), y_bar / count
        for outputs, pixels in windows.reads():
            x_bar[pixels] += share[outputs]
        return (x_bar,)

    return y, vjp


def max_pool2d(
    x: Array, *, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> tuple[Array, Vjp]:
    """Largest entry of each window, channel by channel.

    Parameters
    ----------
    x : (N, H, W, C) array
        Images; real floating.
    size : int or pair of int
        Rows and columns of a window.
    stride : int or pair of int, optional
        Pixels from window to window; if not given, the size, so that no two windows overlap.
    padding : int or pair of int
        Pixels on each side, fewer than the size, which are minus infinity and never chosen.

    Returns
    -------
    y : (N, H', W', C) array
        Of x's dtype, with H' as for `conv2d`. NaN in a window gives NaN.
    vjp : function
        Maps y_bar, of y's shape, to ``(x_bar,)``, see :eq:`eq-convolution-max`: of equal entries the first
        one, row by row, gets the whole gradient, as in JAX and PyTorch.
        It holds on to the chosen tap of each output, 4 bytes.

    Raises
    ------
    TypeError
        If x's dtype is not real floating, or a setting is no whole number.
    ValueError
        If x has not four axes, a setting is too small, padding is not below the size, or the window is larger
        than the padded image.

    Examples
    --------
    >>> x = np.array([[3.0, 1.0, 7.0], [2.0, 3.0, 7.0]]).reshape(1, 2, 3, 1)
    >>> y, vjp = max_pool2d(x, size=2, stride=1)
    >>> (x_bar,) = vjp(np.array([10.0, 20.0]).reshape(y.shape))
    >>> y.ravel().tolist(), x_bar[0, :, :, 0].tolist()
    ([3.0, 7.0], [[10.0, 0.0, 20.0], [0.0, 0.0, 0.0]])
    """
    require.real(x=x)
    windows = _pooling_windows(x, size, stride, padding)
    y = np.empty((len(x), *windows.output, x.shape[3]), x.dtype)
    chosen = np.full(y.shape, -1, np.int32)
    for tap, (outputs, pixels) in enumerate(windows.reads()):
        value = x[pixels]
        # The first of equals wins; the first in the image is taken whatever it is.
        better = (chosen[outputs] < 0) | (value > y[outputs]) | np.isnan(value)
        y[outputs][better], chosen[outputs][better] = value[better], tap
    y_shape, x_shape, dtype = y.shape, x.shape, x.dtype

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, y_shape, dtype)
        x_bar = np.zeros(x_shape, dtype)
        for tap, (outputs, pixels) in enumerate(windows.reads()):
            mine = chosen[outputs] == tap
            x_bar[pixels] += np.where(mine, y_bar[outputs], dtype.type(0))
        return (x_bar,)

    return y, vjp


def global_avg_pool2d(x: Array) -> tuple[Array, Vjp]:
    """Mean of each channel over all pixels.

    Parameters
    ----------
    x : (N, H, W, C) array
        Images, of one pixel or more; floating or complex.

    Returns
    -------
    y : (N, C) array
        Of x's dtype.
    vjp : function
        Maps y_bar, (N, C), to ``(x_bar,)``, the same at every pixel, see :eq:`eq-convolution-global`.
        It holds on to nothing but shapes and a dtype.

    Raises
    ------
    TypeError
        If x's dtype is not floating.
    ValueError
        If x has not four axes, or no pixel.

    Examples
    --------
    >>> y, vjp = global_avg_pool2d(np.arange(8.0).reshape(1, 2, 2, 2))
    >>> (x_bar,) = vjp(np.array([[4.0, 8.0]]))
    >>> y.tolist(), x_bar[0, 0].tolist()
    ([[3.0, 4.0]], [[1.0, 2.0], [1.0, 2.0]])
    """
    require.floating(x=x)
    if x.ndim != 4 or x.shape[1] * x.shape[2] == 0:
        raise require.misfit("x (N, H, W, C) with a pixel", x=x)
    (N, H, W, C), dtype = x.shape, x.dtype

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, (N, C), dtype)
        return (np.tile((y_bar / (H * W)).reshape(N, 1, 1, C), (1, H, W, 1)),)

    return x.mean(axis=(1, 2)), vjp


def _kernel_windows(
    x: Array, W: Array, b: Array, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Windows:
    require.floating(x=x, W=W, b=b)
    (parts,) = require.whole("groups", [groups])
    if parts < 1:
        raise ValueError(f"groups: expected a whole number >= 1, got {groups}")
    if x.ndim != 4 or W.ndim != 4 or W.shape[3:] != b.shape or 0 in W.shape[:2]:
        raise require.misfit("x (N, H, W, C_in), W (kh, kw, C_in/groups, C_out), b (C_out,)", x=x, W=W, b=b)
    if x.shape[3] != parts * W.shape[2] or len(b) % parts:
        raise require.misfit(f"C_in of x = {parts} times that of W, C_out a multiple of {parts}", x=x, W=W)
    return slide("W", W.shape[:2], stride, padding, dilation, x, W=W)


def _pooling_windows(x: Array, size: Any, stride: Any, padding: Any) -> Windows:
    if x.ndim != 4:
        raise require.misfit("x (N, H, W, C)", x=x)
    sizes, paddings = pair("size", size, 1), pair("padding", padding, 0)
    if any(p >= k for p, k in zip(paddings, sizes, strict=True)):
        raise ValueError(
            f"padding: expected less than size {sizes}, got {padding}: a window would hold no pixel"
        )
    return slide("size", sizes, sizes if stride is None else stride, padding, 1, x)
