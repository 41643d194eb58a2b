"""Evidence: the smallest case of degradation, networks that should give back their own input.

One branch, ReLU first: F(x) = relu(x) W + b, 16 wide, and L blocks of it: y = F(x) (*plain*) or y = F(x) + x
(*residual*, its W from N(0, 2/(n L)) at the start). *relu-last* is the residual network with F(x) = relu(x W + b).
Every step takes all of a few standard normal inputs; losses are mean squares for each of the n numbers of an output,
so that the output 0 has a loss of about 1.

Degradation is what `lab.images` says of seeds in pairs, with the training loss in place of the error: written down
before the seeds below were run.
"""

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import product
from typing import NamedTuple

import numpy as np

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab.optimizers import Tree, adam
from resgrad.lab.sweep import sweep
from resgrad.rules._types import Array, Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.loss import squared_error

KINDS = ("plain", "residual", "relu-last")
BLOCKS = (2, 8, 20, 56)
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
# For the comparison in which no rate is chosen.
FIXED_RATE = 1e-3
# The rate is chosen on one seed; what is shown comes from five others.
CHOICE_SEED = 11
SEEDS = (21, 22, 23, 24, 25)
EVALUATED = 2048


class Setting(NamedTuple):
    """What `run` trains.

    Attributes
    ----------
    kind : {"plain", "residual", "relu-last"}
        y = F(x); y = F(x) + x; the latter with the ReLU last in F.
    blocks : int
        L, at least 1; each has one matrix.
    rate : float
        Adam's, constant.
    steps, inputs, width : int
        Steps, the inputs that each of them takes, n.
    """

    kind: str
    blocks: int
    rate: float
    steps: int = 200
    inputs: int = 64
    width: int = 16


class Outcome(NamedTuple):
    """Losses at the end; infinite if not finite.

    Attributes
    ----------
    train_loss, test_loss : float
        Mean of (y - x)^2 over the inputs trained on, and over `EVALUATED` others.
    """

    train_loss: float
    test_loss: float


class Row(NamedTuple):
    """A kind at a depth, over the seeds.

    Attributes
    ----------
    setting : Setting
        With the rate that was chosen.
    outcomes : tuple of Outcome
        One a seed.
    """

    setting: Setting
    outcomes: tuple[Outcome, ...]


def network(kind: str, blocks: int) -> Rule:
    """Stack the blocks.

    Parameters
    ----------
    kind : {"plain", "residual", "relu-last"}
        As in `Setting`.
    blocks : int
        L, at least 1.

    Returns
    -------
    rule
        ``y, vjp = f(x, *theta)`` with the parameters of `initial`.

    Raises
    ------
    ValueError
        An unknown kind, or no block.
    """
    if kind not in KINDS:
        raise ValueError(f"toy: kind is {kind!r}, expected one of {KINDS}")
    if blocks < 1:
        raise ValueError(f"toy: blocks is {blocks}, expected at least 1")
    F = stack(linear, relu) if kind == "relu-last" else stack(relu, linear)
    return stack(*[F if kind == "plain" else residual(F)] * blocks)


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters that training starts from.

    Parameters
    ----------
    setting : Setting
        Kind, number of blocks L and width n.
    rng : numpy.random.Generator
        The same state gives the kinds the same matrices but for the factor.

    Returns
    -------
    nested tuple, float32
        ``(W, b)`` and ``()`` for each block, in the order of the branch; W from N(0, 2/n), 2/(n L) with a skip; b = 0.
    """
    n, L = setting.width, setting.blocks
    scale = math.sqrt(2 / n / (1 if setting.kind == "plain" else L))

    def block() -> Tree:
        theta = (scale * rng.standard_normal((n, n))).astype(np.float32), np.zeros(n, np.float32)
        return (theta, ()) if setting.kind == "relu-last" else ((), theta)

    return tuple(block() for _ in range(L))


def run(setting: Setting, seed: int) -> Outcome:
    """Train one network to give back its input.

    Parameters
    ----------
    setting : Setting
        What to train.
    seed : int
        Of the start and of the inputs, from two streams: all kinds meet the same inputs.

    Returns
    -------
    Outcome
        After the last step.

    Raises
    ------
    ValueError
        A setting that `network`, `squared_error` or `adam` refuses.
    """
    start_rng, rng = np.random.default_rng(seed).spawn(2)
    f, theta = network(setting.kind, setting.blocks), initial(setting, rng=start_rng)
    x, fresh = (
        rng.standard_normal((N, setting.width), dtype=np.float32) for N in (setting.inputs, EVALUATED)
    )
    optimizer = adam(rate=setting.rate)
    state = optimizer.init(theta)
    # A diverging run overflows on its way: that is the result here, not a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(setting.steps):
            y, vjp = f(x, *theta)
            _, *theta_bar = vjp(*squared_error(y, target=x)[1](1.0))
            theta, state = optimizer.step(theta, tuple(theta_bar), state)
        return Outcome(*(_loss(f(part, *theta)[0], part) for part in (x, fresh)))


def compare(
    kinds: Sequence[str] = KINDS,
    blocks: Sequence[int] = BLOCKS,
    *,
    rates: Sequence[float] = RATES,
    seeds: Sequence[int] = SEEDS,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[Row]:
    """Choose a rate for each kind and depth on `CHOICE_SEED`, then train on other seeds.

    Parameters
    ----------
    kinds, blocks, rates : sequence
        What to compare, and the grid; the rate with the lowest training loss is taken, of equal ones the first.
    seeds : sequence of int
        Of the result; `CHOICE_SEED` may not be among them.
    executor, progress
        As `sweep` takes them.

    Returns
    -------
    list of Row
        Kind by kind, in the order of `blocks`.

    Raises
    ------
    ValueError
        `CHOICE_SEED` among the seeds, or what `sweep` and `run` refuse.
    """
    if CHOICE_SEED in seeds:
        raise ValueError(
            f"compare: seed {CHOICE_SEED} chooses the rate: the result needs others, got {seeds}"
        )
    cells = list(product(kinds, blocks))
    grid = [Setting(*cell, rate) for cell in cells for rate in rates]
    tried = sweep(run, grid, [CHOICE_SEED], executor=executor, progress=progress)
    losses = [outcome.train_loss for (outcome,) in tried]
    best = np.reshape(losses, (len(cells), len(rates))).argmin(axis=1)
    chosen = [Setting(*cell, rates[index]) for cell, index in zip(cells, best, strict=True)]
    results = sweep(run, chosen, seeds, executor=executor, progress=progress)
    return [Row(setting, tuple(of)) for setting, of in zip(chosen, results, strict=True)]


def _loss(y: Array, x: Array) -> float:
    loss = 2 / x.shape[1] * float(squared_error(y, target=x)[0])
    return loss if math.isfinite(loss) else math.inf
