"""Five orders of the same layers: what of a gradient the skip path keeps, and what it does to the stream.

All branches have two weight layers, W from N(0, 2/n) and b = 0, and batch normalisations of gain 1 and shift 0 that
take the statistics of the batch, forwards and backwards; nothing is scaled down with the depth. The stream begins as
the absolute value of N(0, 1), positive as behind a ReLU.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks import order
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.normalization import batch_norm

ORDERS = (
    "original",
    "norm_after_addition",
    "activation_before_addition",
    "activation_only_preactivation",
    "full_preactivation",
)

# Five seeds for the page.
SEEDS = tuple(range(1, 6))

Floats = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    order : str
        One of `ORDERS`, the name of a function in `resgrad.blocks.order`.
    skip_alone : bool
        Whether the weight layers keep their values but pull nothing back, so that only the skips carry gradient.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    rows : int
        N, how many samples go through the network; at least 2.
    """

    order: str
    skip_alone: bool = False
    blocks: int = 54
    width: int = 48
    rows: int = 48


class Flow(NamedTuple):
    """What `run` measured, for l = 0, ..., L.

    Attributes
    ----------
    energy : ndarray, shape (L + 1,)
        Squared length of the gradient at x_l over that at x_L, for a random direction there.
    mean : ndarray, shape (L + 1,)
        Mean of all entries of x_l.
    """

    energy: Floats
    mean: Floats


class Placed(NamedTuple):
    """What `outlier` builds: a branch of one weight layer, without a normalisation.

    Attributes
    ----------
    last : bool
        Whether the ReLU stands behind the weights, F(x) = relu(x W), or before them, F(x) = relu(x) W.
    blocks : int
        L, at least 1; W is from N(0, 2/(n L)), the branch times 1/sqrt(L).
    width : int
        n, at least 2.
    """

    last: bool
    blocks: int
    width: int = 64


class Outlier(NamedTuple):
    """What `outlier` measured.

    Attributes
    ----------
    top, second : float
        The largest singular value of the whole stack's Jacobian, and the one after it.
    stretch : float
        ``|x_L| / |x_0|``.
    """

    top: float
    second: float
    stretch: float


def detached(weight: Rule) -> Rule:
    """Keep a rule's value and let nothing back through it.

    Parameters
    ----------
    weight : rule
        Any.

    Returns
    -------
    rule
        With the same value; its vjp gives zeros.
    """

    def rule(*args: Any) -> tuple[Array, Vjp]:
        value, _ = weight(*args)
        zeros = tuple(map(np.zeros_like, args))
        return value, lambda _: zeros

    return rule


def network(setting: Setting, weight: Rule = linear) -> tuple[Rule, ...]:
    """L blocks of one order, for `stack` or `trace`.

    Parameters
    ----------
    setting : Setting
        Which order, how many blocks, and whether the weight layers are `detached`.
    weight : rule
        The weight layer.

    Returns
    -------
    tuple of rules
        L times the same block.

    Raises
    ------
    ValueError
        An unknown order, or a size that is too small.
    """
    if setting.order not in ORDERS or setting.blocks < 1 or setting.width < 1 or setting.rows < 2:
        raise ValueError(f"order: expected one of {ORDERS}, a block, a width and two rows, got {setting}")
    make = getattr(order, setting.order)
    weight = detached(weight) if setting.skip_alone else weight
    block = make(weight, weight, norm=partial(batch_norm, eps=1e-5), activation=relu)
    return (block,) * setting.blocks


def initial(setting: Setting, *, rng: np.random.Generator) -> tuple[tuple[Any, ...], ...]:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
        Order and sizes.
    rng : numpy.random.Generator
        The same state gives all orders the same matrices.

    Returns
    -------
    tuple of tuples
        For each block one tuple for each layer.
    """
    n = setting.width
    blocks: list[tuple[Any, ...]] = []
    norm = np.ones(n), np.zeros(n)
    for W1, W2 in math.sqrt(2 / n) * rng.standard_normal((setting.blocks, 2, n, n)):
        one, two = (W1, np.zeros(n)), (W2, np.zeros(n))
        if setting.order == "full_preactivation":
            blocks.append((norm, (), one, norm, (), two))
        elif setting.order == "activation_only_preactivation":
            blocks.append(((), one, norm, (), two, norm))
        else:
            blocks.append((one, norm, (), two, norm, ()))
    return tuple(blocks)


def run(setting: Setting, seed: int) -> Flow:
    """Draw a network, an input and a gradient at its end, and pull that back.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, of the input and of the gradient at the end, from N(0, 1).

    Returns
    -------
    Flow
        At every block.

    Raises
    ------
    ValueError
        An unknown order, or a size that is too small.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    blocks, size = network(setting), (setting.rows, setting.width)
    x = np.abs(x_rng.standard_normal(size))
    xs, pull = trace(*blocks)(x, *initial(setting, rng=weights_rng))
    bars, _ = pull(g_rng.standard_normal(size))
    energy = np.array([(bar * bar).sum() for bar in bars])
    return Flow(energy / energy[-1], np.array([x_l.mean() for x_l in xs]))


def outlier(setting: Placed, seed: int) -> Outlier:
    """Draw a network without a normalisation and take its Jacobian at one input.

    Parameters
    ----------
    setting : Placed
        Where the ReLU stands, and the sizes.
    seed : int
        Of the weights and of the input from N(0, 1).

    Returns
    -------
    Outlier
        Two singular values and the stretch of the stream.

    Raises
    ------
    ValueError
        No block, or a width below 2.
    """
    n, L = setting.width, setting.blocks
    if n < 2 or L < 1:
        raise ValueError(f"order: expected a block and a width of two, got {setting}")
    weights_rng, x_rng = np.random.default_rng(seed).spawn(2)
    W = math.sqrt(2 / n / L) * weights_rng.standard_normal((L, n, n))
    F = stack(linear, relu) if setting.last else stack(relu, linear)
    thetas = [((W_l, np.zeros(n)), ())[:: 1 if setting.last else -1] for W_l in W]
    # n rows with the same input, and the rows of I as their gradients.
    x = np.tile(x_rng.standard_normal(n), (n, 1))
    y, vjp = stack(*[residual(F)] * L)(x, *thetas)
    top, second = np.linalg.svd(vjp(np.eye(n))[0], compute_uv=False)[:2]
    return Outlier(float(top), float(second), float(np.linalg.norm(y[0]) / np.linalg.norm(x[0])))


def outlier_law(blocks: int) -> float:
    """Growth of a stream along (1, ..., 1) with the ReLU last, in the limit of large width.

    Parameters
    ----------
    blocks : int
        L.

    Returns
    -------
    float
        ``(1 + 1/sqrt(pi L))^L``.
    """
    return (1 + 1 / math.sqrt(math.pi * blocks)) ** blocks
