"""What gated skips keep of a gradient, by the bias of their gates at the start and by depth."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.shortcut import highway
from resgrad.blocks.stack import stack
from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, figure, line, note
from resgrad.lab.labels import number
from resgrad.lab.shortcut import SEEDS, kept
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.activation import sigmoid, tanh
from resgrad.rules.linear import linear

BIASES = tuple((k - 28) / 4 for k in range(29))
WHOLE = tuple(range(-7, 1))
DEPTHS = (10, 20, 54, 100)
SCALE = Scale(0.0001, log=True)

_WIDTH = 16


def gate(*, bias: float = 0, depth: int = 54) -> State:
    """Compute what the skips of a highway network keep, beside what is measured behind drawn ones.

    Parameters
    ----------
    bias : float
        b, of every gate; networks are drawn for the whole numbers from -7 to 0.
    depth : int
        How many blocks.

    Returns
    -------
    State
        What the skips alone keep with gates that see their bias alone, see :eq:`eq-shortcut-gate`, and the median
        of the whole gradient's length, of ten seeds and relative to that at the output.

    Examples
    --------
    >>> print(gate(bias=-4, depth=54).shown()["kept"])
    0.375
    """
    drawn = float(np.median(measured(depth)[WHOLE.index(bias)])) if bias in WHOLE else None
    exact = {"kept": kept(bias, depth), "measured": drawn}
    return State(f"gate(bias={bias}, depth={depth})", exact, dict.fromkeys(exact, SCALE))


@lru_cache
def measured(depth: int) -> NDArray[np.float64]:
    """Pull one gradient back through highway networks, as `resgrad.lab.shortcut.run` for each bias of its own.

    Parameters
    ----------
    depth : int
        How many blocks.

    Returns
    -------
    ndarray, shape (biases, seeds)
        The length of the gradient at the input over that at the output.
    """
    return np.array([_run(depth, seed) for seed in SEEDS]).T


def _run(depth: int, seed: int) -> NDArray[np.float64]:
    """Draw what `run` draws; each row of x has the gates of another bias, so that one pass serves all."""
    rng = np.random.default_rng(seed)
    x, y_bar = (np.tile(v, (len(WHOLE), 1)) for v in rng.standard_normal((2, 1, _WIDTH)))
    thetas = []
    for _ in range(depth):
        W_H, W_T = rng.standard_normal((2, _WIDTH, _WIDTH)) / _WIDTH**0.5
        thetas.append((((W_H, np.zeros(_WIDTH)), ()), ((W_T,), ())))
    block = highway(stack(linear, tanh), stack(_shifted(np.array(WHOLE)[:, None]), sigmoid))
    _, vjp = stack(*[block] * depth)(x, *thetas)
    lengths: NDArray[np.float64] = np.linalg.norm(vjp(y_bar)[0], axis=1) / np.linalg.norm(y_bar, axis=1)
    return lengths


def _shifted(biases: Array) -> Rule:
    def layer(x: Array, W: Array) -> tuple[Array, Vjp]:
        y, vjp = linear(x, W, np.zeros(W.shape[1]))
        return y + biases, lambda y_bar: vjp(y_bar)[:2]

    return layer


def gate_explorer(label: str) -> Explorer:
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
        Control("bias", "bias of the gates", BIASES, 0.0),
        Control("depth", "blocks", DEPTHS, 54),
    ]
    return explorer(
        _picture(label),
        gate,
        controls,
        say=_SAY,
        heads={"kept": "skips alone", "measured": "whole gradient, median"},
        bet=_bet(),
        tries=_tries(),
        data=_data(),
        stored=_STORED,
    )


_SAY = (
    "With a bias of {bias}, the skips of {depth} blocks keep {kept} of a gradient; the whole gradient behind drawn "
    "networks: {measured}."
)
_STORED = (
    f"Lengths relative to that at the output; stored as their decimal logarithm, in whole steps of {SCALE.step:g}. "
    f"Networks of width {_WIDTH} were drawn for whole biases, {len(SEEDS)} seeds."
)


def _bet() -> Bet:
    half, all_of_it = gate(bias=0, depth=1).shown()["kept"], gate(bias=0).shown()["kept"]
    return Bet(
        "At a bias of 0 every gate is half open. What do the skips of 54 blocks keep of a gradient?",
        [
            (
                "A half, as each of them does",
                f"No: one block keeps {half}, and 54 keep its 54th power, {all_of_it}.",
            ),
            ("A 54th", f"No: factors multiply, they do not share: it is {all_of_it}."),
            ("Less than a millionth of a millionth", f"Yes: a half to the power of 54 is {all_of_it}."),
        ],
    )


def _tries() -> list[Try]:
    low, high, two, seven = (gate(bias=b).shown()["kept"] for b in (-4.5, -4.25, -2, -7))
    return [
        Try(
            "Keep half of it",
            f"with a bias between −4.25, which keeps {high}, and −4.5: {low}.",
            {"bias": -4.25},
        ),
        Try("A bias of −2", f"keeps {two}.", {"bias": -2.0}),
        Try(
            "A bias of −7",
            f"keeps {seven} over the skips, and the weights of the gates cost more.",
            {"bias": -7.0},
        ),
    ]


def _data() -> dict[str, Any]:
    quantiles = [np.quantile(measured(depth), (0.1, 0.5, 0.9), axis=1) for depth in DEPTHS]
    return {
        "bias": list(BIASES),
        "kept": [[SCALE.stored(kept(b, depth)) for b in BIASES] for depth in DEPTHS],
        "whole": list(WHOLE),
        "measured": [[SCALE.stored(tuple(row.tolist())) for row in of_depth] for of_depth in quantiles],
    }


def _picture(label: str) -> Figure:
    fine = np.linspace(-7, 0, 141)
    halves = {L: float(np.log(2 ** (1 / L) - 1)) for L in DEPTHS}

    def draw(axes: Any, width: int) -> None:
        for L, at in halves.items():
            line(axes, fine, [kept(b, L) for b in fine], role="skip")
            note(axes, at + 0.1, 0.5, str(L))
        note(axes, halves[10] + 0.1 + (0.35 if width > 400 else 0.75), 0.5, "blocks")
        axes.set_ylim(0, 1)

    shown = {b: gate(bias=b).shown()["kept"] for b in (0, -2, -7)}
    half = number(halves[54])
    alt = (
        "The share of a gradient that gated skips keep, by the bias of their gates, for 10, 20, 54 and 100 blocks. "
        f"Each curve falls from left to right; for 54 blocks from {shown[-7]} at −7 over a half at {half} to "
        f"{shown[-2]} at −2. For more blocks it lies further to the left."
    )
    caption = (
        f"Skips with gates that are half open, at a bias of 0, keep {shown[0]} of a gradient over 54 blocks; half of "
        f"it is kept at {half}. Lines: what the skips alone keep, with gates that see their bias alone; this axis is "
        "not logarithmic. Points, where the figure can be changed: the whole gradient behind drawn networks, medians "
        f"with bars from 10 to 90 % of {len(SEEDS)} seeds, width {_WIDTH}."
    )
    panel = Panel(x="bias of the gates at the start", y="share of the gradient kept")
    return figure(label, draw, panels=[panel], alt=alt, caption=caption)
