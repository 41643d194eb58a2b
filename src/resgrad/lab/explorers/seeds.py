"""How sure a ratio of two networks' losses is, by the number of runs, which runs they are, and depth."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.lab.ensemble import IMAGES, STEPS, WIDTH, trained
from resgrad.lab.ensemble import SEEDS as ALL
from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, colour, figure, note

#: Numbers of runs, and the 97.5 % quantile of Student's t for the mean of as many.
RUNS = {
    1: math.nan, 2: 12.706, 3: 4.303, 5: 2.776, 10: 2.262, 20: 2.093, 50: 2.010, 100: 1.984,
}  # fmt: skip
#: 0 takes the runs with the largest ratios, 1 those with the smallest; the others are drawn at random.
DRAWS = tuple(range(10))
DEPTHS = (2, 4, 8)
RATIO = Scale(0.001, log=True)
SHARE = Scale(0.001, percent=True)

Array = NDArray[np.float64]


class Mean(NamedTuple):
    """A mean of logarithms to the base 10 and the ends of its 95 % interval, None for a single run.

    Attributes
    ----------
    value : float
    low, high : float or None
    """

    value: float
    low: float | None
    high: float | None


def seeds(*, runs: int = 1, draw: int = 0, depth: int = 4) -> State:
    """Compare plain and residual networks after a short training, by the mean of some of a hundred seeds.

    Parameters
    ----------
    runs : int
        How many seeds, a key of `RUNS`.
    draw : int
        Which: 0 those with the largest ratios, 1 with the smallest, 2 to 9 one random draw each.
    depth : int
        Blocks, 2, 4 or 8.

    Returns
    -------
    State
        The plain network's training loss over the residual one's, as a geometric mean, its 95 % interval by Student's
        t as if the runs were drawn at random, and the share of the runs in which the plain network's is smaller.

    Raises
    ------
    ValueError
        Another number of runs, draw or depth.

    Examples
    --------
    >>> print(seeds(runs=1).shown()["interval"])
    not measured
    """
    if runs not in RUNS or draw not in DRAWS or depth not in DEPTHS:
        raise ValueError(f"seeds: no state has {runs}, {draw} and {depth}")
    logs = logarithms(depth)[chosen(draw, depth)[:runs]]
    value, low, high = (None if v is None else 10**v for v in mean(logs))
    exact = {
        "ratio": value,
        "interval": None if low is None else (low, high),
        "worse": float(np.mean(logs < 0)),
    }
    call = f"seeds(runs={runs}, draw={draw}, depth={depth})"
    return State(call, exact, {"ratio": RATIO, "interval": RATIO, "worse": SHARE})


@lru_cache
def logarithms(depth: int) -> Array:
    """Train the networks of all seeds.

    Parameters
    ----------
    depth : int
        Blocks.

    Returns
    -------
    ndarray, shape (100,)
        The decimal logarithm of the plain network's loss over the residual one's, for each seed.
    """
    plain, residual = (trained(depth, skip=skip) for skip in (False, True))
    return np.asarray(np.log10(plain / residual))


def chosen(draw: int, depth: int) -> NDArray[np.intp]:
    """Return the seeds in the order in which a draw takes them.

    Parameters
    ----------
    draw : int
        As for `seeds`.
    depth : int
        Blocks: where luck depends on it.

    Returns
    -------
    ndarray of int, shape (100,)
    """
    if draw > 1:
        return np.random.default_rng(draw).permutation(len(ALL))
    return np.argsort(logarithms(depth) * (1 if draw else -1), kind="stable")


def mean(logs: Array) -> Mean:
    """Return the mean of some logarithms and its 95 % interval.

    Parameters
    ----------
    logs : ndarray, shape (runs,)
        As many as a key of `RUNS`.

    Returns
    -------
    Mean

    Examples
    --------
    >>> mean(np.array([0.0, 1.0])).value
    0.5
    """
    value = float(logs.mean())
    if len(logs) == 1:
        return Mean(value, None, None)
    half = RUNS[len(logs)] * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return Mean(value, value - half, value + half)


def seeds_explorer(label: str) -> Explorer:
    """Make the explorer.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``.

    Returns
    -------
    Explorer
    """
    spoken = ("the luckiest", "the unluckiest", *(f"at random, draw {k}" for k in DRAWS[:-2]))
    controls = [
        Control("runs", "seeds", tuple(RUNS), 1),
        Control("draw", "which of a hundred", DRAWS, 0, spoken),
        Control("depth", "blocks", DEPTHS, 4),
    ]
    return explorer(
        _picture(label),
        seeds,
        controls,
        say=_SAY,
        heads={"ratio": "ratio, mean", "interval": "95 % interval", "worse": "plain is better"},
        bet=_bet(),
        tries=_tries(),
        data=_data(),
        stored=_STORED,
    )


_SAY = (
    "Seeds: {runs}, {draw}; blocks: {depth}. The plain network’s loss is {ratio} times the residual one’s (geometric "
    "mean; 95 % interval: {interval}), and smaller in {worse} of these runs."
)
_STORED = (
    f"Loss on {IMAGES} digits after {STEPS} steps of Adam, width {WIDTH}, plain over residual. Intervals by Student’s "
    "t, as if the runs were drawn at random: for the luckiest they are wrong. Ratios are stored as their decimal "
    f"logarithm, in whole steps of {RATIO.step:g}, shares in steps of 0.1 %."
)


def _bet() -> Bet:
    one, every = seeds().shown(), seeds(runs=100).shown()
    told = f"it is {every['worse']} of a hundred seeds"
    return Bet(
        f"In one run the plain network’s loss is {one['ratio']} times that of the residual one. In what share of all "
        "seeds is the plain network better?",
        [
            ("In none: the ratio is far from one", f"No: {told}. This is the luckiest of them."),
            ("In about a sixth", f"Yes: {told}; the mean ratio is {every['ratio']}, {every['interval']}."),
            ("In a half", f"No: {told}; the mean ratio is {every['ratio']}, {every['interval']}."),
        ],
    )


def _tries() -> list[Try]:
    unlucky = seeds(draw=1).shown()
    five, every = seeds(runs=5, draw=2).shown(), seeds(runs=100).shown()
    shallow = seeds(runs=100, depth=2).shown()
    return [
        Try("The unluckiest seed", f"and the ratio is {unlucky['ratio']}.", {"draw": 1}),
        Try("Five at random", f"give {five['ratio']}, {five['interval']}.", {"runs": 5, "draw": 2}),
        Try("All hundred", f"give {every['ratio']}, {every['interval']}.", {"runs": 100}),
        Try(
            "Two blocks",
            f"give {shallow['ratio']} in all hundred, and the plain network is better in {shallow['worse']}.",
            {"runs": 100, "depth": 2},
        ),
    ]


def _data() -> dict[str, Any]:
    def steps(values: Any) -> list[int]:
        return [round(float(value) / RATIO.step) for value in values if value is not None]

    return {
        "runs": list(RUNS),
        "logs": [steps(logarithms(depth)) for depth in DEPTHS],
        "chosen": [[chosen(draw, depth).tolist() for draw in DRAWS[:2]] for depth in DEPTHS],
        "drawn": [chosen(draw, DEPTHS[0]).tolist() for draw in DRAWS[2:]],
        "means": [
            [[steps(mean(logarithms(depth)[chosen(k, depth)[:runs]])) for depth in DEPTHS] for k in DRAWS]
            for runs in RUNS
        ],
    }


def stacked(logs: Array) -> Array:
    """Return how high the dot of each run stands, with those of about the same ratio on top of each other.

    Parameters
    ----------
    logs : ndarray, shape (runs,)

    Returns
    -------
    ndarray, shape (runs,)
        1 for the lowest.

    Examples
    --------
    >>> stacked(np.array([0.0, 1.0, 0.01])).tolist()
    [1, 1, 2]
    """
    bins = np.floor(10 * logs)
    return np.array([int((bins[: k + 1] == one).sum()) for k, one in enumerate(bins)])


def _picture(label: str) -> Figure:
    logs = logarithms(4)
    heights, bins = stacked(logs), (np.floor(10 * logs) + 0.5) / 10
    first = int(logs.argmax())
    all_of_them = mean(logs)

    def draw(axes: Any, width: int) -> None:
        axes.set(xscale="log", xlim=(0.1, 400), ylim=(0, heights.max() + 4))
        axes.axvline(1, color=colour("hairline"), linewidth=1)
        size = 5 if width > 400 else 4
        axes.plot(10**bins, heights, "o", color=colour("axis"), markersize=size, markerfacecolor="none")
        axes.plot(10 ** bins[first], heights[first], "o", color=colour("ink"), markersize=size + 2)
        top = heights.max() + 2
        assert all_of_them.low is not None
        assert all_of_them.high is not None
        axes.plot([10**all_of_them.low, 10**all_of_them.high], [top, top], color=colour("ink"))
        axes.plot(10**all_of_them.value, top, "s", color=colour("ink"), markersize=6)
        note(axes, 10 ** (all_of_them.high + 0.1), top, "mean of all", role="ink")
        note(axes, 10 ** bins[first], heights[first] + 2, "one run", role="ink", ha="center")

    one, unlucky, every = seeds().shown(), seeds(draw=1).shown(), seeds(runs=100).shown()
    alt = (
        f"A hundred runs as dots along the ratio of losses, plain over residual, on a logarithmic axis from "
        f"{unlucky['ratio']} to {one['ratio']}; {every['worse']} lie below one. Mean {every['ratio']}, interval "
        f"{every['interval']}."
    )
    caption = (
        f"One run says {one['ratio']} and another {unlucky['ratio']}; a hundred say {every['ratio']}, with an interval "
        f"of {every['interval']}, and the plain network is better in {every['worse']} of them. Each dot is a seed: the "
        "training loss of a plain network over that of a residual one, in bins of a "
        "tenth of its decimal logarithm; square and bar: the geometric mean of all and its 95 % interval; the "
        f"axis is logarithmic. Four blocks, width {WIDTH}, {IMAGES} digits, {STEPS} steps of "
        "Adam, one learning rate for both."
    )
    return figure(label, draw, panels=[Panel(x="ratio of losses", y="seeds")], alt=alt, caption=caption)
