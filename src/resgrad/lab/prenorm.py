"""Evidence: where the normalisation stands, and what it does to the gradient and to the first step.

The branches are MLPs, F(x) = relu(x W1 + b1) W2 + b2, or one linear layer, all weights from N(0, 1/n) and biases
zero; the MLP then adds half of the square of what it reads, the linear layer all of it. Attention is left out, so
that the tokens do not mix and one row stands for each of them. eps is 1e-5.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.stack import stack, trace
from resgrad.blocks.transformer import deep_norm, deep_norm_constants, post_ln, pre_ln
from resgrad.lab.optimizers import Tree
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.normalization import layer_norm

KINDS = ("pre", "post", "scaled", "deep")

#: What a branch adds to the square of the stream, in units of the square of what it reads.
ENERGY = {"linear": 1.0, "mlp": 0.5}

# Twelve seeds for the page.
SEEDS = tuple(range(1, 13))

EPS = 1e-5

Array = NDArray[Any]


class Setting(NamedTuple):
    """What is built.

    Attributes
    ----------
    kind : {"pre", "post", "scaled", "deep"}
        Pre-LN; Post-LN; Pre-LN with the output of the l-th normalisation times 1/sqrt(l), l = 1, ..., L; DeepNorm
        with the constants for L/2 layers of two sublayers each.
    sublayer : {"linear", "mlp"}
        The branch.
    blocks : int
        L, how many branches, at least 1; even for "deep".
    width : int
        n, at least 2; the hidden width of the MLP is the same.
    """

    kind: str
    sublayer: str = "mlp"
    blocks: int = 32
    width: int = 128


class Flow(NamedTuple):
    """What `run` measured.

    Attributes
    ----------
    stream : ndarray, shape (L + 1,)
        ``|x_l| / sqrt(n)``, l = 0, ..., L; with Post-LN and DeepNorm behind the normalisation.
    sums : ndarray, shape (L,)
        Length of the gradient at the l-th sum, l = 1, ..., L, over that at the logits. It is also the gradient at the
        output of the branch.
    weights : ndarray, shape (L,)
        Length of the gradient of the last weights in each branch, over that at the logits.
    """

    stream: Array
    sums: Array
    weights: Array


class Step(NamedTuple):
    """What `first_step` measured.

    Attributes
    ----------
    along : float
        By how much the output moved against the gradient, ``-<dy, y_bar>``, over the rate times n. To first order this
        is the sum of the squares of the weights' gradients, over n.
    length : float
        ``|dy|``, how far it moved.
    """

    along: float
    length: float


def network(setting: Setting) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Blocks of one sublayer each, and what stands behind them: a last normalisation for Pre-LN.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    blocks, end : tuples of rules

    Raises
    ------
    ValueError
        An unknown kind or sublayer, or sizes that are too small or, for "deep", odd.
    """
    _require_valid(setting)
    F = linear if setting.sublayer == "linear" else branch(relu)
    if setting.kind == "deep":
        alpha, _ = deep_norm_constants(setting.blocks // 2)
        return (deep_norm(F, alpha=alpha, eps=EPS),) * setting.blocks, ()
    if setting.kind == "post":
        return (post_ln(F, eps=EPS),) * setting.blocks, ()
    return (pre_ln(F, eps=EPS),) * setting.blocks, (_last_norm,)


def initial(
    setting: Setting, *, rng: np.random.Generator, dtype: type[np.floating[Any]] = np.float64
) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
    rng : numpy.random.Generator
        The same state gives all kinds the same draws, but for the factor of DeepNorm.
    dtype : type
        Of everything; another one has other draws.

    Returns
    -------
    nested tuple
        One tuple for each block, then one for the last normalisation if there is one.
    """
    n, before = setting.width, setting.kind in ("pre", "scaled")
    size = deep_norm_constants(setting.blocks // 2)[1] if setting.kind == "deep" else 1.0
    matrices = 1 if setting.sublayer == "linear" else 2

    def block(place: int) -> tuple[Any, ...]:
        draws = size / math.sqrt(n) * rng.standard_normal((matrices, n, n), dtype)
        theta = tuple(parameter for W in draws for parameter in (W, np.zeros(n, dtype)))
        gain = 1 / math.sqrt(place) if setting.kind == "scaled" else 1.0
        norm = np.full(n, gain, dtype), np.zeros(n, dtype)
        return ((norm, theta) if before else (theta, norm),)

    last = ((np.ones(n, dtype), np.zeros(n, dtype)),) if before else ()
    return *(block(place) for place in range(1, setting.blocks + 1)), *last


def run(setting: Setting, seed: int, *, dtype: type[np.floating[Any]] = np.float32) -> Flow:
    """Draw a network and one row, and pull a random gradient at the logits back through it.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights, of the row from N(0, 1), of the head's weights from N(0, 1/n), and of the gradient.
    dtype : type
        Single precision gives the lengths to six digits, at half the cost.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        A setting that `network` refuses.
    """
    weights_rng, x_rng, head_rng, g_rng = np.random.default_rng(seed).spawn(4)
    (blocks, end), n = network(setting), setting.width
    thetas = initial(setting, rng=weights_rng, dtype=dtype)
    head = head_rng.standard_normal((n, n), dtype) / math.sqrt(n), np.zeros(n, dtype)
    xs, pull = trace(*blocks, *end, linear)(x_rng.standard_normal((1, n), dtype), *thetas, head)
    g = g_rng.standard_normal((1, n), dtype)
    _, theta_bars = pull(g)
    branches = [_branch_of(setting, theta_bar) for theta_bar in theta_bars[: setting.blocks]]
    # With one row, the gradient of a bias is that at the output of its layer.
    sums, weights = ([float(np.linalg.norm(bars[i])) for bars in branches] for i in (-1, -2))
    stream = [float(np.linalg.norm(x)) for x in xs[: setting.blocks + 1]]
    size = float(np.linalg.norm(g))
    return Flow(np.array(stream) / math.sqrt(n), np.array(sums) / size, np.array(weights) / size)


def first_step(setting: Setting, seed: int, *, rates: Sequence[float] = (1e-3,)) -> tuple[Step, ...]:
    """Move the weight matrices by one step of gradient descent, and see how the output of one row moves.

    Parameters
    ----------
    setting : Setting
        With the MLP as its branch.
    seed : int
        Of the weights, of the row from N(0, 1) and of y_bar, a direction of length 1 at the output: no head.
    rates : sequence of float
        Learning rates times n, each for a step from the start. Biases, gains and shifts stay.

    Returns
    -------
    tuple of Step
        One for each rate.

    Raises
    ------
    ValueError
        A setting that `network` refuses.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    (blocks, end), n = network(setting), setting.width
    f, thetas = stack(*blocks, *end), initial(setting, rng=weights_rng)
    x, y_bar = x_rng.standard_normal((1, n)), g_rng.standard_normal((1, n))
    y_bar = y_bar / float(np.linalg.norm(y_bar))
    y, vjp = f(x, *thetas)
    _, *theta_bars = vjp(y_bar)
    changes = [f(x, *_descended(thetas, tuple(theta_bars), rate / n))[0] - y for rate in rates]
    return tuple(
        Step(-float((change * y_bar).sum()) / rate, float(np.linalg.norm(change)))
        for change, rate in zip(changes, rates, strict=True)
    )


def expected(setting: Setting) -> Flow:
    """Return the laws for large width; :eq:`eq-prenorm-stream` and :eq:`eq-prenorm-sums`.

    Parameters
    ----------
    setting : Setting
        Not "deep".

    Returns
    -------
    Flow
        Roots of mean squares; those of the weights are the gradient at the sum times the length of what they
        multiply, 1 or 1/sqrt(2) in units of sqrt(n), times the gain of "scaled".

    Raises
    ------
    ValueError
        For "deep".
    """
    if setting.kind == "deep":
        raise ValueError("prenorm: there is no law here for kind 'deep'")
    n, L, energy = setting.width, setting.blocks, ENERGY[setting.sublayer]
    gains = 1 / np.arange(1, L + 1) if setting.kind == "scaled" else np.ones(L)
    if setting.kind == "post":
        stream, sums = np.ones(L + 1), np.full(L, 1 / math.sqrt(1 + energy))
    else:
        stream = np.sqrt(1 + energy * np.append(0, np.cumsum(gains)))
        sums = 1 / stream[1:]
    read = np.sqrt(n * gains * (0.5 if setting.sublayer == "mlp" else 1.0))
    return Flow(stream, sums, sums * read)


def expected_step(setting: Setting) -> float:
    """Return the law for `Step.along`, for large width and a small rate, with MLPs; :eq:`eq-prenorm-step`.

    Parameters
    ----------
    setting : Setting
        Not "scaled".

    Returns
    -------
    float
        The sum over the branches of ``beta² / s²``, s² the mean square of the sum that is normalised.

    Raises
    ------
    ValueError
        For "scaled", or linear sublayers.
    """
    if setting.kind == "scaled" or setting.sublayer != "mlp":
        raise ValueError(f"prenorm: there is no law here for a step of {setting}")
    L = setting.blocks
    if setting.kind == "pre":
        return float(np.sum(1 / (1 + np.arange(1, L + 1) / 2)))
    alpha, beta = deep_norm_constants(L // 2) if setting.kind == "deep" else (1.0, 1.0)
    return L * beta**2 / (alpha**2 + beta**4 / 2)


def _last_norm(x: Array, gamma: Array, beta: Array) -> Any:
    return layer_norm(x, gamma, beta, eps=EPS)


def _descended(theta: Any, bars: Any, rate: float) -> Any:
    """Return the parameters after a step of gradient descent on the matrices alone."""
    if isinstance(theta, tuple):
        return tuple(_descended(v, bar, rate) for v, bar in zip(theta, bars, strict=True))
    return theta - rate * bars if theta.ndim == 2 else theta


def _branch_of(setting: Setting, theta: Any) -> Any:
    """Return the parameters of the branch from those of a block of one sublayer."""
    ((first, second),) = theta
    return second if setting.kind in ("pre", "scaled") else first


def _require_valid(setting: Setting) -> None:
    if setting.kind not in KINDS or setting.sublayer not in ENERGY:
        raise ValueError(
            f"prenorm: kind is {setting.kind!r} and sublayer {setting.sublayer!r}, "
            f"expected one of {KINDS} and of {tuple(ENERGY)}"
        )
    if setting.blocks < 1 or setting.width < 2 or (setting.kind == "deep" and setting.blocks % 2):
        raise ValueError(
            f"prenorm: blocks {setting.blocks} and width {setting.width}, expected at least 1, even for 'deep', "
            "and at least 2"
        )
