"""How much of the skip stays open behind 54 blocks, by the order of their layers and the scale of their branches."""

from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.stack import trace
from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, figure, line, note
from resgrad.lab.order import ORDERS, Setting, initial, network
from resgrad.lab.panels import Axis, Curve, Plot, Words, panel

BLOCKS, WIDTH, ROWS = 54, 32, 32
SEEDS = (1, 2, 3)
#: An order, its name in the library, and the layer of its branch that comes last and carries the scale.
PLACED = dict(zip(("a", "b", "c", "d", "e"), zip(ORDERS, (4, 3, 4, 5, 5), strict=True), strict=True))
BRANCHES = {"one": 1.0, "1-sqrtL": BLOCKS**-0.5}
SHARE = Scale(0.001, percent=True)
LENGTH = Scale(0.001, log=True)
#: So many blocks lie between two points of a curve.
EVERY = 3

Array = NDArray[np.float64]


class Kept(NamedTuple):
    """What `measured` gives, for each seed.

    Attributes
    ----------
    open : ndarray, shape (seeds, L + 1)
        Share of the entries that are open in all of the uppermost 0, ..., L blocks.
    shut : ndarray, shape (seeds,)
        Share that is shut in the block that shuts most.
    skips, whole : ndarray, shape (seeds, L + 1)
        Length of the gradient behind so many blocks over that at the end: over the skips alone, and all of it.
    """

    open: Array
    shut: Array
    skips: Array
    whole: Array


def order(*, order: str = "a", scale: str = "1-sqrtL") -> State:
    """Pull a gradient back through 54 blocks of one order, before any training.

    Parameters
    ----------
    order : {"a", "b", "c", "d", "e"}
        Behind the addition stands a ReLU, as in 2015 (a), or a BatchNorm and a ReLU (b); the branch ends in a ReLU
        (c), begins with one (d), or begins with a BatchNorm and a ReLU, as in 2016 (e).
    scale : {"one", "1-sqrtL"}
        What the branch is multiplied by.

    Returns
    -------
    State
        Medians of three seeds: the share of the entries of the skip path that no block shuts, the share that the block
        shuts which shuts most, and the length of the gradient over the skips alone and of the whole one.

    Raises
    ------
    ValueError
        An unknown order or scale.

    Examples
    --------
    >>> order(order="e").exact["open"]
    1.0
    """
    found = measured(order, scale)
    names = ("open", "skips", "whole")
    exact = {name: float(np.median(getattr(found, name)[:, -1])) for name in names}
    exact["shut"] = float(np.median(found.shut))
    scales = {"open": SHARE, "skips": LENGTH, "whole": LENGTH, "shut": SHARE}
    return State(f"order(order={order!r}, scale={scale!r})", exact, scales)


@lru_cache
def measured(order: str, scale: str) -> Kept:
    """Draw networks of one order and pull gradients back, with and without their branches.

    Parameters
    ----------
    order, scale : str
        As for the explorer.

    Returns
    -------
    Kept
        For each seed.

    Raises
    ------
    ValueError
        An unknown order or scale.
    """
    if order not in PLACED or scale not in BRANCHES:
        raise ValueError(f"order: no state has {order!r} and {scale!r}")
    runs = [_run(order, BRANCHES[scale], seed) for seed in SEEDS]
    return Kept(*(np.array(of) for of in zip(*runs, strict=True)))


def _run(order: str, scale: float, seed: int) -> Kept:
    """Draw what `resgrad.lab.order.run` draws; only (a) and (b) have anything on the skip."""
    name, last = PLACED[order]
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    setting = Setting(name, blocks=BLOCKS, width=WIDTH, rows=ROWS)
    theta = [_scaled(block, last, scale) for block in initial(setting, rng=weights_rng)]
    x, g = np.abs(x_rng.standard_normal((ROWS, WIDTH))), g_rng.standard_normal((ROWS, WIDTH))
    xs, pull = trace(*network(setting))(x, *theta)
    whole = _lengths(pull(g)[0])
    if order not in "ab":
        return Kept(np.ones(BLOCKS + 1), np.array(0.0), np.ones(BLOCKS + 1), whole)
    masks = np.array([x_l > 0 for x_l in xs[:0:-1]])
    passed = np.logical_and.accumulate(masks, axis=0).mean(axis=(1, 2))
    _, pull = trace(*network(setting._replace(skip_alone=True)))(x, *theta)
    shut = 1 - masks.mean(axis=(1, 2)).min()
    return Kept(np.append(1.0, passed), shut, _lengths(pull(g)[0]), whole)


def _scaled(block: tuple[Any, ...], last: int, scale: float) -> tuple[Any, ...]:
    """Multiply the gain of the branch's last normalisation, or its last weights; the shifts are zero."""
    return tuple(tuple(scale * p for p in layer) if k == last else layer for k, layer in enumerate(block))


def _lengths(bars: Any) -> Array:
    lengths = np.array([np.linalg.norm(bar) for bar in bars])[::-1]
    return np.asarray(lengths / lengths[0])


def order_explorer(label: str) -> Explorer:
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
        Control("order", "the order", tuple(PLACED), "a", _NAMES),
        Control("scale", "the branch times", tuple(BRANCHES), "1-sqrtL", ("1", "1/√L")),
    ]
    heads = {
        "open": "open in all blocks",
        "shut": "shut in one",
        "skips": "over the skips",
        "whole": "whole gradient",
    }
    return explorer(
        _picture(label),
        order,
        controls,
        say=_SAY,
        heads=heads,
        bet=_bet(),
        tries=_tries(),
        data=None,
        stored=_STORED,
        panels=[_panel(*state) for state in product(PLACED, BRANCHES)],
    )


_NAMES = ("(a) sum, ReLU", "(b) sum, BN, ReLU", "(c) ReLU, sum", "(d) ReLU first", "(e) BN, ReLU first")
_SAY = (
    "Order: {order}; branch times {scale}. Of the skip’s entries {open} are open through all 54 blocks, and the block "
    "that shuts most shuts {shut}. The gradient’s length over the skips alone: {skips}; in all: {whole}."
)
_STORED = (
    f"Medians of {len(SEEDS)} seeds; lengths relative to that at the end. Width {WIDTH}, {ROWS} "
    "samples, BatchNorm with their statistics. Shares are stored in steps of 0.1 %, lengths as their decimal logarithm "
    f"in steps of {LENGTH.step:g}."
)


def _bet() -> Bet:
    at, large = order().shown(), order(scale="one").shown()
    return Bet(
        "A ReLU stands after each of 54 additions, and branches are divided by √L. How much of the skip is open?",
        [
            (
                "0.5 to the power of 54: each ReLU shuts a half",
                f"No: {at['open']}. The stream is positive there, and a branch must outweigh it to shut an entry.",
            ),
            (
                "Nearly all of it",
                f"No: {at['open']}, although no single block shuts more than {at['shut']}.",
            ),
            ("About a half", f"Yes: {at['open']}; with branches as they are, {large['open']}."),
        ],
    )


def _tries() -> list[Try]:
    large, norm = order(scale="one").shown(), order(order="b").shown()
    full = order(order="e").shown()
    return [
        Try("Branches as they are", f"leave {large['open']} open.", {"scale": "one"}),
        Try(
            "A BatchNorm as well",
            f"leaves {norm['open']} open and makes what is left longer, {norm['skips']}.",
            {"order": "b"},
        ),
        Try(
            "Pre-activation",
            f"leaves {full['open']} open; the whole gradient has the length {full['whole']}.",
            {"order": "e"},
        ),
    ]


def _panel(order_: str, scale: str) -> dict[str, str]:
    found = measured(order_, scale)
    seen = np.arange(0, BLOCKS + 1, EVERY)
    passed = Axis(0, BLOCKS, (0, 18, 36, 54), "blocks passed")
    shown = order(order=order_, scale=scale).shown()

    def curves(of: Array, role: str, log: bool = True) -> list[Curve]:
        return [Curve(seen, np.log10(one[seen]) if log else one[seen], role) for one in of]

    share = Plot(passed, Axis(0, 1, (0, 0.5, 1), "share open"), curves(found.open, "skip thin", log=False))
    lines = curves(found.skips, "skip thin") + curves(found.whole, "gradient")
    remarks = [
        Words(53, 6.3, "dashed: all", "gradient", end=True),
        Words(53, 5, "solid: skips", "skip", end=True),
    ]
    if float(np.median(found.whole[:, -1])) > 1e3:  # the lines come up there, and only the lower left is free
        remarks = [one._replace(x=1, y=y, end=False) for one, y in zip(remarks, (-5, -6.3), strict=True)]
    lengths = Plot(passed, Axis(-7, 7, (-6, -3, 0, 3, 6), "length", log=True), lines, remarks)
    alt = f"{shown['open']} open through all blocks; lengths {shown['skips']} over the skips, {shown['whole']} in all."
    return panel([share, lengths], alt)


def _picture(label: str) -> Figure:
    seen = np.arange(BLOCKS + 1)

    def draw(axes: Any, width: int) -> None:
        for panel_, scale in zip(axes, ("1-sqrtL", "one"), strict=True):
            panel_.set(ylim=(-0.03, 1.08), xlim=(0, BLOCKS))
            for k, shade in (("a", 0), ("b", 1)):
                for one in measured(k, scale).open:
                    line(panel_, seen, one, role="skip", shade=shade)
            line(panel_, seen, np.ones(BLOCKS + 1), role="ink")
            note(panel_, 53, 1.05, "(c) (d) (e)", ha="right", role="ink")
        note(axes[0], 53, 0.66, "(a)", role="skip", ha="right")
        note(axes[0], 53, 0.12, "(b)", role="skip", ha="right")
        note(axes[1], 49, 0.42, "(a)", role="skip", ha="right")
        note(axes[1], 16, 0.05, "(b)", role="skip")

    a, large, b = order().shown(), order(scale="one").shown(), order(order="b").shown()
    alt = (
        f"Share of the skip's entries that are open in all blocks passed. With branches divided by √L it falls to "
        f"{a['open']} in order (a) and {b['open']} in (b); with branches as they are to {large['open']} in (a) and to "
        "nothing in (b). In (c), (d) and (e) it stays 1."
    )
    caption = (
        f"With a ReLU after each addition {a['open']} of the skip’s entries are open through all {BLOCKS} blocks if "
        f"branches are divided by √L, and {large['open']} if they are not; with a BatchNorm there too, {b['open']} and "
        "none; with nothing there, all. Left: branches divided by √L; right: as they are. (a) to (e) are the orders of "
        f"He and others; a line for each of {len(SEEDS)} seeds, width {WIDTH}, {ROWS} samples, BatchNorm with their "
        "statistics, at initialisation. The chosen state also shows lengths, on a logarithmic axis."
    )
    panels = [Panel(title="Branch divided by √L", x="blocks passed", y="share open")]
    panels.append(Panel(title="Branch as it is", x="blocks passed", y="share open"))
    return figure(label, draw, panels=panels, alt=alt, caption=caption)
