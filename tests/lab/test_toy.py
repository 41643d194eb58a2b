import math

import numpy as np
import pytest

from resgrad.lab import toy
from resgrad.lab.optimizers import pack
from resgrad.lab.toy import CHOICE_SEED, KINDS, SEEDS, Outcome, Setting, compare, initial, network, run

SMALL = Setting("residual", 2, 0.01, steps=3, inputs=8, width=3)


def start(kind, blocks=3, width=4):
    return initial(Setting(kind, blocks, 0.01, width=width), rng=np.random.default_rng(0))


def by_hand(kind, x, theta):
    for block in theta:
        W, b = block[0] or block[1]
        F = np.maximum(x @ W + b, 0) if kind == "relu-last" else np.maximum(x, 0) @ W + b
        x = F if kind == "plain" else F + x
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_the_one_that_is_described(kind):
    x = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
    y, _ = network(kind, 3)(x, *start(kind))
    assert np.allclose(y, by_hand(kind, x, start(kind)), rtol=1e-5, atol=1e-6)


def test_the_kinds_start_from_the_same_numbers_but_for_the_factor():
    plain, residual, last = (pack(start(kind)) for kind in KINDS)
    assert np.array_equal(residual, last)
    assert np.allclose(residual * math.sqrt(3), plain, rtol=1e-6)
    ((_, (W, b)),) = start("plain", blocks=1, width=300)
    assert W.var() == pytest.approx(2 / 300, rel=0.1)
    assert not b.any()


def test_the_losses_are_mean_squares():
    # No step that matters: the outputs are those of the start, and the output 0 has the loss 1.
    still = Setting("residual", 1, 1e-12, steps=1, inputs=500, width=3)
    start_rng, rng = np.random.default_rng(4).spawn(2)
    theta = initial(still, rng=start_rng)
    for loss, rows in zip(run(still, 4), (500, toy.EVALUATED), strict=True):
        x = rng.standard_normal((rows, 3), dtype=np.float32)
        expected = np.mean((by_hand("residual", x, theta) - x) ** 2)
        assert loss == pytest.approx(expected, rel=1e-5)  # float32


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    assert run(SMALL, 1) == run(SMALL, 1)
    assert run(SMALL, 1) != run(SMALL, 2)


@pytest.mark.parametrize(
    "change",
    [{"kind": "plain"}, {"kind": "relu-last"}, {"blocks": 3}, {"rate": 0.02}, {"steps": 4}, {"inputs": 9}],
)
def test_every_setting_has_an_effect(change):
    assert run(SMALL._replace(**change), 1) != run(SMALL, 1)


def test_a_diverged_run_has_infinite_losses():
    assert run(Setting("residual", 30, 1e30, steps=3), 0) == (math.inf, math.inf)


def test_the_rate_is_chosen_by_the_training_loss_on_the_choice_seed_alone(monkeypatch):
    best = {2: 0.2, 8: 0.1}
    ran = []

    def stub(setting, seed):
        ran.append((setting.rate, seed))
        loss = 0.0 if setting.rate == best[setting.blocks] else math.inf
        return Outcome(loss, -loss)

    monkeypatch.setattr(toy, "run", stub)
    rows = compare(["plain"], [2, 8], rates=(0.1, 0.2), seeds=(1, 2))
    assert [(row.setting.blocks, row.setting.rate) for row in rows] == [(2, 0.2), (8, 0.1)]
    assert {seed for _, seed in ran[:4]} == {CHOICE_SEED}
    with pytest.raises(ValueError, match=f"seed {CHOICE_SEED} chooses the rate"):
        compare(seeds=(CHOICE_SEED,))
    assert CHOICE_SEED not in SEEDS


def test_unknown_kinds_and_no_block_are_refused():
    with pytest.raises(ValueError, match="toy: kind is 'ring'"):
        network("ring", 1)
    with pytest.raises(ValueError, match="toy: blocks is 0"):
        network("plain", 0)
