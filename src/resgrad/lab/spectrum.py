"""Evidence: the singular values of whole networks at the start, beside their laws for large width.

Three residual networks with y = F(x) + x, whose branches have together the mean square gain c: *linear*,
F(x) = x W with W from N(0, c/(n L)); *first*, F(x) = relu(x) W, and *last*, F(x) = relu(x W), both with W from
N(0, 2c/(n L)), the 2 because a relu lets half of the energy pass. And *plain*, y = x W with W from N(0, 1/n), which
keeps the mean square without a skip.

Two more are linear and say what the masks of a relu do: in *redrawn* half of the rows of each W, drawn anew for
each block, are zero, and the others as with a relu; in *frozen* it is the same half in every block.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.lab.optimizers import Tree
from resgrad.measure.spectrum import branch_norm
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

KINDS = ("plain", "linear", "first", "last", "redrawn", "frozen")

# Eight seeds for the page.
SEEDS = tuple(range(1, 9))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    kind : {"plain", "linear", "first", "last", "redrawn", "frozen"}
        Which branch, see above.
    blocks : int
        L, at least 1.
    c : float
        Mean square gain of all branches together, above 0; without effect on the plain network.
    width : int
        n, at least 1.
    """

    kind: str
    blocks: int = 64
    c: float = 1.0
    width: int = 100


class Spectrum(NamedTuple):
    """What `run` measured.

    Attributes
    ----------
    singular_values : ndarray, shape (n,)
        Of the Jacobian of x_L with respect to x_0, the largest first.
    growth : float
        ``|x_L| / |x_0|``.
    """

    singular_values: Array
    growth: float


def network(setting: Setting) -> tuple[Rule, ...]:
    """Blocks of the network, for `stack` or `trace`.

    Parameters
    ----------
    setting : Setting
        Kind and number of blocks.

    Returns
    -------
    tuple of rules
        L times the same block, with the parameters of `initial`.

    Raises
    ------
    ValueError
        An unknown kind, or a number that is too small.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"spectrum: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1 or not setting.c > 0:
        raise ValueError(
            f"spectrum: blocks {setting.blocks}, width {setting.width} and c {setting.c}, "
            "expected at least 1, 1 and more than 0"
        )
    layers = {"first": (relu, linear), "last": (linear, relu)}.get(setting.kind, (linear,))
    F = stack(*layers)
    return (F if setting.kind == "plain" else residual(F),) * setting.blocks


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
        Which network.
    rng : numpy.random.Generator
        The same state gives all kinds the same matrices but for a factor.

    Returns
    -------
    nested tuple
        For each block ``((W, b),)``, with an empty tuple for the relu where there is one; W is (n, n), b = 0.
    """
    n, doubled = setting.width, setting.kind not in ("plain", "linear")
    gain = 1.0 if setting.kind == "plain" else setting.c / setting.blocks
    scale = math.sqrt(gain / n * (2 if doubled else 1))
    masks_rng = rng.spawn(1)[0]
    drawn = [(scale * rng.standard_normal((n, n)), np.zeros(n)) for _ in range(setting.blocks)]
    if setting.kind in ("redrawn", "frozen"):
        masks = _masks(setting, masks_rng)
        drawn = [(mask[:, None] * W, b) for mask, (W, b) in zip(masks, drawn, strict=True)]
    if setting.kind == "first":
        return tuple(((), p) for p in drawn)
    return tuple((p, ()) if setting.kind == "last" else (p,) for p in drawn)


def _masks(setting: Setting, rng: np.random.Generator) -> Array:
    half = np.arange(setting.width) < setting.width / 2
    if setting.kind == "frozen":
        return np.tile(half.astype(float), (setting.blocks, 1))
    return np.array([rng.permutation(half) for _ in range(setting.blocks)], dtype=float)


def run(setting: Setting, seed: int) -> Spectrum:
    """Draw a network and an input, and pull the identity matrix back through it.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights and of the input, from N(0, 1).

    Returns
    -------
    Spectrum
        Singular values and growth.

    Raises
    ------
    ValueError
        An unknown kind, or a number that is too small.
    """
    weights_rng, x_rng = np.random.default_rng(seed).spawn(2)
    blocks, n = network(setting), setting.width
    # n rows with the same input, and the rows of I as their gradients: one backward pass for the Jacobian.
    x = np.tile(x_rng.standard_normal(n), (n, 1))
    y, vjp = stack(*blocks)(x, *initial(setting, rng=weights_rng))
    J = vjp(np.eye(n))[0]
    growth = float(np.linalg.norm(y[0]) / np.linalg.norm(x[0]))
    return Spectrum(np.linalg.svd(J, compute_uv=False), growth)


def branches(setting: Setting, seed: int) -> Array:
    """Largest singular value of each branch of the network that `run` draws.

    Parameters
    ----------
    setting : Setting
        Which network; with a skip.
    seed : int
        That of `run`.

    Returns
    -------
    ndarray, shape (L,)
        For `resgrad.measure.spectrum.bounds`.

    Raises
    ------
    ValueError
        An unknown kind, or a number that is too small.
    """
    weights_rng, x_rng = np.random.default_rng(seed).spawn(2)
    blocks, x = network(setting), x_rng.standard_normal((1, setting.width))
    theta = initial(setting, rng=weights_rng)
    xs, _ = trace(*blocks)(x, *theta)
    measured = zip(blocks, xs[:-1], theta, strict=True)
    return np.array([branch_norm(block, x_l, *p)[0] for block, x_l, p in measured])


def outlier(c: float, blocks: float) -> float:
    """Growth of a stream that is taken for even in each of L blocks with the relu last, for large width.

    Parameters
    ----------
    c : float
        Mean square gain of all branches together.
    blocks : float
        L.

    Returns
    -------
    float
        ``(1 + sqrt(c/(pi L)))^L``, see :eq:`eq-spectrum-outlier`.

    Notes
    -----
    The entries that a branch adds differ. With that a stream that starts even is longer by a factor that tends to
    ``exp(c/4 (1 - 1/pi))`` with the depth.
    """
    return float((1 + math.sqrt(c / (math.pi * blocks))) ** blocks)
