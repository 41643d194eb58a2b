"""Evidence: how the gradient's length changes with depth at the start, with and without a skip.

Two branches. ReLU first, F(x) = lambda relu(x) W with W from N(0, 2/n), where lambda does or does not fall with
depth; and two layers, F(x) = tanh(x W) V with W from N(0, s_W^2/n) and V from N(0, s_V^2/n). No biases.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab.optimizers import Tree
from resgrad.measure.flow import gradient_lengths
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu, tanh
from resgrad.rules.linear import linear

KINDS = ("plain", "unscaled", "root", "decreasing")

# Twelve seeds for the page, and fewer for tanh, whose blocks have two matrices.
SEEDS = tuple(range(1, 13))
FEW = tuple(range(1, 7))

Array = NDArray[np.float64]

# Gauss's nodes for an integral over half of a normal distribution; beyond 12 it is below 1e-30. They crowd at
# 0, where the slope of a tanh that most units saturate has its narrow peak.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_NODES = 6 * (_NODES + 1)
_WEIGHTS = 6 * _WEIGHTS * 2 / math.sqrt(2 * math.pi) * np.exp(-(_NODES**2) / 2)


class ReluSetting(NamedTuple):
    """What `relu_flow` builds.

    Attributes
    ----------
    kind : {"plain", "unscaled", "root", "decreasing"}
        y = F(x) with lambda = 1; y = F(x) + x with lambda = 1, with L^(-1/2) for every block, and with
        1 / (l^(1/2) log(l + 1)) for the l-th, l = 1, ..., L.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    kind: str
    blocks: int
    width: int = 64


class TanhSetting(NamedTuple):
    """What `tanh_flow` builds.

    Attributes
    ----------
    skip : bool
        y = F(x) + x, or y = F(x).
    last, first : float
        s_V and s_W, both positive.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1; the hidden width is the same.
    """

    skip: bool
    last: float
    first: float
    blocks: int
    width: int = 64


class MeanField(NamedTuple):
    """What `mean_field` computes.

    Attributes
    ----------
    stream : ndarray, shape (L + 1,)
        v_0, ..., v_L, the mean square of the entries of x_l, with v_0 = 1.
    log_factors : ndarray, shape (L,)
        Logarithm of what block l multiplies the mean square of a gradient by, l = 0, ..., L - 1.
    """

    stream: Array
    log_factors: Array


def gains(setting: ReluSetting) -> Array:
    """lambda_l of every block.

    Parameters
    ----------
    setting : ReluSetting

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    ValueError
        An unknown kind, no block or no width.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"flow: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1:
        raise ValueError(f"flow: blocks {setting.blocks} and width {setting.width}, expected at least 1")
    place = np.arange(1.0, setting.blocks + 1)
    if setting.kind == "decreasing":
        return np.asarray(1 / (np.sqrt(place) * np.log(place + 1)))
    return np.full(setting.blocks, setting.blocks**-0.5 if setting.kind == "root" else 1.0)


def relu_energy(setting: ReluSetting) -> float:
    """Mean square of ``|g_0| / |g_L|`` for large width.

    Parameters
    ----------
    setting : ReluSetting

    Returns
    -------
    float
        1 for the plain network, else the product of all ``1 + lambda_l^2``, see :eq:`eq-flow-relu`.

    Notes
    -----
    Hayou et al. 2021 (arXiv 2010.12859); Taki 2017 (arXiv 1709.02956). For the plain network it is exact at every
    width, Hanin 2018 (arXiv 1801.03744).
    """
    return 1.0 if setting.kind == "plain" else float(np.prod(1 + gains(setting) ** 2))


def relu_flow(setting: ReluSetting, seed: int) -> float:
    """Draw a network, an input and a gradient at the end, and pull it back.

    Parameters
    ----------
    setting : ReluSetting
    seed : int
        Of the weights, the input from N(0, 1) and the gradient. All kinds get the same draws.

    Returns
    -------
    float
        ``|g_0| / |g_L|``.

    Raises
    ------
    ValueError
        A setting that `gains` refuses.
    """
    weights_rng, *rngs = np.random.default_rng(seed).spawn(3)
    n, F = setting.width, stack(relu, linear)
    thetas = tuple(
        ((), (size * math.sqrt(2 / n) * weights_rng.standard_normal((n, n)), np.zeros(n)))
        for size in gains(setting).tolist()
    )
    return _length(F if setting.kind == "plain" else residual(F), n, thetas, rngs)


def tanh_flow(setting: TanhSetting, seed: int) -> float:
    """Draw a network, an input and a gradient at the end, and pull it back.

    Parameters
    ----------
    setting : TanhSetting
    seed : int
        Of the weights, the input from N(0, 1) and the gradient.

    Returns
    -------
    float
        ``|g_0| / |g_L|``.

    Raises
    ------
    ValueError
        No block, no width, or a size that is not positive.
    """
    _require_tanh(setting)
    weights_rng, *rngs = np.random.default_rng(seed).spawn(3)
    n, none = setting.width, np.zeros(setting.width)
    draws = (weights_rng.standard_normal((2, n, n)) / math.sqrt(n) for _ in range(setting.blocks))
    thetas = tuple((setting.first * W, none, setting.last * V, none) for W, V in draws)
    F = branch(tanh)
    return _length(residual(F) if setting.skip else F, n, thetas, rngs)


def mean_field(setting: TanhSetting) -> MeanField:
    """Follow the mean squares of the stream and of the gradient through a tanh network of infinite width.

    Parameters
    ----------
    setting : TanhSetting
        Its width plays no part.

    Returns
    -------
    MeanField
        See :eq:`eq-flow-stream` and :eq:`eq-flow-factor`.

    Raises
    ------
    ValueError
        No block, or a size that is not positive.

    Notes
    -----
    In the manner of Yang and Schoenholz 2017 (arXiv 1712.08969), without biases. The means over a normal variable
    are sums over 200 of Gauss's nodes.
    """
    _require_tanh(setting)
    v, stream, factors = 1.0, [1.0], []
    for _ in range(setting.blocks):
        squares = np.tanh(setting.first * math.sqrt(v) * _NODES) ** 2
        slope = float(_WEIGHTS @ (1 - squares) ** 2)
        factors.append(setting.skip + (setting.last * setting.first) ** 2 * slope)
        v = setting.skip * v + setting.last**2 * float(_WEIGHTS @ squares)
        stream.append(v)
    return MeanField(np.array(stream), np.log(factors))


def tanh_slope(setting: TanhSetting) -> tuple[float, float]:
    r"""Leading coefficients of the logarithm of the gradient's mean square in a deep tanh residual network.

    Parameters
    ----------
    setting : TanhSetting
        With a skip; its depth and width play no part.

    Returns
    -------
    A, B : float
        In ``A sqrt(L) + B log L + O(1)``: :math:`A = \tfrac43 \sqrt{2/\pi} s_V s_W`,
        :math:`B = \tfrac{4}{9 \pi} (3 - s_V^2 s_W^2)`, see :eq:`eq-flow-root`.

    Raises
    ------
    ValueError
        Without a skip, or a size that is not positive.
    """
    _require_tanh(setting)
    if not setting.skip:
        raise ValueError("flow: the law is one of residual networks, got skip=False")
    s = setting.last * setting.first
    return 4 / 3 * math.sqrt(2 / math.pi) * s, 4 / (9 * math.pi) * (3 - s * s)


def _length(block: Rule, n: int, thetas: Tree, rngs: list[np.random.Generator]) -> float:
    x, g = (rng.standard_normal((1, n)) for rng in rngs)
    lengths = gradient_lengths([block] * len(thetas), x, thetas, g)
    return float(lengths[0] / lengths[-1])


def _require_tanh(setting: TanhSetting) -> None:
    if setting.blocks < 1 or setting.width < 1 or not (setting.last > 0 and setting.first > 0):
        raise ValueError(f"flow: {setting}, expected at least 1 block, width 1 and positive sizes")
