"""Evidence: what batch normalisation does to the stream and to the gradient, before any training.

One branch, F(x) = relu(BN(x)) W with W from N(0, 2/n), no gain, no shift and eps = 0, on a batch of N rows from
N(0, 1). A plain block is y = F(x), a residual block y = F(x) + x. The gradient goes through the statistics of the
batch, as in training, or these are held constant.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.lab.optimizers import Tree
from resgrad.measure.correlation import cosines, pair_mean
from resgrad.rules._types import Rule, Vjp
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.normalization import batch_norm, batch_norm_inference, batch_statistics

KINDS = ("plain", "residual")
STATISTICS = ("through", "held", "none")

# Twelve seeds for the pages.
SEEDS = tuple(range(1, 13))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What is built.

    Attributes
    ----------
    kind : {"plain", "residual"}
        y = F(x), or y = F(x) + x.
    blocks : int
        L, at least 1.
    statistics : {"through", "held", "none"}
        The gradient goes through the mean and variance of the batch; they are constants for it; no normalisation.
    gain : float
        Factor on every W.
    common : bool
        Whether all rows get the same gradient at the end, or each one its own.
    width, batch : int
        n, at least 1, and N, at least 4.
    """

    kind: str
    blocks: int
    statistics: str = "through"
    gain: float = 1.0
    common: bool = False
    width: int = 128
    batch: int = 64


class Flow(NamedTuple):
    """What `run` measured, or `expected` computed, for l = 0, ..., L.

    Attributes
    ----------
    size : ndarray, shape (L + 1,)
        Mean square of x_l.
    variance : ndarray, shape (L + 1,)
        Variance of x_l over the batch, mean over the features.
    energy : ndarray, shape (L + 1,)
        Squared length of the gradient at x_l, of all rows together, over that at x_L.
    correlation : ndarray, shape (L + 1,)
        Mean over all pairs of rows of the cosine of their gradients at x_l; of `expected`, a quotient of means.
    """

    size: Array
    variance: Array
    energy: Array
    correlation: Array


class Moments(NamedTuple):
    """What a ReLU makes of a normalised batch of N rows, for large width.

    Attributes
    ----------
    both : float
        Share of a row's open units that are open in a given other row as well.
    product : float
        Twice the mean product of two rows' values behind the ReLU.
    variance : float
        Variance over the batch that a branch adds: twice that of the values behind the ReLU.
    inverse : float
        Mean of 1 / variance, over that of the variance to the power -1, for one feature.
    """

    both: float
    product: float
    variance: float
    inverse: float


def held(x: Any, gamma: Any, beta: Any, *, eps: float) -> tuple[Any, Vjp]:
    """Normalise with the statistics of the batch, and take them for constants backwards.

    Parameters
    ----------
    x : (N, n) array
    gamma, beta : (n,) arrays
    eps : float
        As for `batch_norm`.

    Returns
    -------
    y : (N, n) array
        That of `batch_norm`.
    vjp : function
        That of `batch_norm_inference`, see :eq:`eq-normalization-inference`: two terms of the derivative are missing.

    Examples
    --------
    >>> x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> y, vjp = held(x, one, zero, eps=0.0)
    >>> x_bar, gamma_bar, beta_bar = vjp(np.array([[4.0], [0.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([-1.0, 1.0], [4.0, 0.0])
    """
    mean, var = batch_statistics(x)
    return batch_norm_inference(x, gamma, beta, mean=mean, var=var, eps=eps)


def network(setting: Setting) -> tuple[Rule, ...]:
    """Blocks of the network, for `stack` or `trace`.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    tuple of rules
        L times the same block; each takes the parameters that `initial` draws.

    Raises
    ------
    ValueError
        An unknown kind or statistics, or sizes that are too small.
    """
    _require_valid(setting)
    F = stack(_norm_of(setting.statistics), relu, linear)
    return (F if setting.kind == "plain" else residual(F),) * setting.blocks


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
    rng : numpy.random.Generator
        The same state gives all settings of one width the same matrices, but for the gain.

    Returns
    -------
    nested tuple
        ``((gamma, beta), (), (W, b))`` for each block, gamma 1, beta and b 0, float64.
    """
    n, scale = setting.width, setting.gain * math.sqrt(2 / setting.width)
    norm, none = (np.ones(n), np.zeros(n)), np.zeros(n)
    return tuple((norm, (), (scale * rng.standard_normal((n, n)), none)) for _ in range(setting.blocks))


def run(setting: Setting, seed: int) -> Flow:
    """Draw a network, a batch and a gradient, and follow both through the blocks.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights, of the batch from N(0, 1) and of the gradient at the end.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        A setting that `network` refuses.
    OverflowError
        If the gradient is not finite.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    shape = setting.batch, setting.width
    blocks, thetas = network(setting), initial(setting, rng=weights_rng)
    xs, pull = trace(*blocks)(x_rng.standard_normal(shape), *thetas)
    g = g_rng.standard_normal(shape)
    x_bars, _ = pull(np.tile(g[0], (setting.batch, 1)) if setting.common else g)
    energy = np.array([float((x_bar**2).sum()) for x_bar in x_bars])
    if not np.isfinite(energy).all():
        raise OverflowError(f"batchnorm: the gradient is not finite after {setting.blocks} blocks: use fewer")
    return Flow(
        np.array([float((x**2).mean()) for x in xs]),
        np.array([float(x.var(axis=0).mean()) for x in xs]),
        energy / energy[-1],
        np.array([pair_mean(cosines(x_bar)) for x_bar in x_bars]),
    )


def moments(batch: int) -> Moments:
    r"""Return what a ReLU makes of a normalised batch.

    Parameters
    ----------
    batch : int
        N, at least 4. Two of N centred rows have the correlation -1/(N - 1) on average.

    Returns
    -------
    Moments
        For N to infinity: 1/2, 1/pi, 1 - 1/pi and 1.

    Notes
    -----
    With :math:`\cos \psi = -1/(N-1)`, psi the angle of two rows: both and product are those of
    :eq:`eq-shattered-kernel`, variance and inverse of :eq:`eq-batchnorm-finite`.
    """
    c = -1 / (batch - 1)
    psi = math.acos(c)
    product = (math.sin(psi) + (math.pi - psi) * c) / math.pi
    variance = (1 - 1 / batch) * (1 - product)
    return Moments(1 - psi / math.pi, product, variance, (batch - 1) / (batch - 3))


def expected(setting: Setting) -> Flow:
    """Return the law for what `run` measures, with large width and this batch.

    Parameters
    ----------
    setting : Setting
        With a normalisation.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        A setting that `network` refuses, or one without a normalisation.

    Notes
    -----
    A recursion for two numbers, the mean square of a gradient's entry and the mean product of two rows' entries,
    from the last block to the first; for a plain network its factor is that of :eq:`eq-batchnorm-through`, and for a
    large batch its quotient for constant statistics that of :eq:`eq-shattered-batchnorm`.
    """
    _require_valid(setting)
    if setting.statistics == "none":
        raise ValueError("batchnorm: no law here without a normalisation")
    N, a, skip = setting.batch, setting.gain**2, setting.kind == "residual"
    passed = np.arange(setting.blocks + 1.0)
    if not skip:  # only the last branch is left in the stream
        passed = np.minimum(passed, 1)
    start = skip + (1 - skip) * (passed == 0)
    variance = start * (1 - 1 / N) + a * moments(N).variance * passed
    pairs = [(1.0, float(setting.common))]
    for s in variance[-2::-1]:
        pairs.append(_pulled(setting, *pairs[-1], a * moments(N).inverse / float(s)))
    energy, shared = np.array(pairs[::-1]).T
    return Flow(start + a * passed, variance, energy, shared / energy)


def _pulled(setting: Setting, e: float, c: float, factor: float) -> tuple[float, float]:
    """Pull the mean square of a gradient's entry, and the mean product of two rows', through one block."""
    N, both, product = setting.batch, *moments(setting.batch)[:2]
    from_e, from_c = e, both * c
    if setting.statistics == "through":
        # Two of the N directions are taken out: what the rows share, and what lies along the normalised values.
        from_e = (1 - 1 / N) * (e - both * c) - (e + (N - 1) * product * c) / N
        from_c = -from_e / (N - 1)
    skip = setting.kind == "residual"
    return skip * e + factor * from_e, skip * c + factor * from_c


def _norm_of(statistics: str) -> Rule:
    if statistics == "none":
        return lambda x, gamma, beta: (x, lambda y_bar: (y_bar, np.zeros_like(gamma), np.zeros_like(beta)))
    norm = batch_norm if statistics == "through" else held
    return lambda x, gamma, beta: norm(x, gamma, beta, eps=0.0)


def _require_valid(setting: Setting) -> None:
    for name, value, known in (
        ("kind", setting.kind, KINDS),
        ("statistics", setting.statistics, STATISTICS),
    ):
        if value not in known:
            raise ValueError(f"batchnorm: {name} is {value!r}, expected one of {known}")
    if setting.blocks < 1 or setting.width < 1 or setting.batch < 4:
        raise ValueError(
            f"batchnorm: expected blocks and width of 1 or more and a batch of 4 or more, got {setting}"
        )
