"""Whether a check of a gradient by a small step catches a mistake, by the rule, the mistake and the tolerance."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.shortcut import scaled
from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, figure, line, note, points
from resgrad.lab.labels import number, superscript
from resgrad.measure.check import jacobian
from resgrad.rules.activation import relu, tanh
from resgrad.rules.attention import attention
from resgrad.rules.normalization import layer_norm

STEPS = 10.0 ** np.arange(-13, -0.5, 0.5)
#: The step of a state; the picture shows all of them.
STEP = 1e-5
AT = int(np.abs(np.log10(STEPS / STEP)).argmin())
#: Their spoken words stand in `catch_explorer`.
RULES = ("residual", "scaled", "norm", "attention", "relu", "tanh")
MISTAKES = ("transposed", "forgotten", "half", "sign", "millionth")
TOLERANCES = (0.05, 0.01, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11)
ERROR = Scale(0.001, log=True)
CURVE = Scale(0.01, log=True)
VERDICT = Scale(1, words=("it passes", "it is caught", "even the right one fails"))
#: Two numbers that are equal are shown as so far apart.
FLOOR = 1e-16

# Chosen because a transposed Jacobian is hard to see in the direction that it draws.
_SEED, _N, _M = 2591, 4, 8
_LAM, _ALPHA = 0.9, 0.5
_WITH_BRANCH = ("residual", "scaled")

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[Array, Callable[[Array], tuple[Array, ...]]]]


class Case(NamedTuple):
    """A rule as a function of x alone, where it is checked, and what its vjp would give with a part forgotten.

    Attributes
    ----------
    f : function
        ``y, vjp = f(x)``.
    x, y_bar, dx : ndarray, shape (1, 4)
        The point, a gradient at the output, and a direction.
    forgotten : function
        From y_bar to a wrong x_bar.
    sign : function
        The same, with a wrong sign: of the branch where there is one.
    """

    f: Function
    x: Array
    y_bar: Array
    dx: Array
    forgotten: Callable[[Array], Array]
    sign: Callable[[Array], Array]


def catch(*, rule: str = "residual", mistake: str = "transposed", tolerance: float = 0.05) -> State:
    """Compare a vjp that has a mistake with a central difference, as a check in one direction does.

    Parameters
    ----------
    rule : {"residual", "scaled", "norm", "attention", "relu", "tanh"}
        Four numbers in, four out; attention as a function of its query.
    mistake : {"transposed", "forgotten", "half", "sign", "millionth"}
        The Jacobian transposed; a part left out, which part depends on the rule; half of the gradient; its sign, or
        that of the branch; all of it larger by a millionth.
    tolerance : float
        The check passes what is off by less, relative to the larger number.

    Returns
    -------
    State
        The errors of the right vjp and of the wrong one at a step of 1e-5, the verdict, and at how many of 25 steps
        the right one passes and the wrong one does not.

    Raises
    ------
    ValueError
        An unknown rule or mistake.

    Examples
    --------
    >>> print(catch().shown()["verdict"])
    it passes
    """
    right, wrong = errors(rule), errors(rule, mistake)
    told = (right < tolerance) & (wrong >= tolerance)
    verdict = 2 if right[AT] >= tolerance else int(told[AT])
    exact = {
        "right": right[AT].item(),
        "wrong": wrong[AT].item(),
        "verdict": verdict,
        "told": int(told.sum()),
    }
    scales = {"right": ERROR, "wrong": ERROR, "verdict": VERDICT, "told": Scale(1)}
    return State(f"catch(rule={rule!r}, mistake={mistake!r}, tolerance={tolerance})", exact, scales)


@lru_cache
def errors(rule: str, mistake: str = "") -> Array:
    """Compare a vjp with central differences of many steps.

    Parameters
    ----------
    rule, mistake : str
        As for `catch`; without a mistake, the rule's own vjp.

    Returns
    -------
    ndarray, shape (steps,)
        Relative to the larger of the two numbers, not below 1e-16.

    Raises
    ------
    ValueError
        An unknown rule or mistake.
    """
    if rule not in RULES or mistake not in ("", *MISTAKES):
        raise ValueError(f"catch: no state has {rule!r} and {mistake!r}")
    f, x, y_bar, dx, *_ = case = _case(rule)
    claimed = np.sum(_bars(case)[mistake] * dx)
    moved = [np.sum(y_bar * (f(x + h * dx)[0] - f(x - h * dx)[0])) / (2 * h) for h in STEPS]
    off = [abs(value - claimed) / max(abs(value), abs(claimed)) for value in moved]
    return np.maximum(off, FLOOR)


def _bars(case: Case) -> dict[str, Array]:
    """Return what the right vjp gives, with the key "", and what each mistake makes of it."""
    (x_bar,) = case.f(case.x)[1](case.y_bar)[:1]
    return {
        "": x_bar,
        "transposed": case.y_bar @ jacobian(case.f, case.x).T,
        "forgotten": case.forgotten(case.y_bar),
        "half": x_bar / 2,
        "sign": case.sign(case.y_bar),
        "millionth": (1 + 1e-6) * x_bar,
    }


@lru_cache
def _case(rule: str) -> Case:
    rng = np.random.default_rng(_SEED)
    theta = [rng.standard_normal((_N, _M)) / 2, rng.standard_normal(_M) / 2]
    theta += [rng.standard_normal((_M, _N)) / 2, rng.standard_normal(_N) / 2]
    x, y_bar, dx = rng.standard_normal((3, 1, _N))
    F = branch(tanh)
    J_F = jacobian(F, x, *theta)
    gamma, keys, values = rng.standard_normal((3, 3, _N))
    if rule not in _WITH_BRANCH:
        x, y_bar, dx = rng.standard_normal((3, 1, _N))
    norm = partial(layer_norm, gamma=gamma[0], beta=gamma[1], eps=1e-5)
    found: dict[str, tuple[Function, Callable[[Array], Array]]] = {
        "residual": (lambda x: residual(F)(x, *theta), lambda bar: bar @ J_F),
        "scaled": (
            lambda x: scaled(F, lam=_LAM, alpha=_ALPHA)(x, *theta),
            lambda bar: _LAM * bar + bar @ J_F,
        ),
        "norm": (norm, lambda bar: bar * gamma[0] / np.sqrt(x.var() + 1e-5)),
        "attention": (
            lambda q: attention(q, keys, values),
            lambda bar: _N**0.5 * attention(x, keys, values)[1](bar)[0],
        ),
        "relu": (relu, lambda bar: bar),
        "tanh": (tanh, lambda bar: bar),
    }
    f, forgotten = found[rule]
    minus = {"residual": lambda bar: bar - bar @ J_F, "scaled": lambda bar: _LAM * bar - _ALPHA * bar @ J_F}
    return Case(f, x, y_bar, dx, forgotten, minus.get(rule, lambda bar: -f(x)[1](bar)[0]))


def catch_explorer(label: str) -> Explorer:
    """Make the explorer.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``.

    Returns
    -------
    Explorer
    """
    rules = (
        "residual block", "0.9 x + 0.5 F(x)", "layer normalisation", "attention, its query", "ReLU", "tanh",
    )  # fmt: skip
    mistakes = ("transposed", "a part forgotten", "half", "wrong sign", "off by 10⁻⁶")
    controls = [
        Control("rule", "the rule", RULES, "residual", rules),
        Control("mistake", "the mistake", MISTAKES, "transposed", mistakes),
        Control("tolerance", "tolerance", TOLERANCES, 0.05, tuple(map(_tolerance, TOLERANCES))),
    ]
    return explorer(
        _picture(label),
        catch,
        controls,
        say=_SAY,
        heads={
            "right": "right vjp off by",
            "wrong": "wrong one off by",
            "verdict": "verdict",
            "told": "steps",
        },
        bet=_bet(),
        tries=_tries(),
        data=_data(),
        stored=_STORED,
    )


def _tolerance(value: float) -> str:
    if value > 1e-3:
        return f"{100 * value:g}\N{NO-BREAK SPACE}%"
    return f"10{superscript(round(np.log10(value)))}"


_SAY = (
    "Rule: {rule}; mistake: {mistake}. At a step of 10⁻⁵ the right vjp is off by {right} and the wrong one by {wrong}: "
    "with a tolerance of {tolerance} {verdict}. Of 25 steps {told} tell them apart."
)
_STORED = (
    "Relative errors in one direction at a step of 10⁻⁵, stored as the decimal logarithm, in whole steps of "
    f"{ERROR.step:g}, curves of {CURVE.step:g}; numbers that are equal are shown as 10⁻¹⁶ apart. Steps: at how many of "
    "25 the right vjp passes and the wrong one does not. The part forgotten: the skip; the factor 0.5; that mean and "
    "deviation depend on x; 1/√d; the mask; the slope."
)


def _bet() -> Bet:
    at, tight = catch().shown(), catch(tolerance=0.01).shown()
    off = f"in this direction it is off by {at['wrong']}"
    return Bet(
        "Someone transposes the Jacobian of a residual block’s branch. A check in one direction, with a tolerance of "
        "5 %, says?",
        [
            ("It is caught: the gradient is another vector", f"No: {off}, and {at['verdict']}."),
            ("The right one fails as well", f"No: at this step the right one is off by {at['right']}."),
            ("It passes", f"Yes: {off}. With a tolerance of 1 % {tight['verdict']}."),
        ],
    )


def _tries() -> list[Try]:
    tight = catch(tolerance=0.01).shown()
    small = catch(mistake="millionth", tolerance=1e-7).shown()
    too_tight = catch(tolerance=1e-11).shown()
    return [
        Try("A tolerance of 1 %", f"and {tight['verdict']}.", {"tolerance": 0.01}),
        Try(
            "Off by a millionth",
            f"it shows at a tolerance of 10⁻⁷, for {small['told']} of 25 steps: neither large nor small ones.",
            {"mistake": "millionth", "tolerance": 1e-7},
        ),
        Try(
            "A tolerance of 10⁻¹¹",
            f"and {too_tight['verdict']}: its own rounding and truncation.",
            {"tolerance": 1e-11},
        ),
        Try("Transpose the tanh", "and nothing is wrong: its Jacobian is symmetric.", {"rule": "tanh"}),
    ]


def _data() -> dict[str, Any]:
    def steps(values: Array) -> list[int]:
        stored: list[int] = CURVE.stored(tuple(values.tolist()))
        return stored

    return {
        "steps": np.log10(STEPS).round(1).tolist(),
        "at": AT,
        "tolerance": [CURVE.stored(value) for value in TOLERANCES],
        "right": [steps(errors(rule)) for rule in RULES],
        "wrong": [[steps(errors(rule, mistake)) for mistake in MISTAKES] for rule in RULES],
    }


def bounds() -> tuple[Array, Array]:
    """Estimate what rounding and truncation make of the right vjp's error, for the residual block.

    Returns
    -------
    rounding, truncation : ndarray, shape (steps,)
        ``eps |f| / step`` and ``step^2 |f'''| / 6``, relative to the derivative along the direction.
    """
    f, x, y_bar, dx, *_ = case = _case("residual")

    def g(s: float) -> float:
        return float(np.sum(y_bar * f(x + s * dx)[0]))

    third = (g(0.02) - 2 * g(0.01) + 2 * g(-0.01) - g(-0.02)) / (2 * 0.01**3)
    slope = abs(np.sum(_bars(case)[""] * dx))
    return np.finfo(float).eps * abs(g(0.0)) / STEPS / slope, STEPS**2 * abs(third) / 6 / slope


def _picture(label: str) -> Figure:
    rounding, truncation = bounds()
    right = errors("residual")
    wrong = {mistake: errors("residual", mistake) for mistake in MISTAKES}

    def draw(axes: Any, width: int) -> None:
        axes.set(xscale="log", yscale="log", ylim=(1e-13, 1e3))
        low, high = STEPS < 3e-5, STEPS > 3e-6
        line(axes, STEPS[low], rounding[low], role="muted")
        line(axes, STEPS[high], truncation[high], role="muted")
        for values in wrong.values():
            line(axes, STEPS, values, role="ink")
        points(axes, STEPS, [np.maximum(right, 1e-13)], role="gradient")
        note(axes, 1e-13, 20, "wrong sign, no skip, half", role="ink")
        note(axes, 1e-13, 0.09, "transposed", role="ink")
        note(axes, 1e-7, 1.5e-5, "off by a millionth", role="ink", ha="center")
        note(axes, 1e-13, 1e-11, "rounding")
        note(axes, 1e-3, 1e-10, "step²")

    at = {mistake: number(values[AT]) for mistake, values in wrong.items()}
    best = number(right.min())
    alt = (
        "Relative error against the step from 10⁻¹³ to 0.1, both logarithmic. The right vjp gives a V with its bottom "
        f"at {best}. The wrong ones give plateaus: wrong sign {at['sign']}, no skip {at['forgotten']}, half "
        f"{at['half']}, transposed {at['transposed']}; one off by a millionth follows the V to a plateau."
    )
    caption = (
        f"With the right vjp the error falls to {best} at the best step; with a wrong one it stays on a plateau, for a "
        f"transposed Jacobian of only {at['transposed']} in this direction, which passes at a tolerance of 5 %. Dots: "
        "the right vjp of a residual block; lines: wrong ones; the two grey lines are the rounding ε/δ and the "
        "truncation δ²f‴/6; both axes are logarithmic. One direction, in double precision, chosen because the "
        "transpose is hard to see in it."
    )
    return figure(label, draw, panels=[Panel(x="step", y="relative error")], alt=alt, caption=caption)
