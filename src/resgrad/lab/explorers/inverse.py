"""How near the fixed-point iteration comes to x, by the branch, its Lipschitz constant and the number of steps."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, figure, line
from resgrad.lab.labels import number
from resgrad.measure.inverse import iterates
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.activation import relu, tanh

CONSTANTS = tuple(round(0.05 * k, 2) for k in range(2, 26))
BRANCHES = ("orthogonal", "tanh", "relu")
STEPS = (4, 10, 20, 30, 40)
SEEDS = tuple(range(1, 13))
SCALE = Scale(0.0001, log=True)
CURVE = Scale(0.01, log=True)
#: What is nearer than this is shown as this: rounding decides there.
FLOOR = 1e-12

_WIDTH = 16


def inverse(*, branch: str = "orthogonal", constant: float = 0.9, steps: int = 40) -> State:
    """Iterate u = y - F(u) from u = y, for y = F(x) + x, and compare with x.

    Parameters
    ----------
    branch : {"orthogonal", "tanh", "relu"}
        F(x) = c x Q with Q orthogonal, or c tanh(x Q), or c relu(x Q).
    constant : float
        c, a Lipschitz constant of F.
    steps : int
        How many, 0 to 40.

    Returns
    -------
    State
        The distance from x over the distance at the start, not below 1e-12: the median of twelve seeds.

    Raises
    ------
    ValueError
        An unknown branch.

    Examples
    --------
    >>> print(inverse(constant=0.5, steps=10).shown()["left"])
    0.000977
    """
    left = float(np.median(distances(branch, constant)[:, steps]))
    call = f"inverse(branch={branch!r}, constant={constant}, steps={steps})"
    return State(call, {"left": left}, {"left": SCALE})


@lru_cache(maxsize=256)
def distances(branch: str, constant: float) -> NDArray[np.float64]:
    """Measure how far the iterates are from x, for each seed.

    Parameters
    ----------
    branch : str
        As for `inverse`.
    constant : float
        c.

    Returns
    -------
    ndarray, shape (seeds, 41)
        Relative to the first distance, not below 1e-12.

    Raises
    ------
    ValueError
        An unknown branch.
    """
    if branch not in BRANCHES:
        raise ValueError(f"branch: expected one of {BRANCHES}, got {branch!r}")
    x, Q = _drawn()
    F = _scaled(branch, constant)
    y, _ = residual(F)(x, Q)
    errors = np.array([np.linalg.norm(u - x, axis=(1, 2)) for u in iterates(F, y, Q, steps=max(STEPS))]).T
    relative: NDArray[np.float64] = np.maximum(errors / errors[:, :1], FLOOR)
    return relative


@lru_cache
def _drawn() -> tuple[Array, Array]:
    """Draw a row x and an orthogonal Q for each seed, stacked."""
    rngs = [np.random.default_rng(seed) for seed in SEEDS]
    Q = np.stack([np.linalg.qr(rng.standard_normal((_WIDTH, _WIDTH)))[0] for rng in rngs])
    return np.stack([rng.standard_normal((1, _WIDTH)) for rng in rngs]), Q


def _scaled(branch: str, c: float) -> Rule:
    """Return the branch as a rule of x and Q, both stacked over the seeds."""
    phi: Callable[..., Any] = {"orthogonal": lambda a: (a, lambda bar: (bar,)), "tanh": tanh, "relu": relu}[
        branch
    ]

    def F(x: Array, Q: Array) -> tuple[Array, Vjp]:
        value, phi_vjp = phi(x @ Q)

        def vjp(y_bar: Array) -> tuple[Array, Array]:
            (a_bar,) = phi_vjp(c * y_bar)
            return a_bar @ np.swapaxes(Q, 1, 2), np.swapaxes(x, 1, 2) @ a_bar

        return c * value, vjp

    return F


def inverse_explorer(label: str) -> Explorer:
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
        Control("branch", "the branch", BRANCHES, "orthogonal", ("orthogonal", "tanh", "ReLU")),
        Control("constant", "its Lipschitz constant c", CONSTANTS, 0.9),
        Control("steps", "steps", STEPS, 40),
    ]
    return explorer(
        _picture(label),
        inverse,
        controls,
        say="Branch: {branch}, c = {constant}. After {steps} steps {left} of the distance from x is left (median; "
        "10⁻¹² stands for that or less).",
        heads={"left": "distance left"},
        bet=_bet(),
        tries=_tries(),
        data=_data(),
        stored=_STORED,
        across="steps",
    )


_STORED = (
    f"Distance from x over that at the start, medians of {len(SEEDS)} seeds at width {_WIDTH}; stored as the decimal "
    f"logarithm, in whole steps of {SCALE.step:g}, curves of {CURVE.step:g}. What is below 10⁻¹² is shown as 10⁻¹²."
)


def _bet() -> Bet:
    left, sixteen = inverse().shown()["left"], number(0.4**40)
    return Bet(
        "F is an orthogonal matrix times c = 0.9, a contraction. How many digits of x are right after 40 steps?",
        [
            (
                "All sixteen",
                f"No: 0.9 to the power of 40 is {left}, so that about two are; sixteen take a c of 0.4: {sixteen}.",
            ),
            ("Six", f"No: {left} of the distance is left, which is about two digits."),
            ("Two", f"Yes: {left} of the distance is left; each digit takes about 22 steps."),
        ],
    )


def _tries() -> list[Try]:
    one, over = (inverse(constant=c).shown()["left"] for c in (1.0, 1.1))
    bent = inverse(branch="tanh", constant=1.1).shown()["left"]
    return [
        Try("c = 1", f"stands still, at {one} times the distance.", {"constant": 1.0}),
        Try("c = 1.1", f"moves away, to {over} times the distance.", {"constant": 1.1}),
        Try(
            "tanh at 1.1",
            f"comes nearer all the same, to {bent}: c < 1 is enough and not necessary.",
            {"branch": "tanh", "constant": 1.1},
        ),
    ]


def _data() -> dict[str, Any]:
    def quantiles(branch: str, c: float) -> list[list[int]]:
        rows = np.quantile(distances(branch, c)[:, ::2], (0.1, 0.5, 0.9), axis=0)
        return [CURVE.stored(tuple(row.tolist())) for row in (rows[1:2] if branch == "orthogonal" else rows)]

    return {
        "law": [CURVE.stored(c ** max(STEPS)) for c in CONSTANTS],
        "steps": list(STEPS),
        "curves": [[quantiles(branch, c) for c in CONSTANTS] for branch in BRANCHES],
    }


def _picture(label: str) -> Figure:
    k = np.arange(max(STEPS) + 1)

    def draw(axes: Any, width: int) -> None:
        axes.set_yscale("log")
        axes.set_ylim(FLOOR, 1e4)
        for c in (0.5, 0.7, 0.9, 1.0, 1.1, 1.25):
            law = c**k
            line(axes, k[law > FLOOR], law[law > FLOOR], role="branch", label=f"c = {c:g}")
        bent = np.median(distances("tanh", 1.1), axis=0)
        line(axes, k, bent, role="ink", label="tanh, 1.1")

    left, over = (inverse(constant=c).shown()["left"] for c in (0.9, 1.1))
    bent = inverse(branch="tanh", constant=1.1).shown()["left"]
    alt = (
        "Distance from x against the number of steps, on a logarithmic axis. For an orthogonal branch it is a "
        f"straight line of slope log c: {left} after 40 steps at c = 0.9, level at 1, rising at 1.1; a tanh branch "
        "of 1.1 falls."
    )
    caption = (
        f"At c = 0.9 forty steps leave {left} of the distance from x, two digits; an orthogonal branch of 1.1 moves "
        f"away, to {over}, and a tanh branch of 1.1 still comes nearer, to {bent}. Lines: the law cᵏ of orthogonal "
        f"branches, and the median of the tanh branch F(x) = 1.1 tanh(xQ), {len(SEEDS)} seeds, width {_WIDTH}; the "
        "axis is logarithmic. Points and bands, where the figure can be changed: medians and 10 to 90 %."
    )
    panel = Panel(x="steps", y="distance from x, relative")
    return figure(label, draw, panels=[panel], alt=alt, caption=caption)
