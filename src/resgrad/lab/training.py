"""One training loop for classifiers: minibatches from a Generator, a history, divergence as a result."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm  # type: ignore[import-untyped]

from resgrad.lab.data import Labelled
from resgrad.lab.optimizers import Optimizer, Tree
from resgrad.rules._types import Rule
from resgrad.rules.loss import cross_entropy


class Evaluation(NamedTuple):
    """How a network does on a training and a test part.

    Attributes
    ----------
    epoch : int
        How many epochs had been trained.
    train_loss : float
        Mean cross-entropy over the whole training part, in nats; infinite after divergence.
    train_error, test_error : float
        Share of the rows that are classified wrongly, from 0 to 1; 1 after divergence.
    """

    epoch: int
    train_loss: float
    train_error: float
    test_error: float


class History(NamedTuple):
    """What `train` recorded.

    Attributes
    ----------
    losses : ndarray, shape (steps,), float64
        The minibatch loss before each step, in nats; the last one is not finite after divergence.
    evaluations : tuple of Evaluation
        In the order of their epochs; the last one is that of the parameters returned.
    diverged_at : int or None
        The step (from 0) whose loss was not finite, where training stopped; None if there was none.
    """

    losses: NDArray[np.float64]
    evaluations: tuple[Evaluation, ...]
    diverged_at: int | None


def error_rate(z: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Share of the rows whose largest score is not at the label.

    Parameters
    ----------
    z : ndarray, shape (N, K), real floating
        Scores. A row with a score that is not finite counts as wrong.
    labels : ndarray of int, shape (N,)
        The right class of each row.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        The shapes do not fit, or there is no row.
    """
    if z.ndim != 2 or z.size == 0 or labels.shape != z.shape[:1]:
        raise ValueError(
            f"error_rate: z {z.shape} and labels {labels.shape}, expected (N, K) and (N,), N > 0"
        )
    right = (z.argmax(axis=1) == labels) & np.isfinite(z).all(axis=1)
    return 1 - float(right.mean())


def train(
    network: Rule,
    theta: Tree,
    parts: tuple[Labelled, Labelled],
    *,
    optimizer: Optimizer,
    epochs: int,
    batch: int,
    rng: np.random.Generator,
    every: int | None = None,
    progress: bool = False,
) -> tuple[Tree, History]:
    """Train a classifier on minibatches with the cross-entropy loss.

    Parameters
    ----------
    network : rule
        ``z, vjp = network(x, *theta)`` with scores z (N, K), as `stack` makes it.
    theta : nested tuple of arrays
        Where the parameters start; not changed.
    parts : tuple of Labelled
        The training and the test part. The test part is evaluated and used for nothing else.
    optimizer : Optimizer
        `sgd` or `adam`, or any pair of pure functions like theirs.
    epochs : int
        How often each training row is used.
    batch : int
        Rows in a minibatch. Each epoch draws a new order; its last minibatch takes the rows that are left.
    rng : numpy.random.Generator
        Where the orders come from, and the only source of chance: the same state gives the same bits.
    every : int, optional
        Evaluate after every so many epochs, and at the end; only at the end without it.
    progress : bool
        Show a bar on a terminal; a page or a log file never gets one.

    Returns
    -------
    theta : nested tuple of arrays
        The trained parameters.
    history : History
        Divergence is a result and no error, since a grid of learning rates has to be able to contain it:
        training stops at the first loss that is not finite, before its step.

    Raises
    ------
    TypeError
        `rng` is not a Generator.
    ValueError
        `epochs`, `batch` or `every` below 1, or what the network, the loss or the optimizer refuse.
    """
    every = epochs if every is None else every
    _check(parts, rng, epochs=epochs, batch=batch, every=every)
    losses: list[float] = []
    evaluations: list[Evaluation] = []
    state = optimizer.init(theta)
    # A diverging run overflows on its way: that is the result here, not a warning.
    with np.errstate(over="ignore", invalid="ignore"), _bar(epochs, progress) as bar:
        for epoch in range(1, epochs + 1):
            theta, state = _epoch(network, optimizer, theta, state, _batches(parts[0], batch, rng), losses)
            bar.update()
            if not math.isfinite(losses[-1]):
                evaluations.append(Evaluation(epoch, math.inf, 1.0, 1.0))
                return theta, History(np.array(losses), tuple(evaluations), len(losses) - 1)
            if epoch % every == 0 or epoch == epochs:
                evaluations.append(evaluate(network, theta, parts, epoch=epoch))
    return theta, History(np.array(losses), tuple(evaluations), None)


def evaluate(network: Rule, theta: Tree, parts: tuple[Labelled, Labelled], *, epoch: int = 0) -> Evaluation:
    """Loss and errors of a network on whole parts.

    Parameters
    ----------
    network, theta, parts
        As `train` takes them.
    epoch : int
        Written into the result.

    Returns
    -------
    Evaluation
        The loss is a mean over the rows of the training part.
    """
    z, test_z = (network(part.x, *theta)[0] for part in parts)
    loss, _ = cross_entropy(z, labels=parts[0].labels)
    return Evaluation(epoch, float(loss), error_rate(z, parts[0].labels), error_rate(test_z, parts[1].labels))


def _epoch(
    network: Rule,
    optimizer: Optimizer,
    theta: Tree,
    state: Tree,
    batches: Iterator[Labelled],
    losses: list[float],
) -> tuple[Tree, Tree]:
    for x, labels in batches:
        z, vjp = network(x, *theta)
        loss, loss_vjp = cross_entropy(z, labels=labels)
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            break
        _, *theta_bar = vjp(*loss_vjp(1.0))
        theta, state = optimizer.step(theta, tuple(theta_bar), state)
    return theta, state


def _batches(part: Labelled, batch: int, rng: np.random.Generator) -> Iterator[Labelled]:
    order = rng.permutation(len(part.x))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        yield Labelled(part.x[rows], part.labels[rows])


def _check(parts: tuple[Labelled, Labelled], rng: object, **counts: int) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"train: rng is {type(rng).__name__}, expected numpy.random.Generator")
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"train: {name} is {value}, expected at least 1")
    for name, part in zip(("training", "test"), parts, strict=True):
        if len(part.x) == 0 or len(part.labels) != len(part.x):
            raise ValueError(f"train: the {name} part has {len(part.x)} images and {len(part.labels)} labels")


def _bar(total: int, progress: bool) -> Any:
    return tqdm(total=total, desc="train", unit="epoch", disable=None if progress else True)
