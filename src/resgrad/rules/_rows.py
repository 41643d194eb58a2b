"""Images as matrices with a pixel in each row, so that what one tap of a kernel reads is a block of rows.

The padded image is a grid of pixels, row after row. At stride 1 the pixels that one tap reads for all outputs
follow each other at the same distance as the outputs do on that grid: they are the same rows, shifted. At stride
s the grid is first split into its s s phases, pixels s apart, within each of which that holds. The outputs stand
on the same grid; where the window would leave the image, past the last column, rows are computed and dropped.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from resgrad.rules._types import Array
from resgrad.rules._windows import Pair, Windows

# Of rows: all groups, one phase, a block.
Block: TypeAlias = tuple[slice, int, slice]

# Images are taken a few at a time, as many as have about this many bytes, so that what every tap reads and adds
# to stays in the cache.
SLAB = 2**17


class Layout(NamedTuple):
    """How images stand in rows.

    Attributes
    ----------
    grid : pair of int
        Rows and columns of pixels of one phase.
    stride : pair of int
        Phases along either axis.
    corner : pair of int
        Where in the padded image the image begins.
    groups : int
        Parts of the channels.
    """

    grid: Pair
    stride: Pair
    corner: Pair
    groups: int


def layouts(windows: Windows, groups: int) -> tuple[Layout, Layout]:
    """Lay out the inputs and the outputs of a convolution, both on one grid.

    Parameters
    ----------
    windows : Windows
        The places of the kernel.
    groups : int
        Parts of the channels.

    Returns
    -------
    inputs, outputs : Layout
    """
    (H, W), (p, q), (s, t) = windows.image, windows.padding, windows.stride
    grid = (-(-(H + 2 * p) // s), -(-(W + 2 * q) // t))
    return Layout(grid, (s, t), (p, q), groups), Layout(grid, (1, 1), (0, 0), groups)


def blocks(windows: Windows, inputs: Layout) -> tuple[list[Block], Block]:
    """Find the rows that each tap reads, and the rows of the outputs.

    Parameters
    ----------
    windows : Windows
        The places of the kernel.
    inputs : Layout
        That of the inputs.

    Returns
    -------
    taps : list of Block
        One for each tap, all of one length, counted from either end so that they fit any number of images.
    outputs : Block
        The outputs' rows, of the same length.
    """
    (d, e), (s, t), columns = windows.dilation, windows.stride, inputs.grid[1]
    places = [(u * d, v * e) for u, v in windows.taps()]
    phases = [i % s * t + j % t for i, j in places]
    starts = [i // s * columns + j // t for i, j in places]
    reach = max(starts)
    taps = [(phase, slice(start, start - reach or None)) for phase, start in zip(phases, starts, strict=True)]
    every = slice(None)
    return [(every, *tap) for tap in taps], (every, 0, slice(0, -reach or None))


def to_rows(images: Array, layout: Layout) -> Array:
    """Write images into rows, with zeros around each.

    Parameters
    ----------
    images : (N, H, W, C) array
        Any number of them.
    layout : Layout
        Where the pixels go.

    Returns
    -------
    rows : (groups, phases, N * pixels, C/groups) array
        A new array.
    """
    (N, H, W, C), (h, w), (s, t), (p, q), groups = images.shape, *layout
    padded = np.zeros((N, h * s, w * t, C), images.dtype)
    padded[:, p : p + H, q : q + W] = images
    split = padded.reshape(N, h, s, w, t, groups, C // groups)
    return split.transpose(5, 2, 4, 0, 1, 3, 6).reshape(groups, s * t, N * h * w, C // groups)


def from_rows(rows: Array, layout: Layout, shape: tuple[int, ...]) -> Array:
    """Read images from rows, without what stands around each.

    Parameters
    ----------
    rows : (groups, phases, N * pixels, C/groups) array
        As `to_rows` writes them.
    layout : Layout
        Where the pixels are.
    shape : tuple of int
        (N, H, W, C).

    Returns
    -------
    images : (N, H, W, C) array
        Perhaps a view.
    """
    (N, H, W, C), (h, w), (s, t), (p, q), groups = shape, *layout
    split = rows.reshape(groups, s, t, N, h, w, C // groups)
    return split.transpose(3, 4, 1, 5, 2, 0, 6).reshape(N, h * s, w * t, C)[:, p : p + H, q : q + W]


def slabs(x: Array, y: Array, inputs: Layout) -> Iterator[slice]:
    """Divide a batch into slabs that fit into the cache.

    Parameters
    ----------
    x, y : (N, ...) array
        Inputs and outputs, or their gradients.
    inputs : Layout
        That of the inputs.

    Yields
    ------
    slice
        Of images.
    """
    h, w = inputs.grid
    s, t = inputs.stride
    image = h * w * max(s * t * x.shape[-1], y.shape[-1], 1) * x.itemsize
    step = max(1, SLAB // max(image, 1))
    return (slice(start, start + step) for start in range(0, len(x), step))
