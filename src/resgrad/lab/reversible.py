"""Couplings undone from the end: how far from the stored activations, and what that does to the gradients.

Both branches of a coupling are one layer, F(x) = tanh(x W + b) with W from N(0, 1/n) and b = 0.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.reversible import coupling, reversible, uncouple
from resgrad.blocks.stack import stack
from resgrad.rules._types import Rule
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

# Six seeds for the page.
SEEDS = tuple(range(1, 7))

Array = NDArray[Any]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    couplings : int
        How many, at least 1.
    width : int
        n of each of the two streams, at least 1.
    dtype : {"float64", "float32"}
        Of all that is computed.
    """

    couplings: int = 100
    width: int = 8
    dtype: str = "float64"


class Run(NamedTuple):
    """What `run` measured.

    Attributes
    ----------
    errors : ndarray, shape (couplings + 1,)
        The largest difference of an entry between the activations computed back from the end and the stored
        ones, after 0, 1, ... couplings undone.
    stretch : ndarray, shape (couplings + 1,)
        Of the Jacobian of what undid them, the largest singular value: by how much it can enlarge an error.
    gradient : float
        The largest difference of an entry between the input's gradient of `reversible` and that from stored
        activations, relative to the largest entry of the latter.
    """

    errors: NDArray[np.float64]
    stretch: NDArray[np.float64]
    gradient: float


def layer() -> Rule:
    """One layer with its activation, the branch of this experiment.

    Returns
    -------
    F : rule
        ``Fx, vjp = F(x, (W, b), ())``, F(x) = tanh(x W + b).
    """
    return stack(linear, tanh)


def initial(setting: Setting, *, rng: np.random.Generator) -> tuple[Any, ...]:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
        Number of couplings, width and dtype.
    rng : numpy.random.Generator
        The same state gives both dtypes the same numbers, but for rounding.

    Returns
    -------
    tuple
        ``(((W, b), ()), ((W, b), ()))`` for each coupling, W (n, n) from N(0, 1/n), b = 0.
    """
    n = setting.width
    scale = 1 / math.sqrt(n)
    weights = (scale * rng.standard_normal((setting.couplings, 2, n, n))).astype(setting.dtype)
    b = np.zeros(n, setting.dtype)
    return tuple(tuple(((W, b), ()) for W in pair) for pair in weights)


def run(setting: Setting, seed: int) -> Run:
    """Undo every coupling from the last output on, and compare with what the forward pass stored.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, of the input from N(0, 1) and of the gradient at the output.

    Returns
    -------
    Run
        Errors and stretch after each coupling undone, and the error of the gradient.

    Raises
    ------
    ValueError
        No coupling, no width, or another dtype.
    """
    if setting.couplings < 1 or setting.width < 1 or setting.dtype not in ("float64", "float32"):
        raise ValueError(f"reversible: expected one coupling or more, float64 or float32, got {setting}")
    weights_rng, x_rng, bar_rng = np.random.default_rng(seed).spawn(3)
    F, n, thetas = layer(), setting.width, initial(setting, rng=weights_rng)
    # 2 n rows with the same input, so that one vjp pulls back every row of the identity.
    stored, pull_backs = [_streams(np.tile(x_rng.standard_normal(2 * n), (2 * n, 1)), setting)], []
    for theta in thetas:
        y, vjp = coupling(F, F)(*stored[-1], *theta)
        stored.append(y)
        pull_backs.append(vjp)
    y_bar = bars = _streams(bar_rng.standard_normal((2 * n, 2 * n)), setting)
    for vjp in reversed(pull_backs):
        bars = vjp(bars)[:2]
    again = reversible(*[(F, F)] * setting.couplings)(*stored[0], *thetas)[1](y_bar)[:2]
    gradient = _distance(again, bars) / float(np.abs(bars).max())
    return Run(*_undo(F, thetas, stored), gradient)


def _undo(F: Rule, thetas: tuple[Any, ...], stored: list[Any]) -> tuple[Any, Any]:
    back, n = stored[-1], stored[-1][0].shape[1]
    rows = np.split(np.eye(2 * n, dtype=back[0].dtype), 2, axis=1)
    errors, stretch, J = [0.0], [1.0], np.hstack(rows)
    for theta, true in zip(reversed(thetas), reversed(stored[:-1]), strict=True):
        back, vjp = uncouple(F, F)(*back, *theta)
        J = np.hstack(vjp(tuple(rows))[:2]) @ J  # what was undone before acts first
        errors.append(_distance(back, true))
        stretch.append(float(np.linalg.norm(J, 2)))
    return np.array(errors), np.array(stretch)


def _streams(rows: Array, setting: Setting) -> Any:
    one, other = np.split(rows.astype(setting.dtype), 2, axis=1)
    return one, other


def _distance(one: Any, other: Any) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
