"""The figure of windows that slide over a padded image, with a number in each pixel."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from resgrad.lab.figures import NARROW, WIDE, Figure, Panel, colour, figure
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

    def draw(panels: Any, _: int) -> None:
        left, right = panels
        _grid(left, -p, (image.shape[0] + 2 * p, image.shape[1] + 2 * p), "hairline")
        _grid(left, 0, image.shape, "axis")
        _grid(right, 0, output.shape, "axis")
        for letter, (row, column) in shown.items():
            _window(left, row * s - p, column * s - p, k, letter)
            _window(right, row, column, 1, letter)
        _numbers(left, image)
        _numbers(right, output)
        _same_scale(panels, (image.shape[0] + 2 * p, image.shape[1] + 2 * p), -p, output.shape)

    panels = [Panel("image and its padding"), Panel("output")]
    sizes = (WIDE, (NARROW[0], 300))
    return figure(label, draw, alt=alt, caption=caption, panels=panels, sizes=sizes)


def _grid(axes: Any, corner: int, shape: tuple[int, ...], role: str) -> None:
    rows, columns = shape
    for i in range(rows + 1):
        axes.plot([corner, corner + columns], [corner + i] * 2, color=colour(role), linewidth=1)
    for j in range(columns + 1):
        axes.plot([corner + j] * 2, [corner, corner + rows], color=colour(role), linewidth=1)


def _same_scale(panels: Any, padded: Pair, corner: int, output: Any) -> None:
    """Make pixels and outputs equally large, the output in the middle of its panel."""
    rows, columns = padded[0] + 0.2, padded[1] + 0.2
    middles = [(corner + n / 2 for n in padded), (n / 2 for n in output)]
    for axes, (row, column) in zip(panels, middles, strict=True):
        axes.set_aspect("equal")
        axes.set_xlim(column - columns / 2, column + columns / 2)
        axes.set_ylim(row + rows / 2, row - rows / 2)  # rows count downwards
        axes.set_axis_off()


def _window(axes: Any, row: int, column: int, size: int, letter: str) -> None:
    """Tint the pixels of a window, draw its edge and put its letter into its corner."""
    right, below = column + size, row + size
    corners = [column, right, right, column, column], [row, row, below, below, row]
    axes.fill(*corners, color=colour("weight-tint"), linewidth=0, zorder=0)
    axes.plot(*corners, color=colour("weight"), linewidth=2.5, zorder=4)
    axes.text(column + 0.1, row + 0.08, letter, color=colour("weight"), ha="left", va="top", fontsize=11)


def _numbers(axes: Any, values: Any) -> None:
    for (i, j), value in np.ndenumerate(values):
        axes.text(j + 0.55, i + 0.58, f"{value:g}", color=colour("gradient"), ha="center", va="center")
