"""The numbers behind a plot, as the rows of a table for those who do not see it or want to take them along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A series has at most so many rows; of a longer one, rows at equal distances, the first and the last among them.
MOST = 12


class Series(NamedTuple):
    """One curve or set of points of a plot.

    Attributes
    ----------
    name : str
        The label that stands beside it; empty if there is none.
    columns : tuple of ndarray, shape (k,)
        x and y, or x, the median and the 10 % and 90 % quantiles.
    """

    name: str
    columns: tuple[Any, ...]


def note_series(axes: Axes, name: str, *columns: ArrayLike) -> None:
    """Remember what was drawn on some axes.

    Parameters
    ----------
    axes : matplotlib axes
    name : str
        The label that stands beside it.
    *columns : array, shape (k,)
        x and y, or x, the median and the 10 % and 90 % quantiles.
    """
    # On the axes themselves: they live as long as the drawing, and a drawing function has no other place.
    vars(axes).setdefault("resgrad_series", []).append(Series(name, tuple(map(np.asarray, columns))))


def series_of(axes: Axes) -> list[Series]:
    """Return what was drawn on some axes, in its order.

    Parameters
    ----------
    axes : matplotlib axes

    Returns
    -------
    list of Series
    """
    return list(vars(axes).get("resgrad_series", []))


def rows(series: Sequence[Series]) -> list[list[str]]:
    """Write series as the rows of one table, to four digits.

    Parameters
    ----------
    series : sequence of Series

    Returns
    -------
    list of list of str
        Name, x, y, and the two quantiles or two empty strings.
    """
    return [row for one in series for row in _rows(one)]


def _rows(one: Series) -> list[list[str]]:
    count = len(one.columns[0])
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
    cells = [[_spelled(column[index]) for column in one.columns] for index in chosen]
    return [[one.name, *row, *[""] * (4 - len(row))] for row in cells]


def _spelled(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{float(value):.4g}".replace("-", "\N{MINUS SIGN}")
