"""Evidence: how fast the gradients at different inputs stop being alike with depth, before any training.

`run` measures pairs of orthogonal inputs in networks without a normalisation, F(x) = relu(x) W with W from
N(0, 2/n), by `gradient_correlation`; `line_gradients` the gradient along a line of inputs in networks with batch
normalisation. Pairs with batch normalisation are in `resgrad.lab.batchnorm`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab import batchnorm
from resgrad.lab.optimizers import Tree
from resgrad.measure.correlation import gradient_correlation, input_gradients, pair_mean
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
        y = F(x); y = F(x) + x; the same with the branch times 1/sqrt(L).
    blocks : int
        L, at least 1.
    width, inputs : int
        n, and how many inputs, from 2 to n.
    """

    kind: str
    blocks: int
    width: int = 128
    inputs: int = 16


class Line(NamedTuple):
    """What `line_gradients` builds.

    Attributes
    ----------
    kind : {"plain", "residual"}
        y = F(x), or y = F(x) + x, with F(x) = relu(BN(x)) W.
    blocks : int
        L, at least 1.
    gain : float
        Factor on every W.
    width, inputs : int
        n, at least 1, and how many inputs at equal distances on the line, at least 4.
    """

    kind: str
    blocks: int
    gain: float = 1.0
    width: int = 64
    inputs: int = 256


def network(setting: Setting) -> Rule:
    """Stack of the blocks.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    rule
        It takes the parameters that `initial` draws, one tuple for each block.

    Raises
    ------
    ValueError
        An unknown kind, or sizes that do not fit.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"shattered: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or not 2 <= setting.inputs <= setting.width:
        raise ValueError(f"shattered: expected 1 block or more and 2 to n inputs, got {setting}")
    F = stack(relu, linear)
    return stack(*[F if setting.kind == "plain" else residual(F)] * setting.blocks)


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
    rng : numpy.random.Generator
        The same state gives all kinds the same matrices, but for the factor 1/sqrt(L).

    Returns
    -------
    nested tuple
        ``((), (W, b))`` for each block, b = 0, float64.
    """
    n = setting.width
    scale = math.sqrt(2 / n / (setting.blocks if setting.kind == "scaled" else 1))
    return tuple(((), (scale * rng.standard_normal((n, n)), np.zeros(n))) for _ in range(setting.blocks))


def run(setting: Setting, seed: int) -> float:
    """Draw a network, orthogonal inputs and one gradient for all of them, and correlate the gradients at the inputs.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights, the inputs and the gradient.

    Returns
    -------
    float
        Mean over all pairs of inputs.

    Raises
    ------
    ValueError
        A setting that `network` refuses, or so many blocks that the gradient is not finite.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    n, f = setting.width, network(setting)
    x = np.linalg.qr(x_rng.standard_normal((n, setting.inputs)))[0].T * math.sqrt(n)
    thetas = initial(setting, rng=weights_rng)
    return pair_mean(gradient_correlation(f, x, *thetas, y_bar=g_rng.standard_normal(n)))


def share(setting: Setting) -> float:
    """Return kappa, the share of the branch in what a block puts out, by mean square, for large width.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    float
        1 for a plain block, 1/2 for a residual one, 1/(L + 1) for a scaled one.
    """
    return {"plain": 1.0, "residual": 0.5, "scaled": 1 / (setting.blocks + 1)}[setting.kind]


def expected(kappa: float, blocks: int, *, psi: float = math.pi / 2) -> tuple[Array, Array]:
    """Angle of two streams, and correlation of the gradients at the two inputs, for large width.

    Parameters
    ----------
    kappa : float
        The branch's share, see `share`.
    blocks : int
        L, 0 or more.
    psi : float
        The angle of the inputs, from 0 to pi.

    Returns
    -------
    psi, rho : ndarrays, shape (L + 1,)
        The angle of the streams x_l, :eq:`eq-shattered-angle`, and the correlation of the gradients of x_l by x_0,
        :eq:`eq-shattered-correlation`, l = 0, ..., L.

    Examples
    --------
    >>> psi, rho = expected(1.0, 2)
    >>> rho.round(4).tolist()
    [1.0, 0.5, 0.3016]
    """
    angles, rho = [psi], [1.0]
    for _ in range(blocks):
        c = math.cos(psi) + kappa / math.pi * (math.sin(psi) - psi * math.cos(psi))
        rho.append(rho[-1] * (1 - kappa * psi / math.pi))
        psi = math.acos(min(c, 1.0))
        angles.append(psi)
    return np.array(angles), np.array(rho)


def by_integral(psi: float, *, steps: int = 4000) -> tuple[float, float]:
    """Integrate what a ReLU makes of two normal variables, without the closed forms.

    Parameters
    ----------
    psi : float
        The angle whose cosine is their correlation, above 0 and below pi.
    steps : int
        Of Simpson's rule, even.

    Returns
    -------
    both, product : float
        The share of the cases with the first one positive in which the second one is, too; and twice the mean product
        of the two behind the ReLU, :eq:`eq-shattered-kernel`.

    Examples
    --------
    >>> both, product = by_integral(math.pi / 2)
    >>> round(both, 9), round(math.pi * product, 9)
    (0.5, 1.0)
    """
    u, h = np.linspace(0, 12, steps + 1, retstep=True)  # of the first one; the rest weighs less than 1e-30
    weight = np.where(np.arange(steps + 1) % 2, 4.0, 2.0) * float(h) / 3
    weight[[0, -1]] = float(h) / 3
    density = weight * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
    # Given u, the second one is normal with this mean and spread.
    mean, s = u * math.cos(psi), math.sin(psi)
    positive = np.array([(1 + math.erf(m / s / math.sqrt(2))) / 2 for m in mean])
    part = mean * positive + s * np.exp(-((mean / s) ** 2) / 2) / math.sqrt(2 * math.pi)
    return 2 * float(density @ positive), 2 * float(density @ (u * part))


def line_gradients(line: Line, seed: int) -> Array:
    """Draw a network from numbers to numbers and return its derivative along a line of inputs from -2 to 2.

    Parameters
    ----------
    line : Line
    seed : int
        Of the weights.

    Returns
    -------
    ndarray, shape (inputs,)
        The statistics of the normalisations are those of all the inputs, and constants for the derivative.

    Raises
    ------
    ValueError
        A setting that `batchnorm.network` refuses.
    """
    setting = batchnorm.Setting(line.kind, line.blocks, "held", line.gain, True, line.width, line.inputs)
    first_rng, blocks_rng, last_rng = np.random.default_rng(seed).spawn(3)
    n = line.width
    first: Any = first_rng.standard_normal((1, n)), np.zeros(n)
    last: Any = last_rng.standard_normal((n, 1)) / math.sqrt(n), np.zeros(1)
    f = stack(linear, *batchnorm.network(setting), linear)
    x = np.linspace(-2, 2, line.inputs)[:, None]
    return input_gradients(f, x, first, *batchnorm.initial(setting, rng=blocks_rng), last).ravel()
