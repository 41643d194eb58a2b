"""Evidence for the page on bounds: how long a gradient is behind L random residual blocks.

One branch, F(x) = x W with W from N(0, 1/n): its Jacobian has the mean 0, so that a block adds to the mean
square of the gradient what the branch alone would give. In the scaled network each W is divided by sqrt(L).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import trace
from resgrad.lab.optimizers import Tree
from resgrad.rules.linear import linear

KINDS = ("unscaled", "scaled")

# Thirty seeds for the page.
SEEDS = tuple(range(1, 31))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    kind : {"unscaled", "scaled"}
        y = F(x) + x; the same with the branch times 1/sqrt(L).
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    kind: str
    blocks: int
    width: int = 128


def gain(setting: Setting) -> float:
    """Root mean square of what the branch does to the length of a gradient.

    Parameters
    ----------
    setting : Setting
        Which network.

    Returns
    -------
    float
        1 for unscaled, 1/sqrt(L) for scaled: sqrt(n) times the standard deviation of an entry of W.

    Raises
    ------
    ValueError
        An unknown kind, no block or no width.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"bounds: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1:
        raise ValueError(f"bounds: blocks {setting.blocks} and width {setting.width}, expected at least 1")
    return 1 / math.sqrt(setting.blocks) if setting.kind == "scaled" else 1.0


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
        Kind, number of blocks and width.
    rng : numpy.random.Generator
        The same state gives both kinds the same matrices but for the factor 1/sqrt(L).

    Returns
    -------
    nested tuple
        ``(W, b)`` for each block, W (n, n) from N(0, 1/n), or N(0, 1/(n L)) if scaled, and b = 0, float64.
    """
    n, scale = setting.width, gain(setting) / math.sqrt(setting.width)
    return tuple((scale * rng.standard_normal((n, n)), np.zeros(n)) for _ in range(setting.blocks))


def run(setting: Setting, seed: int) -> Array:
    """Draw a network, and pull a random gradient back through it.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, of the input x_0 and of the gradient at the end, both from N(0, 1).

    Returns
    -------
    ndarray, shape (L + 1,)
        ``|g_l| / |g_L|`` for l = 0, ..., L: the length of the gradient at x_l over that at the end.

    Raises
    ------
    ValueError
        An unknown kind, no block or no width.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    theta, n = initial(setting, rng=weights_rng), setting.width
    _, pull = trace(*[residual(linear)] * setting.blocks)(x_rng.standard_normal((1, n)), *theta)
    gradients, _ = pull(g_rng.standard_normal((1, n)))
    lengths = np.array([np.linalg.norm(g) for g in gradients])
    relative: Array = lengths / lengths[-1]
    return relative


def expected_norm(setting: Setting) -> float:
    """Root mean square of ``|g_0| / |g_L|`` over the weights.

    Parameters
    ----------
    setting : Setting
        Which network.

    Returns
    -------
    float
        2^(L/2) for unscaled, (1 + 1/L)^(L/2) for scaled.

    Notes
    -----
    Exact at every width, for independent entries with mean 0 and this variance: for a fixed g the mean of
    ``g W.T`` is 0 and that of ``|g W.T|^2`` is ``gain^2 |g|^2``, and the weights of a block are independent of
    the gradient that arrives there. See :eq:`eq-bounds-mean`.
    """
    return float((1 + gain(setting) ** 2) ** (setting.blocks / 2))


def shrinking(norms: Array) -> float:
    """Share of the blocks behind which the gradient is shorter than before.

    Parameters
    ----------
    norms : ndarray, shape (..., L + 1)
        As `run` returns them.

    Returns
    -------
    float
        Over all blocks, from 0 to 1.
    """
    return float((norms[..., :-1] < norms[..., 1:]).mean())


def expected_shrinking(setting: Setting) -> float:
    r"""Probability that one block makes a gradient shorter, for large width.

    Parameters
    ----------
    setting : Setting
        Which network.

    Returns
    -------
    float
        :math:`\Phi(-c \sqrt{n} / \sqrt{4 + 2 c^2})` with c the `gain` and Phi the normal distribution.

    Notes
    -----
    With ``u = g/|g|`` the squared length changes by ``2 <u, u W.T> + |u W.T|^2``: its mean is ``c^2``, its
    variance ``(4 c^2 + 2 c^4)/n``, and for large n it is normal.
    """
    c = gain(setting)
    z = -c * math.sqrt(setting.width / (4 + 2 * c * c))
    return (1 + math.erf(z / math.sqrt(2))) / 2
