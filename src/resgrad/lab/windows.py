"""The figure of windows that slide over a padded image, with a number in each pixel."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from resgrad.lab.figures import NARROW, WIDE, Figure, colour, figure
from resgrad.rules._windows import Pair, pair


def windows(
    label: str,
    pixels: ArrayLike,
    outputs: ArrayLike,
    *,
    size: int,
    stride: int,
    padding: int,
    shown: dict[str, tuple[int, int]],
    alt: str,
    caption: str,
) -> Figure:
    """Draw an image with its padding, some windows on it, and the output with the place of each.

    Parameters
    ----------
    label : str
        As for `figures.figure`.
    pixels : (H, W) array
        The number to write in each pixel.
    outputs : (H', W') array
        The number to write in each output.
    size, stride, padding : int
        Those of the windows.
    shown : dict of str to (row, column)
        Which windows to draw: a letter for each, and its place in the output.
    alt, caption : str
        As for `figures.figure`.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError
        For a setting that is no whole number.
    ValueError
        For one that is too small, for a place outside the output, and as `figures.figure` does.
    """
    image, output = np.asarray(pixels), np.asarray(outputs)
    (k, _), (s, _), (p, _) = pair("size", size, 1), pair("stride", stride, 1), pair("padding", padding, 0)
    for letter, (row, column) in shown.items():
        if not (0 <= row < output.shape[0] and 0 <= column < output.shape[1]):
            raise ValueError(f"shown: {letter} is at {(row, column)}, the output is {output.shape}")

    rows, columns = image.shape[0] + 2 * p, image.shape[1] + 2 * p

    def draw(axes: Any, width: int) -> None:
        beside = width > NARROW[0]
        # Where the output's first cell stands: beside the image, or below it.
        down, across = ((rows - output.shape[0]) // 2 - p, columns + 1) if beside else (rows + 1, -p)
        _grid(axes, (-p, -p), (rows, columns), "hairline")
        _grid(axes, (0, 0), image.shape, "axis")
        _grid(axes, (down, across), output.shape, "axis")
        axes.text(-p, -p - 0.3, "image and its padding")
        axes.text(across, down - 0.3, "output")
        for letter, (row, column) in shown.items():
            _window(axes, (row * s - p, column * s - p), k, letter)
            _window(axes, (down + row, across + column), 1, letter)
        _numbers(axes, (0, 0), image)
        _numbers(axes, (down, across), output)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_ylim(max(rows - p, down + output.shape[0]) + 0.1, -p - 1)  # rows count downwards

    return figure(label, draw, alt=alt, caption=caption, sizes=(WIDE, (NARROW[0], 480)))


def _grid(axes: Any, corner: Pair, shape: tuple[int, ...], role: str) -> None:
    (top, left), (rows, columns) = corner, shape
    for i in range(rows + 1):
        axes.plot([left, left + columns], [top + i] * 2, color=colour(role), linewidth=1)
    for j in range(columns + 1):
        axes.plot([left + j] * 2, [top, top + rows], color=colour(role), linewidth=1)


def _window(axes: Any, corner: Pair, size: int, letter: str) -> None:
    """Tint the pixels of a window, draw its edge and put its letter into its corner."""
    (top, left), (below, right) = corner, (corner[0] + size, corner[1] + size)
    outline = [left, right, right, left, left], [top, top, below, below, top]
    axes.fill(*outline, color=colour("weight-tint"), linewidth=0, zorder=0)
    axes.plot(*outline, color=colour("weight"), linewidth=2.5, zorder=4)
    axes.text(left + 0.1, top + 0.08, letter, color=colour("weight"), ha="left", va="top", fontsize=11)


def _numbers(axes: Any, corner: Pair, values: Any) -> None:
    for (i, j), value in np.ndenumerate(values):
        place = corner[1] + j + 0.55, corner[0] + i + 0.58
        axes.text(*place, f"{value:g}", color=colour("gradient"), ha="center", va="center")
