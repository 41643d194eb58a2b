"""Figures of the site: one call draws both widths and both inks and carries its own words.

A drawing function gets the axes and uses `line` (a law), `points` (measurements with their spread) and `band`;
each is labelled at its end, so there is no legend. `figure` calls it once per width, in stand-in colours, and
returns a `Figure`, which the page shows as a numbered figure (fence ``{plotted}``) and a notebook as SVG.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from resgrad.lab.labels import superscript
from resgrad.lab.palette import PALETTE, SERIES, inks_of
from resgrad.lab.series import note_series, rows, series_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NARROW", "WIDE", "Figure", "Panel", "band", "colour", "figure", "line", "note", "points"]

#: Size of the drawing beside a page's text, and on a phone, in CSS pixels.
WIDE = (640, 320)
NARROW = (328, 260)

_TEXT = 14  # px, at true size
_GAP = 17.0  # px between the baselines of two labels
_MARKERS = {"weight": "s", "branch": "D"}

#: A drawing function: gets the axes (a list, with several panels) and the width in pixels.
Draw = Callable[[Any, int], None]


@dataclass(frozen=True)
class Figure:
    """A figure of the site: two drawings in stand-in colours, its label, words, and the numbers of its panels."""

    label: str
    wide: str
    narrow: str
    alt: str
    caption: str
    fence: str = "plotted"
    data: tuple[dict[str, Any], ...] = ()

    def payload(self) -> dict[str, Any]:
        """Return what the fence carries: the drawings, what to replace their colours by, and the words."""
        drawings = {"wide": self.wide, "narrow": self.narrow}
        inks = inks_of(self.wide + self.narrow)
        words = {"alt": self.alt, "caption": self.caption}
        return {**words, "inks": inks, "svg": drawings, "data": list(self.data)}

    def svg(self) -> str:
        """Return the wide drawing in its light inks, as a picture that stands by itself."""
        drawing = self.wide
        for sentinel, (light, _) in inks_of(drawing).items():
            drawing = drawing.replace(sentinel, light)
        return drawing

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show a picture; in a kernel of the site's build, the fence that makes a numbered figure of it."""
        bundle = {"image/svg+xml": self.svg(), "text/plain": f"{self.label}: {self.alt}"}
        if os.environ.get("RESGRAD_FENCES"):
            content = json.dumps(self.payload(), ensure_ascii=False, sort_keys=True)
            bundle["text/markdown"] = f"`````{{{self.fence}}} {self.label}\n{content}\n`````"
        return bundle


@dataclass(frozen=True)
class Panel:
    """The words around one pair of axes.

    Parameters
    ----------
    title : str
        Stands above the axes.
    x, y : str
        The names of the two axes; that of y stands above it, level.
    """

    title: str = ""
    x: str = ""
    y: str = ""


def colour(role: str, shade: int = 0) -> str:
    """Return the stand-in colour of a role, or the second or third shade of its series.

    Parameters
    ----------
    role : str
        A role of the palette, such as ``gradient``.
    shade : int
        0 for the role itself; 1 or 2 for a shade of it.

    Returns
    -------
    str
        A colour for matplotlib, replaced on the page by the reader's.
    """
    return SERIES[role][shade].sentinel if shade else PALETTE[role].sentinel


def figure(
    label: str,
    draw: Draw,
    *,
    alt: str,
    caption: str,
    panels: Sequence[Panel] = (Panel(),),
    sizes: tuple[tuple[int, int], tuple[int, int]] = (WIDE, NARROW),
) -> Figure:
    """Draw a figure in both widths.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``, by which the text refers to it.
    draw : callable
        ``draw(axes, width)``; with several panels `axes` is a list. Called once per width: no state, no
        randomness (draw numbers before).
    alt : str
        What the picture shows, for those who do not see it, with its numbers.
    caption : str
        First sentence: what was found, with its number. Then how to read it; then seeds and sizes.
    panels : sequence of Panel
        The words around each pair of axes; side by side when wide, one below the other when narrow.
    sizes : pair of (width, height)
        In CSS pixels; the narrow height is that of one panel.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        For a label that does not begin with ``fig-``, without alternative text or caption, and if a title, the
        name of an axis or a note is cut by the edge.
    """
    check_words(label, alt, caption)
    wide, (narrow, height) = sizes
    drawing, data = _drawn(label, draw, panels, wide, across=True)
    small, _ = _drawn(label, draw, panels, (narrow, height * len(panels)), across=False)
    return Figure(label, drawing, small, alt, caption, data=data)


def check_words(label: str, alt: str, caption: str) -> None:
    """Raise ValueError unless a figure has its label and its words."""
    if not re.fullmatch(r"fig-[a-z0-9-]+", label):
        raise ValueError(f"a figure's label is fig-<stem>-<name>, not {label!r}")
    for name, words in (("alt", alt), ("caption", caption)):
        if not words.strip():
            raise ValueError(f"{label} has no {name}")


def _drawn(
    label: str, draw: Draw, panels: Sequence[Panel], size: tuple[int, int], *, across: bool
) -> tuple[str, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    rows, columns = (1, len(panels)) if across else (len(panels), 1)
    with mpl.rc_context(_style(label)):
        canvas = Canvas(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        grid = list(canvas.subplots(rows, columns, squeeze=False).flat)
        draw(grid[0] if len(grid) == 1 else grid, size[0])
        for axes, panel in zip(grid, panels, strict=True):
            _dress(axes, panel)
        canvas.draw_without_rendering()
        for axes in grid:
            _spread(axes)
            _require_room(label, axes, size)
        written = io.StringIO()
        canvas.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _tidied(written.getvalue(), size), tuple(map(_data, grid, panels))


def _data(axes: Axes, panel: Panel) -> dict[str, Any]:
    return {"title": panel.title, "x": panel.x, "y": panel.y, "rows": rows(series_of(axes))}


def _style(label: str) -> Any:
    """Return settings for quiet axes; text stays text, so that it shows in the reader's own font."""
    ink, muted, axis = (colour(role) for role in ("ink", "muted", "axis"))
    return {
        "svg.hashsalt": label, "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": _TEXT,
        "axes.titlesize": _TEXT, "axes.titlelocation": "left", "axes.titlepad": 10, "axes.labelsize": _TEXT,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": axis, "axes.linewidth": 1,
        "axes.labelcolor": muted, "axes.titlecolor": ink, "text.color": ink, "axes.prop_cycle": mpl_cycle(ink),
        "xtick.color": axis, "ytick.color": axis, "xtick.labelcolor": muted, "ytick.labelcolor": muted,
        "xtick.major.size": 4, "ytick.major.size": 4, "xtick.minor.size": 0, "ytick.minor.size": 0,
        "lines.linewidth": 2, "lines.solid_capstyle": "round", "lines.dash_capstyle": "butt",
        "axes.unicode_minus": True, "axes.axisbelow": True,
        "figure.constrained_layout.w_pad": 0.04, "figure.constrained_layout.h_pad": 0.04,
    }  # fmt: skip


def mpl_cycle(ink: str) -> Any:
    """Return the cycle of line colours: ink alone, since a hue is never given by order."""
    from cycler import cycler

    return cycler(color=[ink])


def _dress(axes: Axes, panel: Panel) -> None:
    """Give axes their words, few ticks and plain powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_title(panel.title)
    axes.set_xlabel(panel.x)
    # The name of the vertical axis stands above it, level, where it is read.
    axes.annotate(panel.y, (0, 1), xytext=(0, 8), xycoords="axes fraction", textcoords="offset points",
                  ha="left", va="bottom", color=colour("muted"), annotation_clip=False)  # fmt: skip
    if panel.title and panel.y:
        axes.set_title(panel.title, pad=30)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(numticks=6))
            axis.set_major_formatter(FuncFormatter(power))
            axis.set_minor_formatter(NullFormatter())
        elif axis.get_scale() == "linear" and isinstance(axis.get_major_locator(), MaxNLocator):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def power(value: float, _: int = 0) -> str:
    """Write a tick of a logarithmic axis: 0.1, 1, 10, 100 as such, others as a power of ten."""
    exponent = round(np.log10(value))
    if not np.isclose(value, 10.0**exponent):
        return f"{value:g}"
    return f"{10.0**exponent:g}" if -1 <= exponent <= 3 else f"10{superscript(exponent)}"


def line(
    axes: Axes, x: ArrayLike, y: ArrayLike, *, role: str = "ink", shade: int = 0, label: str = ""
) -> None:
    """Draw a law as a line, dashed for gradients, with its name at its end.

    Parameters
    ----------
    axes : matplotlib axes
    x, y : array, shape (k,)
    role : str
        A role of the palette.
    shade : int
        0, 1 or 2: the shade of the role's hue.
    label : str
        Stands at the end of the line.
    """
    note_series(axes, label, x, y)
    _curve(axes, x, y, role, shade, label)


def _curve(axes: Axes, x: ArrayLike, y: ArrayLike, role: str, shade: int, label: str) -> None:
    (drawn,) = axes.plot(x, y, color=colour(role, shade))
    if role == "gradient":
        drawn.set_linestyle((0, (3.5, 2)))  # in widths of the line: 7 and 4 px
    _label(axes, x, y, role, shade, label)


def points(
    axes: Axes, x: ArrayLike, samples: ArrayLike, *, role: str = "ink", shade: int = 0, label: str = ""
) -> None:
    """Draw measurements as the median of the samples with bars from their 10 % to their 90 % quantile.

    Parameters
    ----------
    axes : matplotlib axes
    x : array, shape (k,)
    samples : array, shape (seeds, k)
    role : str
        A role of the palette; it also gives the shape of the marker.
    shade : int
        0, 1 or 2: the shade of the role's hue.
    label : str
        Stands at the last point.
    """
    low, median, high = np.quantile(np.asarray(samples, dtype=float), (0.1, 0.5, 0.9), axis=0)
    note_series(axes, label, x, median, low, high)
    tint = colour(role, shade)
    axes.errorbar(x, median, yerr=(median - low, high - median), fmt=_MARKERS.get(role, "o"), color=tint,
                  markersize=6, markeredgewidth=0, elinewidth=1.5, capsize=3, capthick=1.5)  # fmt: skip
    _label(axes, x, median, role, shade, label)


def band(
    axes: Axes, x: ArrayLike, samples: ArrayLike, *, role: str = "ink", shade: int = 0, label: str = ""
) -> None:
    """Draw the median of the samples as a line inside the band from their 10 % to their 90 % quantile.

    Parameters
    ----------
    axes : matplotlib axes
    x : array, shape (k,)
    samples : array, shape (seeds, k)
    role, shade, label
        As for ``line``.
    """
    low, median, high = np.quantile(np.asarray(samples, dtype=float), (0.1, 0.5, 0.9), axis=0)
    note_series(axes, label, x, median, low, high)
    axes.fill_between(np.asarray(x), low, high, color=colour(role, shade), alpha=0.16, linewidth=0)
    _curve(axes, x, median, role, shade, label)


def note(axes: Axes, x: float, y: float, text: str, *, role: str = "muted", ha: str = "left") -> None:
    """Write a short remark at a place in the data's coordinates.

    Parameters
    ----------
    axes : matplotlib axes
    x, y : float
        Where, in the data's coordinates; y is the middle of the text.
    text : str
    role : str
        A role of the palette.
    ha : str
        Which edge of the text stands at x: ``left``, ``center`` or ``right``.
    """
    axes.text(x, y, text, color=colour(role), ha=ha, va="center")


def _label(axes: Axes, x: ArrayLike, y: ArrayLike, role: str, shade: int, label: str) -> None:
    if label:
        end = (float(np.asarray(x)[-1]), float(np.asarray(y)[-1]))
        axes.annotate(label, end, xytext=(9, 0), textcoords="offset points", va="center", ha="left",
                      color=colour(role, shade), gid="end-label", annotation_clip=False)  # fmt: skip


def _spread(axes: Axes) -> None:
    """Move the labels at the ends of lines apart, so that none covers another."""
    columns: dict[int, list[tuple[float, Any]]] = {}
    for text in axes.texts:
        if text.get_gid() == "end-label":
            x, y = axes.transData.transform(getattr(text, "xy"))  # noqa: B009 - an Annotation has it
            columns.setdefault(round(x / 60), []).append((float(y), text))
    for column in columns.values():
        column.sort(key=lambda pair: pair[0])
        wanted = [y for y, _ in column]
        for (here, text), there in zip(column, spread_out(wanted, _GAP), strict=True):
            text.xyann = (9, there - here)


def _require_room(label: str, axes: Axes, size: tuple[int, int]) -> None:
    """Refuse words that the edge of the drawing would cut."""
    width, height = size
    for text in (axes.xaxis.label, axes.title, *axes.texts):
        box = text.get_window_extent()
        if text.get_text() and (box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1):
            raise ValueError(f"{label}: {text.get_text()!r} does not fit into {width} x {height} pixels")


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Return the sorted heights moved apart to at least `gap`, each group kept around its own middle."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _top(groups[-2], gap) + gap > _bottom(groups[-1], gap):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [place for group in groups for place in _places(group, gap)]


def _places(group: list[float], gap: float) -> Iterator[float]:
    middle = sum(group) / len(group)
    yield from (middle + gap * (i - (len(group) - 1) / 2) for i in range(len(group)))


def _bottom(group: list[float], gap: float) -> float:
    return next(_places(group, gap))


def _top(group: list[float], gap: float) -> float:
    return list(_places(group, gap))[-1]


def _tidied(svg: str, size: tuple[int, int]) -> str:
    """Leave what a browser needs: pixels for points, the reader's font, no prologue, no metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'width="{size[0]}" height="{size[1]}"', svg)
    svg = re.sub(r"'DejaVu Sans'(?:, [^;\"]*)?", "system-ui, 'Segoe UI', Roboto, Arial, sans-serif", svg)
    # Places alone: a number in the words of a figure stays as it is.
    return re.sub(r"<[^>]+>", lambda tag: re.sub(r"(-?\d+\.\d{2})\d+", r"\1", tag[0]), svg)
