"""Evidence: how much of the skip path stays open behind a ReLU after every addition.

One branch, F(x) = relu(x W1) W2 + b2 with W1 from N(0, 2/n) and W2 from N(0, 1/n), so that the mean square of
F(x) over the weights is that of x. After the addition stands a ReLU, y = relu(F(x) + x), as in the network of
2015; before it, y = F(relu(x)) + x, as in that of 2016. What reaches the skip path depends on the stream, so
there are several, and none is *the* stream: see `Setting`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.lab.data import digits, split, standardise
from resgrad.lab.degradation import TEST_ROWS
from resgrad.lab.degradation import Setting as Training
from resgrad.lab.degradation import initial as degradation_initial
from resgrad.lab.optimizers import Tree, adam, linear_decay
from resgrad.lab.training import train
from resgrad.measure.spectrum import unresolved
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

KINDS = ("scaled", "gaussian", "normalised", "unscaled", "dominant")

# Eight seeds for the page; fewer of them where a run is long.
SEEDS = tuple(range(1, 9))

# So many times the stream that the sign of what the branch adds decides.
DOMINANT = 100.0

Array = NDArray[Any]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    kind : {"scaled", "gaussian", "normalised", "unscaled", "dominant"}
        The stream. The input x_0 is from N(0, 1), without its signs for all but *gaussian*. *Scaled* and
        *gaussian*: the branch times 1/sqrt(L). *Normalised*: each feature of F(x) is shifted and scaled to mean
        0 and variance 1 over the rows, as by a BatchNorm at the end of the branch. *Unscaled*: the branch as
        it is. *Dominant*: the branch times 100.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    rows : int
        N, how many samples go through the network; at least 2.
    """

    kind: str
    blocks: int = 54
    width: int = 128
    rows: int = 64


class Open(NamedTuple):
    """How much a gradient on the skip path gets through.

    Attributes
    ----------
    blocks : ndarray, shape (L,)
        Share of the entries, over rows and features, that are open in block l.
    path : ndarray, shape (L,)
        Share that is open in block l and in all blocks below it: what the skip path alone lets through from
        x_{l+1} down to x_0.
    positive : float
        Share of the entries of x_0 that are above 0.
    """

    blocks: Array
    path: Array
    positive: float


class Spectrum(NamedTuple):
    """What the whole stack does to the gradient of one sample.

    Attributes
    ----------
    ratio : float
        ``|g_0| / |g_L|`` for a random direction g_L.
    zero : float
        Share of the singular values of the Jacobian that double precision cannot tell from 0.
    closed : float
        Share of the entries that are shut in the block that shuts most; 0 without a ReLU after the addition.
    """

    ratio: float
    zero: float
    closed: float


def blocks_after(setting: Setting) -> tuple[Rule, ...]:
    """L blocks with the ReLU after the addition: y = relu(F(x) + x).

    Parameters
    ----------
    setting : Setting
        Number of blocks.

    Returns
    -------
    tuple of rules
        For `stack` or `trace`; each takes the parameters ``((W1, b1, W2, b2), ())``.
    """
    return (stack(residual(branch(relu)), relu),) * setting.blocks


def blocks_before(setting: Setting) -> tuple[Rule, ...]:
    """L blocks with the ReLU before the branch: y = F(relu(x)) + x.

    Parameters
    ----------
    setting : Setting
        Number of blocks.

    Returns
    -------
    tuple of rules
        For `stack` or `trace`; each takes the parameters ``((), (W1, b1, W2, b2))``.
    """
    return (residual(stack(relu, branch(relu))),) * setting.blocks


def initial(
    setting: Setting, *, rng: np.random.Generator, dtype: type[np.floating[Any]] = np.float64
) -> tuple[Array, Tree]:
    """Draw an input and the parameters of the branches.

    Parameters
    ----------
    setting : Setting
        Kind of stream and sizes.
    rng : numpy.random.Generator
        The only source of chance.
    dtype : type
        Of everything; another one has other draws.

    Returns
    -------
    x : ndarray, shape (N, n)
        The input x_0.
    theta : tuple of tuples
        ``(W1, b1, W2, b2)`` for each block. For a normalised stream the mean and the deviation of each feature,
        found on the way forward through the blocks with the ReLU after the addition, are put into W2 and b2:
        the statistics are constants for the backward pass.

    Raises
    ------
    ValueError
        An unknown kind, or a size that is too small.
    """
    _check(setting)
    n, x = setting.width, rng.standard_normal((setting.rows, setting.width), dtype)
    if setting.kind != "gaussian":
        x = np.abs(x)
    start, theta = x, []
    F, block = branch(relu), stack(residual(branch(relu)), relu)
    for _ in range(setting.blocks):
        W1 = math.sqrt(2 / n) * rng.standard_normal((n, n), dtype)
        W2 = _gain(setting) / math.sqrt(n) * rng.standard_normal((n, n), dtype)
        p = W1, np.zeros(n, dtype), W2, np.zeros(n, dtype)
        if setting.kind == "normalised":
            Fx, _ = F(x, *p)
            p = W1, np.zeros(n, dtype), W2 / Fx.std(axis=0), -Fx.mean(axis=0) / Fx.std(axis=0)
            x, _ = block(x, p, ())
        theta.append(p)
    return start, tuple(theta)


def open_share(xs: Any) -> Open:
    """Count the open entries of a stack with a ReLU after every addition.

    Parameters
    ----------
    xs : sequence of ndarray, shape (N, n)
        The stream, x_0, ..., x_L: an entry of block l is open where x_{l+1} is positive.

    Returns
    -------
    Open
        By block, and along the skip path.
    """
    masks = np.array([x > 0 for x in xs[1:]])
    path = np.logical_and.accumulate(masks, axis=0)
    positive = float((xs[0] > 0).mean())
    return Open(masks.mean(axis=(1, 2)), path.mean(axis=(1, 2)), positive)


def run(setting: Setting, seed: int) -> Open:
    """Draw a network with a ReLU after every addition, and count what its skip path lets through.

    Parameters
    ----------
    setting : Setting
        Which stream.
    seed : int
        Of the input and the weights.

    Returns
    -------
    Open
        By block, and along the skip path.

    Raises
    ------
    ValueError
        An unknown kind, a size that is too small, or so many blocks that the stream overflows.
    """
    # Signs are counted, so single precision does where its range does: a dominant branch grows past it.
    dtype = np.float64 if setting.kind == "dominant" else np.float32
    x, theta = initial(setting, rng=np.random.default_rng(seed), dtype=dtype)
    xs, _ = trace(*blocks_after(setting))(x, *((p, ()) for p in theta))
    if not np.isfinite(xs[-1]).all():
        raise ValueError(f"mask: the stream of {setting} overflows, take fewer blocks")
    return open_share(xs)


def spectrum(setting: Setting, seed: int) -> tuple[Spectrum, Spectrum]:
    """Pull the identity matrix back through one network with the ReLU after and before the addition.

    Parameters
    ----------
    setting : Setting
        Which stream.
    seed : int
        Of the input, the weights and the direction g_L; both networks have the same.

    Returns
    -------
    after, before : Spectrum
        Of the first row of the input.

    Raises
    ------
    ValueError
        An unknown kind, or a size that is too small.
    """
    rng = np.random.default_rng(seed)
    x, theta = initial(setting, rng=rng)
    g, n = rng.standard_normal(setting.width), setting.width
    after = trace(*blocks_after(setting))(np.tile(x[0], (n, 1)), *((p, ()) for p in theta))
    before = trace(*blocks_before(setting))(np.tile(x[0], (n, 1)), *(((), p) for p in theta))
    shut = max(float((x_l[0] <= 0).mean()) for x_l in after[0][1:])
    return _spectrum(after, g, shut), _spectrum(before, g, 0.0)


def _spectrum(traced: Any, g: Array, closed: float) -> Spectrum:
    (J, *_), _ = traced[1](np.eye(len(g)))
    zero = unresolved(np.linalg.svd(J, compute_uv=False))
    return Spectrum(float(np.linalg.norm(g @ J) / np.linalg.norm(g)), float(zero), closed)


def walks(setting: Setting, seed: int, *, walkers: int = 40_000) -> Open:
    """What a network of infinite width would let through: one entry of the stream as a walk.

    Parameters
    ----------
    setting : Setting
        Which stream; its width and its rows have no say.
    seed : int
        Of the walks.
    walkers : int
        How many; the standard error of a share is below 0.5/sqrt(walkers).

    Returns
    -------
    Open
        By block, and along the skip path.

    Notes
    -----
    In the limit of large width the entries of F(x) are normal and independent of each other and from block to
    block, with mean 0 and the mean square of the stream, or 1 if they are normalised. So an entry of the
    stream is x <- max(x + step, 0), and the walkers are the entries of one wide stream.
    """
    _check(setting)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(walkers)
    x = x if setting.kind == "gaussian" else np.abs(x)
    positive, alive, blocks, path = float((x > 0).mean()), np.ones(walkers, bool), [], []
    for _ in range(setting.blocks):
        rms = 1.0 if setting.kind == "normalised" else math.sqrt(float((x * x).mean()))
        x = np.maximum(x + _gain(setting) * rms * rng.standard_normal(walkers), 0)
        alive &= x > 0
        blocks.append((x > 0).mean())
        path.append(alive.mean())
    return Open(np.array(blocks), np.array(path), positive)


def trained(blocks: int, seed: int) -> tuple[Open, Open]:
    """Train a network with a ReLU after every addition on the digits, and count before and after.

    Parameters
    ----------
    blocks : int
        L.
    seed : int
        Of the split, the start and the minibatches.

    Returns
    -------
    before, after : Open
        Over the test images, before the first step and after the last. The stream begins behind the stem, an
        affine layer and a ReLU; width 32, fifteen epochs of Adam at a rate that falls from 0.003 to 0, W2
        divided by sqrt(L) at the start, as in `resgrad.lab.degradation`.
    """
    split_rng, start_rng, order_rng = np.random.default_rng(seed).spawn(3)
    parts = standardise(*split(digits(dtype=np.float32), test=TEST_ROWS, rng=split_rng))
    setting = Training("residual", blocks, 0.003)
    stem, *theta, _, head = degradation_initial(setting, rng=start_rng)
    start = stem, (), tuple((p, ()) for _, p in theta), head
    body = stack(*[stack(residual(branch(relu)), relu)] * blocks)
    steps = setting.epochs * math.ceil(len(parts[0].x) / setting.batch)
    end, _ = train(
        stack(linear, relu, body, linear),
        start,
        (parts[0], parts[1]),
        optimizer=adam(rate=linear_decay(setting.rate, steps=steps)),
        epochs=setting.epochs,
        batch=setting.batch,
        rng=order_rng,
    )
    return _on_images(start, parts[1].x), _on_images(end, parts[1].x)


def _on_images(theta: Tree, images: Any) -> Open:
    stem, _, body, _ = theta
    x, _ = stack(linear, relu)(images, stem, ())
    xs, _ = trace(*[stack(residual(branch(relu)), relu)] * len(body))(x, *body)
    return open_share(xs)


def _gain(setting: Setting) -> float:
    """What the branch is multiplied by."""
    if setting.kind in ("scaled", "gaussian"):
        return 1 / math.sqrt(setting.blocks)
    return DOMINANT if setting.kind == "dominant" else 1.0


def _check(setting: Setting) -> None:
    if setting.kind not in KINDS:
        raise ValueError(f"mask: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1 or setting.rows < 2:
        raise ValueError(
            f"mask: blocks {setting.blocks}, width {setting.width} and rows {setting.rows}, expected at least "
            "1, 1 and 2"
        )
