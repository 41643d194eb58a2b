"""How much of a gradient is left behind a highway network, by the bias of its gates, at the start."""

import math
from typing import NamedTuple

import numpy as np

from resgrad.blocks.shortcut import highway
from resgrad.blocks.stack import stack
from resgrad.rules.activation import sigmoid, tanh
from resgrad.rules.linear import linear

# Ten seeds for the page.
SEEDS = tuple(range(1, 11))


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    bias : float
        b, of every gate.
    spread : float
        Weights of the gates are drawn from N(0, spread^2 / n); with 0 a gate depends on its bias alone.
    layers : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    bias: float
    spread: float = 1.0
    layers: int = 54
    width: int = 16


def run(setting: Setting, seed: int) -> float:
    """Draw a highway network and an input, and pull one random gradient back through it.

    Parameters
    ----------
    setting : Setting
        Which network. H is a layer with tanh and weights from N(0, 1/n), T one with a sigmoid.
    seed : int
        Of the weights, of the input from N(0, 1) and of the gradient at the output: the same in all settings of one
        size, the gates' weights up to their factor.

    Returns
    -------
    float
        The length of the gradient at the input over that at the output.

    Raises
    ------
    ValueError
        No layer or no width.
    """
    if setting.layers < 1 or setting.width < 1:
        raise ValueError(f"shortcut: expected at least one layer and one feature, got {setting}")
    n, rng = setting.width, np.random.default_rng(seed)
    x, y_bar = rng.standard_normal((2, 1, n))
    thetas = []
    for _ in range(setting.layers):
        W_H, W_T = rng.standard_normal((2, n, n)) / math.sqrt(n)
        theta_H, theta_T = (W_H, np.zeros(n)), (setting.spread * W_T, np.full(n, float(setting.bias)))
        thetas.append(((theta_H, ()), (theta_T, ())))
    block = highway(stack(linear, tanh), stack(linear, sigmoid))
    _, vjp = stack(*[block] * setting.layers)(x, *thetas)
    return float(np.linalg.norm(vjp(y_bar)[0]) / np.linalg.norm(y_bar))


def kept(bias: float, layers: int) -> float:
    """Share of a gradient that the skips alone carry past gates that depend on their bias alone.

    Parameters
    ----------
    bias : float
        b, of every gate.
    layers : int
        How many gates.

    Returns
    -------
    float
        ``(1 - sigmoid(b))^L = (1 + e^b)^(-L)``, see :eq:`eq-shortcut-gate`.

    Examples
    --------
    >>> kept(0.0, 2)
    0.25
    """
    return math.exp(-layers * math.log1p(math.exp(bias)))
