import io
import math
import sys

import numpy as np
import pytest

from resgrad.blocks.stack import stack
from resgrad.lab import training
from resgrad.lab.data import Labelled
from resgrad.lab.optimizers import sgd
from resgrad.lab.training import error_rate, evaluate, train
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.loss import cross_entropy

LINEAR = stack(linear)
ONE = Labelled(np.array([[1.0]]), np.array([0]))
ZERO = ((np.zeros((1, 2)), np.zeros(2)),)


def problem(seed=0, rows=23):
    """A small network and rows that it can learn: the class is the largest of three pixels."""
    rng = np.random.default_rng(seed)
    parts = tuple(Labelled(x := rng.standard_normal((n, 3)), x.argmax(axis=1)) for n in (rows, 10))
    theta = ((rng.standard_normal((3, 5)), np.zeros(5)), (), (rng.standard_normal((5, 3)), np.zeros(3)))
    return stack(linear, relu, linear), theta, parts


def settings(**changes):
    return {"optimizer": sgd(rate=0.1), "epochs": 4, "batch": 5, "rng": np.random.default_rng(3)} | changes


def test_one_step_by_hand():
    # Scores 0 and 0: loss ln 2, gradient (-1/2, 1/2) for the weights and for the bias alike.
    theta, history = train(
        LINEAR, ZERO, (ONE, ONE), **settings(optimizer=sgd(rate=1, momentum=0), epochs=1, batch=1)
    )
    assert theta[0][0].tolist() == [[0.5, -0.5]]
    assert theta[0][1].tolist() == [0.5, -0.5]
    assert history.losses.tolist() == [pytest.approx(math.log(2))]
    # Scores 1 and -1 afterwards.
    (end,) = history.evaluations
    assert end == (1, pytest.approx(math.log1p(math.exp(-2))), 0.0, 0.0)
    assert history.diverged_at is None
    assert ZERO[0][0].tolist() == [[0, 0]]


def test_it_learns():
    network, theta, parts = problem(rows=200)
    before = evaluate(network, theta, parts)
    _, history = train(network, theta, parts, **settings(epochs=30, batch=20))
    assert before.train_error > 0.3
    assert history.evaluations[-1].train_error < 0.1


def losses_of(network, theta, parts, rng):
    return train(network, theta, parts, **settings(rng=rng))[1].losses


def follows_the_generator():
    """Whether the minibatches are those of the permutations that the Generator gives, one an epoch."""
    network, theta, parts = problem()
    rng, mine = (np.random.default_rng(5) for _ in range(2))
    losses = losses_of(network, theta, parts, rng)
    optimizer, expected = sgd(rate=0.1), []
    state = optimizer.init(theta)
    for _ in range(4):
        order = mine.permutation(23)
        for rows in (order[:5], order[5:10], order[10:15], order[15:20], order[20:]):
            z, vjp = network(parts[0].x[rows], *theta)
            loss, loss_vjp = cross_entropy(z, labels=parts[0].labels[rows])
            expected.append(float(loss))
            theta, state = optimizer.step(theta, tuple(vjp(*loss_vjp(1.0))[1:]), state)
    return losses.tolist() == expected


def test_it_follows_the_generator():
    assert follows_the_generator()


@pytest.mark.parametrize(
    "batches",
    [
        lambda part, batch, rng: iter([part] * 5),  # the whole part each time
        lambda part, batch, rng: iter(
            [Labelled(part.x[i : i + 5], part.labels[i : i + 5]) for i in range(0, 23, 5)]
        ),
        lambda part, batch, rng: ORIGINAL(part, batch, np.random.default_rng()),  # its own chance
        lambda part, batch, rng: ORIGINAL(part, batch, np.random.default_rng(5)),  # the same order each epoch
        lambda part, batch, rng: list(ORIGINAL(part, batch, rng))[:-1],  # drops the rows that are left
    ],
)
def test_a_loop_that_does_not_follow_the_generator_is_noticed(batches, monkeypatch):
    monkeypatch.setattr(training, "_batches", batches)
    assert not follows_the_generator()


ORIGINAL = training._batches


def test_the_same_generator_gives_the_same_bits_and_another_others():
    network, theta, parts = problem()
    first, again = (train(network, theta, parts, **settings(rng=np.random.default_rng(1))) for _ in range(2))
    assert first[1].losses.tobytes() == again[1].losses.tobytes()
    assert first[1].evaluations == again[1].evaluations
    assert all(np.array_equal(a, b) for a, b in zip(first[0][0], again[0][0], strict=True))
    other = losses_of(network, theta, parts, np.random.default_rng(2))
    assert not np.array_equal(first[1].losses, other)


def test_the_test_part_has_no_influence():
    network, theta, (part, test) = problem()
    shuffled = Labelled(test.x[::-1], test.labels)
    one, other = (train(network, theta, (part, t), **settings()) for t in (test, shuffled))
    assert one[1].losses.tobytes() == other[1].losses.tobytes()


@pytest.mark.parametrize(("every", "epochs"), [(None, [5]), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5])])
def test_evaluations_come_as_often_as_asked_and_at_the_end(every, epochs):
    network, theta, parts = problem()
    theta, history = train(network, theta, parts, **settings(epochs=5, every=every))
    assert [evaluation.epoch for evaluation in history.evaluations] == epochs
    assert history.evaluations[-1] == evaluate(network, theta, parts, epoch=5)
    assert len(history.losses) == 5 * 5


def test_divergence_is_a_result():
    x = Labelled(np.full((1, 1), 1e10, np.float32), np.array([0]))
    theta = ((np.zeros((1, 2), np.float32), np.zeros(2, np.float32)),)
    _, history = train(LINEAR, theta, (x, x), **settings(optimizer=sgd(rate=1e30), batch=1))
    # The first step makes the weights infinite, the second loss shows it.
    assert history.diverged_at == 1
    assert len(history.losses) == 2
    assert not math.isfinite(history.losses[-1])
    assert history.evaluations == ((2, math.inf, 1.0, 1.0),)


def test_error_rate_by_hand():
    z = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0], [np.nan, 0.0], [np.inf, 0.0]])
    # Right, wrong, right, and two rows without finite scores, which are wrong whatever their label.
    assert error_rate(z, np.array([0, 0, 1, 0, 0])) == pytest.approx(3 / 5)
    with pytest.raises(ValueError, match=r"z \(5, 2\) and labels \(4,\)"):
        error_rate(z, np.zeros(4, int))
    with pytest.raises(ValueError, match="N > 0"):
        error_rate(z[:0], np.zeros(0, int))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_is_for_terminals_that_ask_for_it(monkeypatch, capsys):
    network, theta, parts = problem()
    train(network, theta, parts, **settings(progress=True))
    assert capsys.readouterr() == ("", "")
    for progress in (False, True):
        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        train(network, theta, parts, **settings(progress=progress))
        assert ("epoch" in terminal.getvalue()) is progress


@pytest.mark.parametrize("name", ["epochs", "batch", "every"])
def test_counts_start_at_one(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        train(LINEAR, ZERO, (ONE, ONE), **settings(**{name: 0}))


def test_a_missing_generator_or_part_is_refused():
    with pytest.raises(TypeError, match="rng is NoneType"):
        train(LINEAR, ZERO, (ONE, ONE), **settings(rng=None))
    empty = Labelled(ONE.x[:0], ONE.labels[:0])
    with pytest.raises(ValueError, match="training part has 0 images"):
        train(LINEAR, ZERO, (empty, ONE), **settings())
    with pytest.raises(ValueError, match="test part has 1 images and 0 labels"):
        train(LINEAR, ZERO, (ONE, Labelled(ONE.x, ONE.labels[:0])), **settings())
