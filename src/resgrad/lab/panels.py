"""Small plots as inline SVG whose colours are the style sheet's, for pictures that stand in a page many times.

`figure` draws with matplotlib, four files for each picture; ten states of an explorer need something lighter.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from resgrad.lab.labels import superscript

_SIZES = {"wide": (640, 260), "narrow": (328, 240)}
_TOP, _BOTTOM = 30, 44


class Axis(NamedTuple):
    """One axis of a plot.

    Attributes
    ----------
    low, high : float
        Its ends; of decimal logarithms, if it is logarithmic.
    ticks : sequence of float
        Where it is marked, in the same way.
    words : str
    log : bool
        Whether its ticks are written as powers of ten.
    """

    low: float
    high: float
    ticks: Sequence[float]
    words: str
    log: bool = False


class Curve(NamedTuple):
    """A line in a plot, in the coordinates of its axes.

    Attributes
    ----------
    x, y : array, shape (k,)
    role : str
        A role of the palette.
    """

    x: ArrayLike
    y: ArrayLike
    role: str


class Words(NamedTuple):
    """A remark in a plot.

    Attributes
    ----------
    x, y : float
        In the coordinates of the axes.
    text : str
    role : str
        A role of the palette.
    end : bool
        Whether it ends there instead of beginning.
    """

    x: float
    y: float
    text: str
    role: str
    end: bool = False


class Plot(NamedTuple):
    """One pair of axes and what stands in it.

    Attributes
    ----------
    x, y : Axis
    curves : sequence of Curve
    words : sequence of Words
    """

    x: Axis
    y: Axis
    curves: Sequence[Curve]
    words: Sequence[Words] = ()


def panel(plots: Sequence[Plot], alt: str) -> dict[str, str]:
    """Draw plots side by side, in both widths.

    Parameters
    ----------
    plots : sequence of Plot
    alt : str
        What the picture shows, with its numbers.

    Returns
    -------
    dict of str to str
        ``wide`` and ``narrow``.

    Raises
    ------
    ValueError
        Without plots or without words.

    Examples
    --------
    >>> unit = Axis(0, 1, (0, 1), "share")
    >>> drawn = panel([Plot(unit, unit, [Curve((0, 1), (0, 1), "skip")])], "A line.")
    >>> drawn["narrow"].count("<path"), "A line." in drawn["wide"]
    (4, True)
    """
    if not plots or not alt.strip():
        raise ValueError(f"panel: expected plots and words, got {len(plots)} and {alt!r}")
    return {width: _drawn(plots, alt, *size) for width, size in _SIZES.items()}


def _drawn(plots: Sequence[Plot], alt: str, width: int, height: int) -> str:
    share = width / len(plots)
    parts = [
        _plot(plot, (k * share + 38, (k + 1) * share - 10, _TOP, height - _BOTTOM))
        for k, plot in enumerate(plots)
    ]
    label = f'role="img" aria-label="{escape(alt)}"'
    return f'<svg {label} viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'


def _plot(plot: Plot, box: tuple[float, float, float, float]) -> str:
    left, right, top, bottom = box

    def places(x: ArrayLike, y: ArrayLike) -> list[tuple[float, float]]:
        across = left + (np.asarray(x) - plot.x.low) / (plot.x.high - plot.x.low) * (right - left)
        up = bottom - (np.asarray(y) - plot.y.low) / (plot.y.high - plot.y.low) * (bottom - top)
        return [(round(float(a), 1), round(float(b), 1)) for a, b in zip(across, up, strict=True)]

    at = list(zip(plot.x.ticks, places(plot.x.ticks, [plot.y.low] * len(plot.x.ticks)), strict=True))
    up = list(zip(plot.y.ticks, places([plot.x.low] * len(plot.y.ticks), plot.y.ticks), strict=True))
    parts = [f'<path class="axis" d="M{left:g} {top - 4:g}V{bottom:g}H{right:g}"/>']
    parts += [f'<path class="axis" d="M{x:g} {y:g}v4"/>' for _, (x, y) in at]
    parts += [_text(x, y + 18, _tick(v, plot.x.log), "muted", "middle") for v, (x, y) in at]
    parts += [_text(x - 6, y + 5, _tick(v, plot.y.log), "muted", "end") for v, (x, y) in up]
    parts.append(_text((left + right) / 2, bottom + 38, plot.x.words, "muted", "middle"))
    parts.append(_text(left - 34, top - 16, plot.y.words, "muted", "start"))
    for curve in plot.curves:
        d = "L".join(f"{x:g} {y:g}" for x, y in places(curve.x, curve.y))
        parts.append(f'<path class="line {curve.role}" d="M{d}"/>')
    for words in plot.words:
        ((x, y),) = places([words.x], [words.y])
        parts.append(_text(x, y, words.text, words.role, "end" if words.end else "start"))
    return "".join(parts)


def _text(x: float, y: float, words: str, role: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{role}" text-anchor="{anchor}">{escape(words)}</text>'


def _tick(value: float, log: bool) -> str:
    if not log:
        return f"{value:g}".replace("-", "−")
    return f"{10**value:g}" if -2 < value < 3 else f"10{superscript(round(value))}"
