"""Windows that slide over an image: their settings, how many fit, and what each of their places reads."""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from resgrad.rules import _require as require

Pair: TypeAlias = tuple[int, int]
# Of a batch of images: all images, these rows, these columns.
Index: TypeAlias = tuple[slice, slice, slice]


class Windows(NamedTuple):
    """Windows over images of one size, each entry for rows and for columns.

    Attributes
    ----------
    image : pair of int
        Rows and columns of the image, without padding.
    size, stride, padding, dilation : pair of int
        Of the windows.
    output : pair of int
        How many windows fit: rows and columns of the output.
    """

    image: Pair
    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    output: Pair

    def taps(self) -> Iterator[Pair]:
        """Yield the places in a window, row by row."""
        yield from product(*map(range, self.size))

    def reads(self) -> Iterator[tuple[Index, Index]]:
        """Yield for each tap the outputs whose tap lies in the image, and the pixels that it reads there."""
        for tap in self.taps():
            (rows, pixel_rows), (columns, pixel_columns) = (self._along(axis, tap[axis]) for axis in (0, 1))
            yield (slice(None), rows, columns), (slice(None), pixel_rows, pixel_columns)

    def _along(self, axis: int, tap: int) -> tuple[slice, slice]:
        stride, n = self.stride[axis], self.image[axis]
        shift = tap * self.dilation[axis] - self.padding[axis]  # output i reads pixel i stride + shift
        first = max(0, -(shift // stride))
        last = min(self.output[axis] - 1, (n - 1 - shift) // stride)
        if last < first:
            return slice(0), slice(0)
        return slice(first, last + 1), slice(first * stride + shift, last * stride + shift + 1, stride)


def slide(
    kernel: str, size: Pair, stride: Any, padding: Any, dilation: Any, x: Any, **arrays: Any
) -> Windows:
    """Count the windows that fit into the padded images.

    Parameters
    ----------
    kernel : str
        What the caller calls the size.
    size : pair of int
        Rows and columns of a window.
    stride, padding, dilation : int or pair of int
        As the caller got them.
    x : (N, H, W, C) array
        The images.
    **arrays : array
        What else to name, with its shape, if no window fits.

    Returns
    -------
    Windows
        With at least one window.

    Raises
    ------
    TypeError
        For a setting that is no whole number.
    ValueError
        For a setting that is too small, and for windows larger than the padded image.
    """
    strides, dilations = pair("stride", stride, 1), pair("dilation", dilation, 1)
    paddings, image = pair("padding", padding, 0), (x.shape[1], x.shape[2])
    padded = [n + 2 * p for n, p in zip(image, paddings, strict=True)]
    extent = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
    rows, columns = [(n - k) // s + 1 for n, k, s in zip(padded, extent, strides, strict=True)]
    if rows < 1 or columns < 1:
        over, into = (" x ".join(map(str, sizes)) for sizes in (extent, padded))
        raise require.misfit(f"{kernel} that fits: it reaches over {over} pixels of {into}", x=x, **arrays)
    return Windows(image, size, strides, paddings, dilations, (rows, columns))


def pair(name: str, value: Any, least: int) -> Pair:
    """Read a setting of windows, one number for both axes or a pair.

    Parameters
    ----------
    name : str
        What the caller calls it.
    value : int or pair of int
        What was given; a bool is no number.
    least : int
        The smallest allowed.

    Returns
    -------
    pair of int
        For rows and for columns.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If it is no pair, or too small.
    """
    values = value if isinstance(value, tuple | list) else (value, value)
    for entry in values:
        if isinstance(entry, bool) or not isinstance(entry, int | np.integer):
            raise TypeError(f"{name}: expected a whole number or a pair of them, got {value!r}")
    if len(values) != 2 or min(values) < least:
        raise ValueError(f"{name}: expected a whole number >= {least} or a pair of them, got {value!r}")
    return int(values[0]), int(values[1])
