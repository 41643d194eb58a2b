"""One network of couplings and three ways to its gradient: stored, checkpointed and reconstructed activations.

A block cuts the stream, of 2 n numbers, into halves and adds to each a branch of the other. Both branches are one
layer, F(x) = tanh(x W + b), W from N(0, scale²/n) and b = 0.
"""

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.checkpoint import checkpoint
from resgrad.blocks.reversible import coupling, reversible
from resgrad.blocks.stack import stack
from resgrad.measure.memory import memory
from resgrad.rules._types import Rule, Vjp
from resgrad.rules.activation import tanh
from resgrad.rules.add import concat, split
from resgrad.rules.linear import linear

# Six seeds for the page.
SEEDS = tuple(range(1, 7))
KINDS = ("stored", "checkpointed", "reversible")
#: Arrays of the stream's size that the vjp of one block holds: its input, and three halves, F(x₂), y₁ and G(y₁).
HELD = 5 / 2

Array = NDArray[Any]


class Setting(NamedTuple):
    """What is built and how its gradient is computed.

    Attributes
    ----------
    kind : {"stored", "checkpointed", "reversible"}
        Which activations are kept: all, those between segments, or the last.
    blocks : int
        L, at least 1.
    segments : int
        k, for "checkpointed" alone.
    rows, width : int
        N rows of n numbers in each half of the stream.
    scale : float
        Of the weights.
    dtype : {"float64", "float32"}
        Of all that is computed.
    """

    kind: str
    blocks: int
    segments: int = 1
    rows: int = 1200
    width: int = 8
    scale: float = 1.0
    dtype: str = "float64"


class Cost(NamedTuple):
    """What one gradient costs.

    Attributes
    ----------
    held : float
        What the vjp keeps alive beside input and parameters, in arrays of the stream's size.
    peak : float
        The most that was allocated at once, in the same unit, without the parameters' gradients.
    forward, backward : float
        Products of matrices for each of the 2 L branches.
    """

    held: float
    peak: float
    forward: float
    backward: float


def layer() -> Rule:
    """One layer with its activation, the branch of this experiment.

    Returns
    -------
    F : rule
        ``Fx, vjp = F(x, (W, b), ())``, F(x) = tanh(x W + b): one product of matrices, and two in its vjp.
    """
    return stack(linear, tanh)


def network(setting: Setting, F: Rule | None = None) -> Rule:
    """Build the function whose gradient is taken.

    Parameters
    ----------
    setting : Setting
    F : rule, optional
        Both branches of every block, `layer` without it.

    Returns
    -------
    f : rule
        ``y, vjp = f(x, *thetas)``, x (N, 2 n), one tuple of parameters for each block; the same function of each
        kind, and the same gradient up to rounding.

    Raises
    ------
    ValueError
        For another kind, or sizes below 1.
    """
    if setting.kind not in KINDS or min(setting.blocks, setting.rows, setting.width) < 1:
        raise ValueError(f"memory: expected {' or '.join(KINDS)}, and sizes of 1 or more, got {setting}")
    F = F or layer()
    blocks = [_joined(coupling(F, F))] * setting.blocks
    if setting.kind == "stored":
        return stack(*blocks)
    if setting.kind == "checkpointed":
        return checkpoint(*blocks, segments=setting.segments)
    return _joined(reversible(*[(F, F)] * setting.blocks))


def initial(setting: Setting, seed: int) -> tuple[Array, tuple[Any, ...]]:
    """Draw an input from N(0, 1), and the parameters.

    Parameters
    ----------
    setting : Setting
    seed : int
        The same gives the same numbers for every kind, and for both dtypes but for rounding.

    Returns
    -------
    x : (N, 2 n) array
    thetas : tuple
        ``(((W, b), ()), ((W, b), ()))`` for each block.
    """
    rng, (n, dtype) = np.random.default_rng(seed), (setting.width, setting.dtype)
    x = rng.standard_normal((setting.rows, 2 * n)).astype(dtype)
    weights = setting.scale / math.sqrt(n) * rng.standard_normal((setting.blocks, 2, n, n))
    b = np.zeros(n, dtype)
    return x, tuple(tuple(((W, b), ()) for W in pair) for pair in weights.astype(dtype))


def cost(setting: Setting) -> Cost:
    """Measure memory and count products of matrices of one gradient; no seed has a part in it.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    Cost
    """
    x, thetas = initial(setting, 0)
    measured = memory(network(setting), x, *thetas)
    branches, calls = 2 * setting.blocks, Counter[str]()
    y, vjp = network(setting, _counting(layer(), calls))(x[:1], *thetas)
    forward = calls["evaluations"]
    vjp(y)
    # Gradients of weights and biases come with every kind; at the end of the pull-back all are there.
    gradients = branches * (setting.width + 1) * setting.width * x.itemsize
    return Cost(
        measured.held / x.nbytes,
        (measured.peak - gradients) / x.nbytes,
        forward / branches,
        (calls["evaluations"] - forward + 2 * calls["pull-backs"]) / branches,
    )


def gradient_error(setting: Setting, seed: int) -> float:
    """Compare the input's gradient from reconstructed activations with that from stored ones.

    Parameters
    ----------
    setting : Setting
        Its kind plays no part.
    seed : int
        Of the weights, of the input and of the gradient at the output, both from N(0, 1).

    Returns
    -------
    float
        The length of the difference over that of the gradient from stored activations, both in the setting's dtype.
    """
    x, thetas = initial(setting, seed)
    y_bar = np.random.default_rng((seed, 1)).standard_normal(x.shape).astype(x.dtype)
    stored, again = (
        network(setting._replace(kind=kind))(x, *thetas)[1](y_bar)[0].astype(float)
        for kind in ("stored", "reversible")
    )
    return float(np.linalg.norm(again - stored) / np.linalg.norm(stored))


def _joined(pair: Rule) -> Rule:
    """Make a rule of one stream from one of its two halves."""

    def f(x: Array, *thetas: Any) -> tuple[Array, Vjp]:
        halves, split_vjp = split(x, sizes=[x.shape[1] // 2] * 2)
        outputs, pair_vjp = pair(*halves, *thetas)
        y, concat_vjp = concat(*outputs)

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            one, other, *theta_bars = pair_vjp(concat_vjp(y_bar))
            return *split_vjp((one, other)), *theta_bars

        return y, vjp

    return f


def _counting(f: Rule, calls: Counter[str]) -> Rule:
    """Count how often a rule is evaluated and how often it is pulled back."""

    def counted(*arguments: Any) -> tuple[Any, Vjp]:
        calls["evaluations"] += 1
        y, vjp = f(*arguments)

        def pull(y_bar: Array) -> tuple[Any, ...]:
            calls["pull-backs"] += 1
            return vjp(y_bar)

        return y, pull

    return counted
