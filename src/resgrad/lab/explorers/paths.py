"""Which lengths of paths carry the gradient, by the gain of the branches and by depth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, colour, figure, line, note
from resgrad.lab.paths import binomial

ENERGIES = (
    *(0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.256),
    *(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0),
)
DEPTHS = (6, 12, 24, 54, 110)
#: Of the energy: what the window of a state carries, or more.
PART = 0.95
SHARE = Scale(0.0001, percent=True)
SCALES = {
    "mean": Scale(0.1), "low": Scale(1), "high": Scale(1), "carried": SHARE,
    "paths": Scale(0.001, log=True, percent=True),
}  # fmt: skip

Array = NDArray[np.float64]


def paths(*, energy: float = 0.256, depth: int = 54) -> State:
    """Find the shortest run of lengths that carries 95 % of a gradient's energy or more.

    Parameters
    ----------
    energy : float
        c^2, the square of the gain of a branch.
    depth : int
        How many blocks, L.

    Returns
    -------
    State
        The mean length, the run's first and last length, its share of the energy and its share of the paths, for
        independent branches, in expectation: see :eq:`eq-paths-share`.

    Examples
    --------
    >>> print(paths(energy=1.0, depth=6).shown()["mean"])
    3
    """
    count, share = binomial(depth, 0.5), binomial(depth, energy / (1 + energy))
    low, high = window(share, PART)
    inside = slice(low, high + 1)
    exact = {
        "mean": depth * energy / (1 + energy), "low": low, "high": high,
        "carried": float(share[inside].sum()), "paths": float(count[inside].sum()),
    }  # fmt: skip
    return State(f"paths(energy={energy}, depth={depth})", exact, SCALES)


def window(share: Array, part: float) -> tuple[int, int]:
    """Find the shortest run of entries that sums to a part or more; of several the one with the largest sum.

    Parameters
    ----------
    share : ndarray, shape (k,)
        Sums to 1.
    part : float
        Below 1.

    Returns
    -------
    first, last : int

    Examples
    --------
    >>> window(np.array([0.1, 0.6, 0.3]), 0.8)
    (1, 2)
    """
    before = np.concatenate([[0.0], np.cumsum(share)])
    for width in range(1, len(share) + 1):
        sums = before[width:] - before[:-width]
        if sums.max() >= part:
            first = int(sums.argmax())
            return first, first + width - 1
    return 0, len(share) - 1


def paths_explorer(label: str) -> Explorer:
    """Make the explorer.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``.

    Returns
    -------
    Explorer
    """
    controls = [
        Control("energy", "c², gain of a branch squared", ENERGIES, 0.256, tuple(f"{e:g}" for e in ENERGIES)),
        Control("depth", "blocks", DEPTHS, 54),
    ]
    heads = {"mean": "mean length", "low": "from", "high": "to", "carried": "energy", "paths": "paths"}
    return explorer(
        _picture(label),
        paths,
        controls,
        say=_SAY,
        heads=heads,
        bet=_bet(),
        tries=_tries(),
        data=_data(),
        stored=_STORED,
    )


_SAY = (
    "In {depth} blocks with c² = {energy} paths of {low} to {high} branches carry {carried} of the energy, and are "
    "{paths} of all paths."
)
_STORED = (
    "From, to: the shortest run of lengths that carries 95 % of the energy or more. Its share of the energy is rounded "
    "to 0.01 %, that of the paths to 0.001 in its decimal logarithm, the mean length to 0.1."
)


def _bet() -> Bet:
    at = paths().shown()
    carried = f"lengths {at['low']} to {at['high']} carry {at['carried']} of the energy"
    source = "{cite:p}`veit2016ensembles`"
    many = f"No: nearly all paths are so long {source}, but each of them carries little; {carried}."
    return Bet(
        "In 54 blocks each branch about halves a gradient: c² = 0.256. Which paths carry most of its energy?",
        [
            ("Those of 19 to 35 branches, as nearly all paths are", many),
            ("Those of 0 to 3 branches: nearly all skips", f"No: they are too few; {carried}."),
            ("A few in a thousand, in between", f"Yes: {carried}, and they are {at['paths']} of all paths."),
        ],
    )


def _tries() -> list[Try]:
    unit, small, deep = (paths(**at).shown() for at in ({"energy": 1.0}, {"energy": 0.02}, {"depth": 110}))
    return [
        Try(
            "c² = 1",
            f"puts the energy where the paths are, at {unit['low']} to {unit['high']}.",
            {"energy": 1.0},
        ),
        Try(
            "c² = 0.02",
            f"nearly 1/L, leaves it to lengths {small['low']} to {small['high']}.",
            {"energy": 0.02},
        ),
        Try("110 blocks", f"of the same gain: lengths {deep['low']} to {deep['high']}.", {"depth": 110}),
    ]


def _data() -> dict[str, Any]:
    def steps(shares: Array) -> list[int]:
        return [SHARE.stored(share) for share in shares.tolist()]

    return {
        "depth": list(DEPTHS),
        "paths": [steps(binomial(L, 0.5)) for L in DEPTHS],
        "energy": [[steps(binomial(L, e / (1 + e))) for L in DEPTHS] for e in ENERGIES],
        "window": [[list(window(binomial(L, e / (1 + e)), PART)) for L in DEPTHS] for e in ENERGIES],
    }


def _picture(label: str) -> Figure:
    L, lengths = 54, np.arange(55)
    count, at = binomial(L, 0.5), paths()
    low, high = at.exact["low"], at.exact["high"]

    def draw(axes: Any, width: int) -> None:
        axes.bar(lengths, count, width=0.9, color=colour("ink"), alpha=0.28, linewidth=0)
        for energy, words in ((0.256, "c² = 0.256"), (1.0, "c² = 1")):
            share = binomial(L, energy / (1 + energy))
            line(axes, lengths, share, role="gradient")
            top = int(share.argmax())
            note(axes, top + 1, float(share[top]) + 0.008, words, role="gradient")
        axes.plot([low, high], [0, 0], color=colour("gradient"), linewidth=6, solid_capstyle="butt")
        axes.set_ylim(0, 0.16)

    shown = at.shown()
    alt = (
        f"Two distributions over the length of a path in {L} blocks: the number of paths, around 27, and the energy of "
        f"the gradient for c² = 0.256, around {shown['mean']}. For c² = 1 the energy lies where the paths do."
    )
    caption = (
        f"With c² = 0.256, {shown['paths']} of the paths, of {low} to {high} branches, carry {shown['carried']} of the "
        "energy; with c² = 1 the energy lies where the paths are. Filled: the share of the 2⁵⁴ paths by length. "
        "Dashed: the energy by the law for independent branches, in expectation. Thick: the shortest run of lengths "
        "with 95 % of it or more."
    )
    panel = Panel(x="length of the path: branches taken", y="share")
    return figure(label, draw, panels=[panel], alt=alt, caption=caption)
