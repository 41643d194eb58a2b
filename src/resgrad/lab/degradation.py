"""Evidence: plain against residual networks of increasing depth, trained on handwritten digits.

One branch makes both: F(x) = relu(relu(x) W1 + b1) W2 + b2. A plain block is y = F(x), a residual block is
y = F(x) + x. With an affine stem and a relu and an affine head around L blocks, both have 2L + 2 layers,
the same parameters, and a relu between any two layers: nothing differs but the x that is added, and the
start, where the residual network's W2 is divided by sqrt(L).

Degradation (He et al. 2015) is what `degrades` says, and was written down before the seeds below were run.
"""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from itertools import product
from typing import NamedTuple

import numpy as np

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab.data import digits, split, standardise
from resgrad.lab.optimizers import Tree, adam, linear_decay
from resgrad.lab.sweep import sweep
from resgrad.lab.training import train
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

KINDS = ("plain", "residual", "unscaled")
BLOCKS = (1, 4, 8, 24)
RATES = (0.001, 0.003, 0.01, 0.03)
LONGER = 100  # epochs

# The rate is chosen on two seeds; what is shown comes from five others. Neither were used to settle the
# grid, the width or the number of epochs.
CHOICE_SEEDS = (11, 12)
SEEDS = (21, 22, 23, 24, 25)

CLASSES, PIXELS, TEST_ROWS = 10, 64, 360


class Setting(NamedTuple):
    """What `run` trains.

    Attributes
    ----------
    kind : {"plain", "residual", "unscaled"}
        y = F(x); y = F(x) + x; the latter started without the factor 1/sqrt(L) in W2.
    blocks : int
        L, at least 1: the network has 2L + 2 layers.
    rate : float
        Adam's first learning rate; it falls to 0 on a straight line.
    width : int
        n, of the stream and of the branch.
    epochs, batch : int
        As `train` takes them.
    """

    kind: str
    blocks: int
    rate: float
    width: int = 32
    epochs: int = 15
    batch: int = 128


class Outcome(NamedTuple):
    """How a run ended; after divergence the loss is infinite and the errors are 1.

    Attributes
    ----------
    train_loss : float
        Mean cross-entropy over the training part, in nats.
    train_error, test_error : float
        Share of the images that are classified wrongly, from 0 to 1.
    """

    train_loss: float
    train_error: float
    test_error: float


class Row(NamedTuple):
    """One line of the result: a kind at a depth, over the seeds.

    Attributes
    ----------
    kind, blocks
        As in `Setting`.
    rate : float
        The learning rate that was chosen.
    outcomes : tuple of Outcome
        One a seed.
    """

    kind: str
    blocks: int
    rate: float
    outcomes: tuple[Outcome, ...]

    @property
    def layers(self) -> int:
        """Affine layers: two a block, the stem and the head."""
        return 2 * self.blocks + 2

    @property
    def train_error(self) -> "Mean":
        """Training error over the seeds."""
        return mean([outcome.train_error for outcome in self.outcomes])

    @property
    def test_error(self) -> "Mean":
        """Test error over the seeds."""
        return mean([outcome.test_error for outcome in self.outcomes])


class Mean(NamedTuple):
    """A mean and its standard error.

    Attributes
    ----------
    value : float
        Mean over the seeds.
    error : float
        Standard error of it, from the sample standard deviation (n - 1).
    """

    value: float
    error: float


def network(kind: str, blocks: int) -> Rule:
    """Stem, L blocks, relu and head.

    Parameters
    ----------
    kind : {"plain", "residual", "unscaled"}
        Whether a block adds its input.
    blocks : int
        L, at least 1.

    Returns
    -------
    rule
        ``z, vjp = f(x, *theta)``, x (N, 64) and z (N, 10), with the parameters of `initial`.

    Raises
    ------
    ValueError
        An unknown kind, or no block.
    """
    if kind not in KINDS:
        raise ValueError(f"degradation: kind is {kind!r}, expected one of {KINDS}")
    if blocks < 1:
        raise ValueError(f"degradation: blocks is {blocks}, expected at least 1")
    F = stack(relu, branch(relu))
    block = F if kind == "plain" else residual(F)
    return stack(linear, *[block] * blocks, relu, linear)


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters that training starts from.

    Parameters
    ----------
    setting : Setting
        Kind, number of blocks and width n.
    rng : numpy.random.Generator
        The same state gives the kinds the same matrices but for the factor in W2.

    Returns
    -------
    nested tuple, float32
        ``(W, b)`` of the stem, ``((), (W1, b1, W2, b2))`` of each block, ``()``, ``(W, b)`` of the head.
        Weights are normal with variance 2/n (He et al. 2015, arXiv:1502.01852), 1/64 in the stem, which no
        relu precedes, and 2/(n L) in W2 of the residual network; the biases are 0.
    """
    n, L = setting.width, setting.blocks
    last = 2 / (n * L) if setting.kind == "residual" else 2 / n

    def layer(inputs: int, outputs: int, variance: float) -> Tree:
        W = math.sqrt(variance) * rng.standard_normal((inputs, outputs))
        return W.astype(np.float32), np.zeros(outputs, np.float32)

    stem = layer(PIXELS, n, 1 / PIXELS)
    blocks = [((), layer(n, n, 2 / n) + layer(n, n, last)) for _ in range(L)]
    return stem, *blocks, (), layer(n, CLASSES, 2 / n)


def run(setting: Setting, seed: int) -> Outcome:
    """Train one network on one random split of the digits.

    Parameters
    ----------
    setting : Setting
        What to train.
    seed : int
        Of the split (1437 images to train on, 360 to test), of the start and of the minibatches, from
        three streams: every kind, depth and rate meets the same split and the same minibatches.

    Returns
    -------
    Outcome
        At the end of the last epoch.

    Raises
    ------
    ValueError
        A setting that `network`, `train` or `adam` refuses.
    """
    split_rng, start_rng, order_rng = np.random.default_rng(seed).spawn(3)
    parts = standardise(*split(digits(dtype=np.float32), test=TEST_ROWS, rng=split_rng))
    steps = setting.epochs * math.ceil(len(parts[0].x) / setting.batch)
    _, history = train(
        network(setting.kind, setting.blocks),
        initial(setting, rng=start_rng),
        (parts[0], parts[1]),
        optimizer=adam(rate=linear_decay(setting.rate, steps=steps)),
        epochs=setting.epochs,
        batch=setting.batch,
        rng=order_rng,
    )
    return Outcome(*history.evaluations[-1][1:])


def compare(
    kinds: Iterable[str] = ("plain", "residual"),
    blocks: Iterable[int] = BLOCKS,
    *,
    rates: Sequence[float] = RATES,
    choice_seeds: Sequence[int] = CHOICE_SEEDS,
    seeds: Sequence[int] = SEEDS,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[Row]:
    """Choose a learning rate for each kind and depth from one grid, then train on fresh seeds.

    Parameters
    ----------
    kinds, blocks : iterable
        What to compare: every kind at every number of blocks.
    rates : sequence of float
        The grid. The rate with the lowest training loss at the end, the mean over `choice_seeds`, is taken;
        a diverged run counts as infinite, and of equal rates the first is taken. No test image has a say.
    choice_seeds, seeds : sequence of int
        For the choice, and for the result; none may be in both.
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of Row
        Kind by kind, in the order of `blocks`.

    Raises
    ------
    ValueError
        A seed that is in both groups, or what `sweep` and `run` refuse.
    """
    if shared := set(choice_seeds) & set(seeds):
        raise ValueError(
            f"compare: {sorted(shared)} among choice_seeds and seeds: the result needs fresh ones"
        )
    cells = list(product(kinds, blocks))
    grid = [Setting(*cell, rate) for cell in cells for rate in rates]
    tried = sweep(run, grid, choice_seeds, executor=executor, progress=progress)
    losses = np.array([[outcome.train_loss for outcome in outcomes] for outcomes in tried]).mean(axis=1)
    best = losses.reshape(len(cells), len(rates)).argmin(axis=1)
    chosen = [Setting(*cell, rates[index]) for cell, index in zip(cells, best, strict=True)]
    results = sweep(run, chosen, seeds, executor=executor, progress=progress)
    return [Row(*setting[:3], tuple(outcomes)) for setting, outcomes in zip(chosen, results, strict=True)]


def mean(values: Sequence[float]) -> Mean:
    """Mean and standard error of independent values.

    Parameters
    ----------
    values : sequence of float
        At least two.

    Returns
    -------
    Mean
        The standard error is the sample standard deviation (n - 1) over sqrt(n).

    Raises
    ------
    ValueError
        Fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"mean: {len(values)} values, expected at least 2 for a standard error")
    return Mean(float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values)))


def excess(rows: Iterable[Row], kind: str) -> Mean:
    """How much higher the training error is at the greatest depth than at the smallest.

    Parameters
    ----------
    rows : iterable of Row
        From `compare`.
    kind : str
        Which of them to look at.

    Returns
    -------
    Mean
        The difference of the two means, and its standard error: the root of the sum of the squares of
        theirs, which takes the runs of the two depths as independent.

    Raises
    ------
    ValueError
        Fewer than two depths of that kind.
    """
    ordered = sorted((row for row in rows if row.kind == kind), key=lambda row: row.blocks)
    if len(ordered) < 2:
        raise ValueError(f"excess: {len(ordered)} rows of kind {kind!r}, expected two depths or more")
    shallow, deep = ordered[0].train_error, ordered[-1].train_error
    return Mean(deep.value - shallow.value, math.hypot(deep.error, shallow.error))


def degrades(rows: Iterable[Row], kind: str) -> bool:
    """Whether more depth left a kind with a higher training error.

    Parameters
    ----------
    rows : iterable of Row
        From `compare`.
    kind : str
        Which of them to look at.

    Returns
    -------
    bool
        True if `excess` is more than two of its standard errors above 0.

    Raises
    ------
    ValueError
        Fewer than two depths of that kind.
    """
    difference = excess(rows, kind)
    return difference.value > 2 * difference.error
