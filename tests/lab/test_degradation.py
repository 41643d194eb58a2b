import math
from itertools import product

import numpy as np
import pytest

from resgrad.lab import degradation
from resgrad.lab.degradation import (
    KINDS,
    Outcome,
    Row,
    Setting,
    compare,
    degrades,
    excess,
    initial,
    mean,
    network,
    run,
)
from resgrad.lab.optimizers import pack, unpack
from resgrad.lab.sweep import sweep

X = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)


def start(kind, blocks=3, width=8, seed=0):
    return initial(Setting(kind, blocks, 0.01, width=width), rng=np.random.default_rng(seed))


def by_hand(kind, x, theta):
    (W, b), *blocks, _, (W_head, b_head) = theta
    x = x @ W + b
    for _, (W1, b1, W2, b2) in blocks:
        F = np.maximum(np.maximum(x, 0) @ W1 + b1, 0) @ W2 + b2
        x = F if kind == "plain" else F + x
    return np.maximum(x, 0) @ W_head + b_head


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_the_one_that_is_described(kind):
    theta = start(kind)
    noise = np.random.default_rng(1).standard_normal(pack(theta).shape).astype(np.float32)
    theta = unpack(pack(theta) + 0.1 * noise, theta)  # biases that are not 0
    z, _ = network(kind, 3)(X, *theta)
    assert z.shape == (4, 10)
    assert z.dtype == np.float32
    assert np.allclose(z, by_hand(kind, X, theta), rtol=1e-5, atol=1e-5)


def test_the_kinds_have_the_same_parameters_but_for_the_scale_of_the_last_layer():
    plain, residual, unscaled = (start(kind) for kind in KINDS)
    assert np.array_equal(pack(plain), pack(unscaled))
    assert pack(plain).size == 64 * 8 + 8 + 3 * (2 * 64 + 2 * 8) + 8 * 10 + 10
    for (_, ours), (_, theirs) in zip(residual[1:4], plain[1:4], strict=True):
        assert np.array_equal(ours[0], theirs[0])
        assert np.allclose(ours[2] * math.sqrt(3), theirs[2], rtol=1e-6)
    assert np.array_equal(residual[-1][0], plain[-1][0])


def test_the_start_has_the_variances_that_are_stated():
    (W, b), (_, (W1, _, W2, _)), _, (head, _) = start("residual", blocks=1, width=400)
    for weights, variance in ((W, 1 / 64), (W1, 2 / 400), (W2, 2 / 400), (head, 2 / 400)):
        assert weights.var() == pytest.approx(variance, rel=0.1)
    _, *blocks, _, _ = start("residual", blocks=4, width=200)
    assert all(W2.var() == pytest.approx(2 / 800, rel=0.05) for _, (_, _, W2, _) in blocks)
    assert not b.any()


@pytest.mark.parametrize(("kind", "blocks"), [("ring", 1), ("plain", 0)])
def test_unknown_kinds_and_no_block_are_refused(kind, blocks):
    with pytest.raises(ValueError, match="degradation: "):
        network(kind, blocks)


SMALL = Setting("residual", 2, 0.01, width=8, epochs=2)


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    assert run(SMALL, 1) == run(SMALL, 1)
    assert run(SMALL, 1) != run(SMALL, 2)


@pytest.mark.parametrize(
    "change", [{"kind": "plain"}, {"blocks": 3}, {"rate": 0.02}, {"width": 9}, {"epochs": 3}, {"batch": 64}]
)
def test_every_setting_has_an_effect(change):
    assert run(SMALL._replace(**change), 1) != run(SMALL, 1)


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_split_start_and_order_all_come_from_the_seed(stream, monkeypatch):
    # Planted: one of the three streams is the same for every seed. The run has to notice, that is to
    # agree with the true one at the seed that the fixed stream came from, and nowhere else.
    true = {seed: run(SMALL, seed) for seed in (1, 2)}
    fresh = np.random.default_rng

    class Planted:
        def __init__(self, seed):
            self.streams = fresh(seed).spawn(3)
            self.streams[stream] = fresh(1).spawn(3)[stream]

        def spawn(self, count):
            return self.streams

    monkeypatch.setattr(degradation.np.random, "default_rng", Planted)
    assert run(SMALL, 1) == true[1]
    assert run(SMALL, 2) != true[2]


def test_a_diverged_run_has_the_stated_values():
    assert run(Setting("unscaled", 8, 1e30, width=8, epochs=1), 0) == (math.inf, 1, 1)


def row(kind, blocks, *errors):
    return Row(kind, blocks, 0.01, tuple(Outcome(0.5, error, error / 2) for error in errors))


def test_mean_and_standard_error_by_hand():
    # Deviations -1, 0, 1: sample variance 1, standard error 1/sqrt(3).
    assert mean([1, 2, 3]) == (2, pytest.approx(1 / math.sqrt(3)))
    assert row("plain", 8, 0.1, 0.2, 0.3).train_error.value == pytest.approx(0.2)
    assert row("plain", 8, 0.1, 0.2, 0.3).test_error.value == pytest.approx(0.1)
    assert row("plain", 8, 0.1, 0.2).layers == 18
    with pytest.raises(ValueError, match="at least 2"):
        mean([1])


def test_degradation_by_hand():
    # Shallow 0.1 +- 0.1 (0, 0.2), deep 0.5 +- 0.1 (0.4, 0.6): the error of the difference is 0.1 sqrt(2).
    rows = [row("plain", 8, 0.4, 0.6), row("plain", 1, 0.0, 0.2), row("plain", 4, 0.9, 0.9)]
    assert excess(rows, "plain") == (pytest.approx(0.4), pytest.approx(0.1 * math.sqrt(2)))
    assert degrades(rows, "plain")
    closer = [row("plain", 8, 0.2, 0.4), *rows[1:]]  # 0.2 is 1.4 standard errors
    assert not degrades(closer, "plain")
    better = [row("plain", 8, 0.0, 0.0), row("plain", 1, 0.3, 0.3)]
    assert not degrades(better, "plain")
    assert not degrades([row("plain", 1, 0.3, 0.3), row("plain", 9, 0.3, 0.3)], "plain")
    with pytest.raises(ValueError, match="1 rows of kind 'plain'"):
        excess([row("plain", 1, 0.3, 0.3), row("residual", 2, 0.3, 0.3)], "plain")


def test_the_rate_is_chosen_by_the_training_loss_on_the_choice_seeds_alone(monkeypatch):
    # Training loss, test error: the best rate in training on the seeds for the choice is 0.2 for plain (the
    # mean of 1 and 3 against 3 and 2), 0.1 for residual (0.2 diverges once).
    losses = {
        ("plain", 0.1): {1: 3, 2: 2},
        ("plain", 0.2): {1: 1, 2: 3},
        ("residual", 0.1): {1: 5, 2: 5},
        ("residual", 0.2): {1: 0, 2: math.inf},
    }
    ran = []

    def stub(setting, seed):
        ran.append((setting.kind, setting.rate, seed))
        loss = losses[setting.kind, setting.rate].get(seed, 0)
        return Outcome(loss, seed / 100, 1 / (1 + loss))

    monkeypatch.setattr(degradation, "run", stub)
    rows = compare(blocks=(4,), rates=(0.1, 0.2), choice_seeds=(1, 2), seeds=(7, 8, 9))
    assert [(row.kind, row.blocks, row.rate) for row in rows] == [("plain", 4, 0.2), ("residual", 4, 0.1)]
    assert [row.train_error.value for row in rows] == pytest.approx([0.08, 0.08])
    assert sorted(ran[:8]) == sorted((*key, seed) for key, seed in product(losses, (1, 2)))
    assert ran[8:] == [(k, r, s) for k, r in (("plain", 0.2), ("residual", 0.1)) for s in (7, 8, 9)]


def test_a_seed_is_not_used_twice():
    with pytest.raises(ValueError, match=r"\[3\] among choice_seeds and seeds"):
        compare(choice_seeds=(1, 3), seeds=(2, 3))


def test_deep_plain_networks_train_worse_than_deep_residual_ones():
    # Over 30 seeds the plain network is at 45 % (19 to 78), the residual one at 0.1 % (0 to 0.5).
    settings = [Setting(kind, 24, 0.003) for kind in ("plain", "residual")]
    (plain,), (residual,) = sweep(run, settings, [61])
    assert plain.train_error > 0.1
    assert residual.train_error < 0.02
    assert residual.test_error < plain.test_error
