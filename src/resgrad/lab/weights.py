"""What the weights of each block get, with and without the skip, at the same weights.

One branch, F(x) = relu(x W1 + b1) W2 + b2. A plain block is y = F(x), a residual block y = F(x) + x; in the
scaled residual block W2 is divided by sqrt(L). At gain 1 the weights are those of He et al. (2015): W1, with no
relu before it, from N(0, 1/n), and W2, behind the relu, from N(0, 2/n).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import trace
from resgrad.lab.optimizers import Tree, sgd
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

KINDS = ("plain", "residual", "scaled")

# Twelve seeds for the page.
SEEDS = tuple(range(1, 13))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    kind : {"plain", "residual", "scaled"}
        y = F(x); y = F(x) + x; the same with W2 divided by sqrt(L).
    gain : float
        Factor on every weight, positive; 1 is He's initialisation.
    biases : bool
        Whether b2 is drawn from N(0, 1/n), a vector of length about 1, or 0 as b1 is.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1; the hidden width is the same.
    """

    kind: str
    gain: float = 1.0
    biases: bool = False
    blocks: int = 20
    width: int = 64


class Flow(NamedTuple):
    """What `run` measured at each block l = 0, ..., L-1: lengths, each an array of shape (L,).

    Attributes
    ----------
    x, h : ndarray
        From below: what enters the block, and what enters its last layer.
    y_bar : ndarray
        From above: the gradient at the block's output, ``x_bar[l + 1]``.
    W1_bar, W2_bar : ndarray
        The gradients of the two weights.
    """

    x: Array
    h: Array
    y_bar: Array
    W1_bar: Array
    W2_bar: Array


def network(setting: Setting) -> tuple[Rule, ...]:
    """Blocks of the network, for `stack` or `trace`.

    Parameters
    ----------
    setting : Setting
        Kind and number of blocks.

    Returns
    -------
    tuple of rules
        L times the same block; each takes the parameters ``(W1, b1, W2, b2)``.

    Raises
    ------
    ValueError
        An unknown kind, no block, no width, or a gain that is not positive.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"weights: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1 or not 0 < setting.gain < math.inf:
        raise ValueError(
            f"weights: blocks {setting.blocks}, width {setting.width} and gain {setting.gain}, "
            "expected at least 1 of both and a positive number"
        )
    F = branch(relu)
    return (F if setting.kind == "plain" else residual(F),) * setting.blocks


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
        Kind, gain, biases, number of blocks and width.
    rng : numpy.random.Generator
        The same state gives all settings of one size the same draws.

    Returns
    -------
    nested tuple
        ``(W1, b1, W2, b2)`` for each block, float64.
    """
    n, L = setting.width, setting.blocks
    first = setting.gain / math.sqrt(n)
    last = setting.gain * math.sqrt(2 / n / (L if setting.kind == "scaled" else 1))
    spread = 1 / math.sqrt(n) if setting.biases else 0.0

    def block() -> tuple[Array, ...]:
        W1, W2 = rng.standard_normal((2, n, n))
        return first * W1, np.zeros(n), last * W2, spread * rng.standard_normal(n)

    return tuple(block() for _ in range(L))


def run(setting: Setting, seed: int) -> Flow:
    """Draw a network, an input and a gradient at the top, and pull it back to all weights.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, and of the directions of x_0 and of the gradient at x_L, both of length 1.

    Returns
    -------
    Flow
        The lengths at every block.

    Raises
    ------
    ValueError
        A setting that `network` refuses.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    blocks, n = network(setting), setting.width
    thetas = initial(setting, rng=weights_rng)
    xs, pull = trace(*blocks)(_direction(n, x_rng), *thetas)
    x_bars, theta_bars = pull(_direction(n, g_rng))
    hs = [relu(linear(x, W1, b1)[0])[0] for x, (W1, b1, _, _) in zip(xs[:-1], thetas, strict=True)]
    W1_bars, _, W2_bars, _ = zip(*theta_bars, strict=True)
    return Flow(*(_lengths(arrays) for arrays in (xs[:-1], hs, x_bars[1:], W1_bars, W2_bars)))


def expected(setting: Setting) -> tuple[float, float]:
    """Root mean square of ``|W1_bar|`` and of ``|W2_bar|`` over the draws, the same at every block.

    Parameters
    ----------
    setting : Setting
        Without biases.

    Returns
    -------
    W1_bar, W2_bar : float
        With s the gain and e the energy of the branch, s^4 (s^4/L if scaled), each block multiplies the
        squares of what goes up and of what comes down by e (plain) or 1 + e. All blocks but the one in
        question do so, L - 1 in all, and its own layers multiply by s^2 (s^2/L if scaled) and by s^2/2.

    Raises
    ------
    ValueError
        With biases: the lengths then depend on the block.

    Notes
    -----
    Exact at every width, with a skip and without: the mean of what comes down through the blocks above is the
    same for every x, see :eq:`eq-initialization-mean`.
    """
    if setting.biases:
        raise ValueError("weights: with biases no one law holds for all blocks")
    s, L = setting.gain, setting.blocks
    share = 1 / L if setting.kind == "scaled" else 1.0
    energy = s**4 * share
    factor = energy if setting.kind == "plain" else 1 + energy
    rest = factor ** ((L - 1) / 2)
    return s * math.sqrt(share) * rest, s * math.sqrt(0.5) * rest


def first_signals(block: Rule, theta: Sequence[Any], *, seed: int, steps: int = 20) -> list[int | None]:
    """Train one block and say when each parameter's gradient is first not exactly zero.

    Parameters
    ----------
    block : rule
        ``y, vjp = block(x, *theta)`` with y of x's shape.
    theta : sequence of arrays
        The parameters at the start; the first one has n rows.
    seed : int
        Of eight samples and their targets.
    steps : int
        Steps of gradient descent with rate 0.1.

    Returns
    -------
    list of int or None
        For each parameter the step, counted from 0, or None if its gradient was zero in all of them.
    """
    x, target = np.random.default_rng(seed).standard_normal((2, 8, len(theta[0])))
    descent = sgd(rate=0.1, momentum=0.0)
    theta = tuple(theta)
    seen: list[int | None] = [None] * len(theta)
    state = descent.init(theta)
    for step in range(steps):
        y, vjp = block(x, *theta)
        _, *theta_bar = vjp((y - target) / len(x))
        seen = [step if s is None and bar.any() else s for s, bar in zip(seen, theta_bar, strict=True)]
        theta, state = descent.step(theta, tuple(theta_bar), state)
    return seen


def _direction(n: int, rng: np.random.Generator) -> Array:
    v = rng.standard_normal((1, n))
    return v / float(np.linalg.norm(v))


def _lengths(arrays: Sequence[Array]) -> Array:
    return np.array([np.linalg.norm(array) for array in arrays])
