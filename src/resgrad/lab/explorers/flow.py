"""What 64 blocks do to a gradient's length and to the singular values, by the skip, the scale and the activation."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, band, figure, points
from resgrad.measure.spectrum import unresolved

BLOCKS = 64
WIDTH = 64
SEEDS = tuple(range(1, 13))
#: Of so many seeds, the first, the whole Jacobian is taken: it costs as much as a gradient for each of its rows.
WHOLE = 3
#: What the skip is multiplied by; behind the sum with the key ``relu`` stands a ReLU.
SKIPS = {"none": 0.0, "identity": 1.0, "x0.9": 0.9, "x0.5": 0.5, "relu": 1.0}
#: What the branch is multiplied by; L is the number of blocks.
BRANCHES = {"1-L": 1 / BLOCKS, "1-sqrtL": BLOCKS**-0.5, "x0.3": 0.3, "x0.5": 0.5, "x1": 1.0}
ACTIVATIONS = ("relu", "tanh", "linear")
LENGTH = Scale(0.001, log=True)
CURVE = Scale(0.01, log=True)
SHARE = Scale(0.001, percent=True)
#: So many blocks or singular values lie between two that the picture shows.
EVERY = 4

Array = NDArray[np.float64]


class Flow(NamedTuple):
    """What `measured` gives, for the five scales of the branch.

    Attributes
    ----------
    lengths : ndarray, shape (scales, seeds, L + 1)
        Of the gradient behind 0, ..., L blocks over that at the end.
    values : ndarray, shape (scales, 3, n)
        Singular values of the whole stack's Jacobian, the largest first, for the first three seeds.
    """

    lengths: Array
    values: Array


def flow(*, skip: str = "none", scale: str = "x1", activation: str = "relu") -> State:
    """Pull gradients back through 64 blocks y = a x + s phi(x) W, before any training.

    Parameters
    ----------
    skip : {"none", "identity", "x0.9", "x0.5", "relu"}
        a is 0, 1, 0.9, 0.5 or 1, in the last case with a ReLU behind the sum.
    scale : {"1-L", "1-sqrtL", "x0.3", "x0.5", "x1"}
        s, with L = 64.
    activation : {"relu", "tanh", "linear"}
        phi; W is from N(0, 2/n) for a ReLU and from N(0, 1/n) for the others.

    Returns
    -------
    State
        The length of the gradient at the input over that at the end, a random direction there: median and 10 and
        90 % of twelve seeds. Of the Jacobian, as medians of three seeds: the largest singular value, the smallest
        that double precision can tell from zero, and the share of those that it cannot.

    Raises
    ------
    ValueError
        An unknown skip, scale or activation.

    Examples
    --------
    >>> flow(skip="identity", scale="1-sqrtL").exact["zero"]
    0.0
    """
    if skip not in SKIPS or scale not in BRANCHES or activation not in ACTIVATIONS:
        raise ValueError(f"flow: no state has {skip!r}, {scale!r} and {activation!r}")
    lengths, values = (of[list(BRANCHES).index(scale)] for of in measured(skip, activation))
    low, middle, high = np.quantile(lengths[:, -1], (0.1, 0.5, 0.9))
    smallest = [s[round(WIDTH * (1 - unresolved(s))) - 1] for s in values]
    exact = {
        "length": float(middle), "low": float(low), "high": float(high), "largest": float(np.median(values[:, 0])),
        "smallest": float(np.median(smallest)), "zero": float(np.median(unresolved(values))),
    }  # fmt: skip
    call = f"flow(skip={skip!r}, scale={scale!r}, activation={activation!r})"
    return State(call, exact, {**dict.fromkeys(exact, LENGTH), "zero": SHARE})


@lru_cache
def measured(skip: str, activation: str) -> Flow:
    """Draw the networks of a skip and an activation, and pull a gradient and the identity matrix back.

    Parameters
    ----------
    skip, activation : str
        As for `flow`.

    Returns
    -------
    Flow
        For all scales at once: a network differs from that of another scale by the scale alone.
    """
    x, g, W = _drawn(2.0 if activation == "relu" else 1.0)
    s = np.array(list(BRANCHES.values()))[:, None, None, None]
    slopes, masks = _forwards(x, W, s, skip, activation)
    bars = np.broadcast_to(g, (len(s), *g.shape))
    lengths = [_length(bars)]
    for k in reversed(range(BLOCKS)):
        bars = _pulled(bars, W[:, k], s, SKIPS[skip], slopes[k], masks[k])
        lengths.append(_length(bars))
    J = np.broadcast_to(np.eye(WIDTH), (len(s), WHOLE, WIDTH, WIDTH))
    for k in reversed(range(BLOCKS)):
        few = (None if of is None else of[:, :WHOLE] for of in (slopes[k], masks[k]))
        J = _pulled(J, W[:WHOLE, k], s, SKIPS[skip], *few)
    relative = np.array(lengths) / lengths[0]
    values = np.linalg.svd(J, compute_uv=False)
    return Flow(np.moveaxis(relative, 0, -1), np.asarray(values, dtype=float))


@lru_cache
def _drawn(variance: float) -> tuple[Array, Array, Array]:
    """Draw what `resgrad.lab.start.run` draws: an input, a gradient and the weights of every seed."""
    rngs = [np.random.default_rng(seed).spawn(3) for seed in SEEDS]
    W = np.stack([of_weights.standard_normal((BLOCKS, WIDTH, WIDTH)) for of_weights, _, _ in rngs])
    x, g = (np.stack([of[k].standard_normal((1, WIDTH)) for of in rngs]) for k in (1, 2))
    return x, g, np.sqrt(variance / WIDTH) * W


def _forwards(x: Array, W: Array, s: Array, skip: str, activation: str) -> tuple[list[Any], list[Any]]:
    """Return the slopes of every activation and the mask behind every sum, None where there is none."""
    slopes: list[Any] = []
    masks: list[Any] = []
    x = np.broadcast_to(x, (len(s), *x.shape))
    for k in range(BLOCKS):
        value, slope = _SLOPED[activation](x)
        x = SKIPS[skip] * x + s * (value @ W[:, k])
        slopes.append(slope)
        masks.append(x > 0 if skip == "relu" else None)
        x = np.maximum(x, 0) if skip == "relu" else x
    return slopes, masks


_SLOPED: dict[str, Callable[[Array], tuple[Array, Any]]] = {
    "relu": lambda x: (np.maximum(x, 0), x > 0),
    "tanh": lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2),
    "linear": lambda x: (x, None),
}


def _pulled(bars: Array, W: Array, s: Array, a: float, slope: Any, mask: Any) -> Array:
    """Pull rows of gradients back through one block, for all scales and seeds at once."""
    bars = bars if mask is None else bars * mask
    branch = s * (bars @ np.swapaxes(W, -1, -2))
    return a * bars + (branch if slope is None else branch * slope)


def _length(rows: Array) -> Array:
    lengths: Array = np.linalg.norm(rows, axis=(-2, -1))
    return lengths


def flow_explorer(label: str) -> Explorer:
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
        Control(
            "skip", "the skip", tuple(SKIPS), "none", ("none", "identity", "× 0.9", "× 0.5", "ReLU after")
        ),
        Control("scale", "the branch times", tuple(BRANCHES), "x1", ("1/L", "1/√L", "0.3", "0.5", "1")),
        Control("activation", "activation", ACTIVATIONS, "relu", ("ReLU", "tanh", "none")),
    ]
    heads = {
        "length": "length, median", "low": "10 %", "high": "90 %", "largest": "largest value",
        "smallest": "smallest above zero", "zero": "zeros",
    }  # fmt: skip
    return explorer(
        _picture(label),
        flow,
        controls,
        say=_SAY,
        heads=heads,
        bet=_bet(),
        tries=_tries(),
        data=_data(),
        stored=_STORED,
    )


_SAY = (
    f"Skip: {{skip}}; branch times {{scale}}; activation: {{activation}}. Behind {BLOCKS} blocks {{length}} of a "
    "gradient’s length is left; singular values from {smallest} to {largest}, and {zero} of them are zero."
)
_STORED = (
    f"Length at the input over that at the end: median, 10 and 90 % of {len(SEEDS)} seeds. Singular values: medians of "
    f"{WHOLE} of them; one below 64 ε times the largest counts as zero. Width {WIDTH}, L = {BLOCKS}. Stored as the "
    f"decimal logarithm, in whole steps of {LENGTH.step:g}, curves of {CURVE.step:g}; shares in steps of 0.1 %."
)


def _bet() -> Bet:
    at = flow().shown()
    length = f"the median is {at['length']}, from {at['low']} to {at['high']} over the seeds"
    return Bet(
        f"{BLOCKS} layers without a skip, ReLU and He’s initialisation. What is left of a gradient’s length?",
        [
            (
                "A hundred-millionth: it vanishes",
                f"No: {length}. The spectrum has collapsed, not the length.",
            ),
            ("A hundredth", f"No: {length}."),
            ("About a quarter", f"Yes: {length}. But {at['zero']} of the singular values are zero."),
        ],
    )


def _tries() -> list[Try]:
    skip = flow(skip="identity", scale="1-sqrtL").shown()
    less = flow(skip="x0.9", scale="1-sqrtL").shown()
    after = flow(skip="relu", scale="1-sqrtL").shown()
    large = flow(skip="identity").shown()
    return [
        Try(
            "Add the skip, branch times 1/√L",
            f"and the length is {skip['length']}, the values {skip['smallest']} to {skip['largest']}.",
            {"skip": "identity", "scale": "1-sqrtL"},
        ),
        Try("The skip times 0.9", f"leaves {less['length']}.", {"skip": "x0.9", "scale": "1-sqrtL"}),
        Try(
            "A ReLU after the sum",
            f"leaves the length at {after['length']}, and {after['zero']} of the values are zero.",
            {"skip": "relu", "scale": "1-sqrtL"},
        ),
        Try("The branch as it is", f"makes it explode, to {large['length']}.", {"skip": "identity"}),
    ]


def _data() -> dict[str, Any]:
    found = [[measured(skip, phi) for skip in SKIPS] for phi in ACTIVATIONS]
    return {
        "passed": list(range(0, BLOCKS + 1, EVERY)),
        "order": list(range(0, WIDTH, EVERY)),
        "lengths": [[[_curves(of) for of in at.lengths] for at in row] for row in found],
        "values": [[[_spectrum(of) for of in at.values] for at in row] for row in found],
    }


def _curves(lengths: Array) -> list[list[int]]:
    rows = np.quantile(lengths[:, ::EVERY], (0.1, 0.5, 0.9), axis=0)
    return [CURVE.stored(tuple(row.tolist())) for row in rows]


def _spectrum(values: Array) -> list[int]:
    """Medians by order, without those that are zero in the median."""
    open_ones = round(WIDTH * (1 - float(np.median(unresolved(values)))))
    stored: list[int] = CURVE.stored(tuple(np.median(values, axis=0)[:open_ones:EVERY].tolist()))
    return stored


def _picture(label: str) -> Figure:
    scale = list(BRANCHES).index("1-sqrtL")
    kinds = {"no skip": ("none", -1, "ink", 0), "skip": ("identity", scale, "skip", 0)}
    kinds |= {"× 0.9": ("x0.9", scale, "skip", 1), "ReLU after": ("relu", scale, "skip", 2)}

    def draw(axes: Any, width: int) -> None:
        axes[0].set(yscale="log", ylim=(1e-4, 1e2))
        axes[1].set(yscale="log", ylim=(1e-10, 1e2))
        for words, (skip, at, role, shade) in kinds.items():
            found = measured(skip, "relu")
            band(axes[0], np.arange(BLOCKS + 1), found.lengths[at], role=role, shade=shade, label=words)
            seen = round(WIDTH * (1 - float(unresolved(found.values[at]).max()))) // EVERY
            order = np.arange(WIDTH)[::EVERY][:seen]
            points(axes[1], order + 1, found.values[at][:, order], role=role, shade=shade)

    none = flow().shown()
    skip, less, after = (flow(skip=kind, scale="1-sqrtL").shown() for kind in ("identity", "x0.9", "relu"))
    alt = (
        f"Left, length of a gradient by blocks passed: without a skip it ends at {none['length']}, with one and the "
        f"branch times 1/√L at {skip['length']}, with the skip times 0.9 at {less['length']}, with a ReLU after the "
        f"sum at {after['length']}. Right, singular values: without a skip they fall over decades and {none['zero']} "
        f"are zero; with one they lie between {skip['smallest']} and {skip['largest']}."
    )
    caption = (
        f"Without a skip {none['length']} of a gradient’s length is left behind {BLOCKS} layers, but {none['zero']} of "
        f"the singular values are zero; with one, and branches times 1/√L, {skip['length']}, and none is. Left: length "
        "relative to that at the end, medians in bands from 10 to 90 % of "
        f"{len(SEEDS)} seeds. Right: singular values of the whole stack, medians with bars of {WHOLE} seeds; zero is "
        f"what double precision cannot tell from it. F(x) = s relu(x)W, width {WIDTH}, at initialisation; both axes of "
        "lengths are logarithmic."
    )
    panels = [Panel(x="blocks passed", y="length, relative"), Panel(x="order", y="singular value")]
    return figure(label, draw, panels=panels, alt=alt, caption=caption)
