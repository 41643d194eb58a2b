"""Evidence: the gradient and the singular values at the start, before any training.

One branch, relu first: F(x) = relu(x) W + b with W from N(0, 2/n) and b = 0. A plain block is y = F(x), a
residual block y = F(x) + x, and in the scaled residual block W is from N(0, 2/(n L)), which is the branch
times 1/sqrt(L). Where the relu sits matters: with relu last the scaled network has an outlier that grows
with L, and none of the figures here hold.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.lab.optimizers import Tree
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
        y = F(x); y = F(x) + x; the same with the branch times 1/sqrt(L) at the start.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    kind: str
    blocks: int = 64
    width: int = 128


class Start(NamedTuple):
    """What `run` measured, in float64.

    Attributes
    ----------
    norms : ndarray, shape (L + 1,)
        ``|g_l| / |g_L|``, the gradient at x_l over that at the end, for a random direction g_L.
    singular_values : ndarray, shape (n,)
        Of the Jacobian of x_L with respect to x_0, the largest first.
    dead : ndarray, shape (L + 1,)
        Share of the singular values that are 0 whatever the weights, because the relus between x_l and
        x_L close: 1 - (the fewest open units in one of them)/n in the plain network, 0 with a skip.
    """

    norms: Array
    singular_values: Array
    dead: Array


def network(setting: Setting) -> tuple[Rule, ...]:
    """Blocks of the network, for `stack` or `trace`.

    Parameters
    ----------
    setting : Setting
        Kind and number of blocks.

    Returns
    -------
    tuple of rules
        L times the same block; each takes the parameters ``((), (W, b))``.

    Raises
    ------
    ValueError
        An unknown kind, or no block.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"start: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1:
        raise ValueError(f"start: blocks {setting.blocks} and width {setting.width}, expected at least 1")
    F = stack(relu, linear)
    return (F if setting.kind == "plain" else residual(F),) * setting.blocks


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters of the start.

    Parameters
    ----------
    setting : Setting
        Kind, number of blocks and width.
    rng : numpy.random.Generator
        The same state gives the three kinds the same matrices but for the factor 1/sqrt(L).

    Returns
    -------
    nested tuple
        ``((), (W, b))`` for each block, W (n, n) from N(0, 2/n) (He), b = 0, float64.
    """
    n, L = setting.width, setting.blocks
    scale = math.sqrt(2 / n / (L if setting.kind == "scaled" else 1))
    return tuple(((), (scale * rng.standard_normal((n, n)), np.zeros(n))) for _ in range(L))


def run(setting: Setting, seed: int) -> Start:
    """Draw a network and an input, and pull the whole identity matrix back through it.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, of the input x_0 from N(0, 1) and of the direction g_L.

    Returns
    -------
    Start
        Norms and dead share at every block, singular values of the whole.

    Raises
    ------
    ValueError
        An unknown kind, no block or no width.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    blocks, n = network(setting), setting.width
    # n rows with the same input, and the rows of I as their gradients: one backward pass gives the
    # Jacobians from every block to the end.
    x = np.tile(x_rng.standard_normal(n), (n, 1))
    xs, pull = trace(*blocks)(x, *initial(setting, rng=weights_rng))
    jacobians, _ = pull(np.eye(n))
    g = g_rng.standard_normal(n)
    norms = np.array([np.linalg.norm(g @ J) for J in jacobians]) / np.linalg.norm(g)
    singular_values = np.linalg.svd(jacobians[0], compute_uv=False)
    return Start(norms, singular_values, _dead(setting, [x_l[0] for x_l in xs[:-1]]))


def band(values: NDArray[np.floating[Any]]) -> Any:
    """Tenth, fiftieth and ninetieth percentile over the seeds.

    Parameters
    ----------
    values : ndarray, shape (seeds, ...)
        One row a seed.

    Returns
    -------
    ndarray, shape (3, ...)
        For a band and the line in it.
    """
    return np.percentile(values, (10, 50, 90), axis=0)


def expected_norm(setting: Setting) -> float:
    """Root mean square of ``|g_0| / |g_L|`` over the weights and the input.

    Parameters
    ----------
    setting : Setting
        Which network.

    Returns
    -------
    float
        1 for plain, 2^(L/2) for residual, (1 + 1/L)^(L/2) for scaled.

    Notes
    -----
    Plain: exact at every width (Hanin 2018, arXiv:1801.03744). Residual and scaled: each block adds its
    gain, 1 or 1/L, to the square of the norm in the limit of large width (Hayou et al. 2021,
    arXiv:2010.12859; Taki 2017, arXiv:1709.02956). The mean square belongs to the mean of a distribution
    with a heavy tail: the median is below it, for the plain network exp(-5L/(4n)) by the lognormal law of
    Hanin and Nica (2018, arXiv:1812.05994).
    """
    gain = {"plain": 1.0, "residual": 2.0, "scaled": 1 + 1 / setting.blocks}[setting.kind]
    return float(gain ** (setting.blocks / 2))


def _dead(setting: Setting, xs: list[Array]) -> Array:
    if setting.kind != "plain":
        return np.zeros(setting.blocks + 1)
    closed = [float((x <= 0).mean()) for x in xs]
    # From block l to the end, the relu that closes most bounds the rank.
    return np.append(np.maximum.accumulate(closed[::-1])[::-1], 0.0)
