import math
from itertools import product

import numpy as np
import pytest

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.lab import weights
from resgrad.lab.sweep import sweep
from resgrad.lab.weights import KINDS, Setting, expected, first_signals, initial, network, run
from resgrad.rules.activation import sigmoid, tanh


def by_hand(setting, seed):
    """Values below, gradients above and the weights' gradients, one block after the other."""
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    n, L, skip = setting.width, setting.blocks, float(setting.kind != "plain")
    x, g = x_rng.standard_normal(n), g_rng.standard_normal(n)
    x, g = x / np.linalg.norm(x), g / np.linalg.norm(g)
    shrink = math.sqrt(L) if setting.kind == "scaled" else 1
    kept = []
    for _ in range(L):
        W1 = weights_rng.standard_normal((n, n)) * setting.gain * math.sqrt(1 / n)
        W2 = weights_rng.standard_normal((n, n)) * setting.gain * math.sqrt(2 / n) / shrink
        b2 = weights_rng.standard_normal(n) / math.sqrt(n) * setting.biases
        h = np.maximum(x @ W1, 0)
        kept.append((x, h, W1, W2))
        x = h @ W2 + b2 + skip * x
    rows = []
    for x, h, W1, W2 in reversed(kept):
        a_bar = (W2 @ g) * (h > 0)
        rows.append([np.linalg.norm(v) for v in (x, h, g, np.outer(x, a_bar), np.outer(h, g))])
        g = W1 @ a_bar + skip * g
    return np.array(rows[::-1]).T


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_lengths_are_those_of_the_definition(kind, biases):
    setting = Setting(kind, 0.7, biases, 4, 6)
    assert np.allclose(run(setting, 3), by_hand(setting, 3), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_each_length_is_the_product_of_what_comes_from_below_and_from_above(kind):
    found = run(Setting(kind, 0.5, True, 5, 8), 1)
    assert np.allclose(found.W2_bar, found.h * found.y_bar, rtol=1e-12)
    assert (found.W1_bar <= found.x * found.y_bar * 8).all()


def test_plain_and_residual_have_the_same_weights():
    plain, with_skip, scaled = (
        initial(Setting(kind, 0.5, True, 3, 4), rng=np.random.default_rng(5)) for kind in KINDS
    )
    for one, other, third in zip(plain, with_skip, scaled, strict=True):
        assert all(np.array_equal(v, w) for v, w in zip(one, other, strict=True))
        assert np.allclose(third[2] * math.sqrt(3), one[2])
        assert np.array_equal(third[0], one[0])
        assert not one[1].any()
        assert one[3].any()


def test_without_biases_there_are_none():
    assert not any(b2.any() for *_, b2 in initial(Setting("plain"), rng=np.random.default_rng(0)))


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    setting = Setting("scaled", 1.0, True, 3, 4)
    first, again, other = (run(setting, seed) for seed in (1, 1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.W1_bar, other.W1_bar)


@pytest.mark.parametrize(
    "setting",
    [Setting("ring"), Setting("plain", blocks=0), Setting("plain", width=0), Setting("plain", 0.0),
     Setting("plain", math.inf), Setting("plain", math.nan)],
)  # fmt: skip
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="weights: "):
        network(setting)
    with pytest.raises(ValueError, match="weights: "):
        run(setting, 0)


def test_expected_lengths_by_hand():
    assert expected(Setting("plain", 1.0, blocks=9)) == pytest.approx((1, math.sqrt(0.5)))
    assert expected(Setting("plain", 0.5, blocks=3)) == pytest.approx((0.5 / 16, math.sqrt(0.5) / 32))
    assert expected(Setting("residual", 1.0, blocks=9)) == pytest.approx((16, 16 * math.sqrt(0.5)))
    assert expected(Setting("scaled", 1.0, blocks=3)) == pytest.approx(
        (math.sqrt(1 / 3) * 4 / 3, math.sqrt(0.5) * 4 / 3)
    )
    with pytest.raises(ValueError, match="biases"):
        expected(Setting("plain", biases=True))


def ratio(kind, gain):
    """Mean square of each weight's gradient over many draws, over its law, at the first and the last block."""
    setting = Setting(kind, gain, blocks=3, width=64)
    flows = sweep(run, [setting], range(200))[0]
    squares = np.array([[flow.W1_bar**2, flow.W2_bar**2] for flow in flows]).mean(axis=0)
    return squares / np.array(expected(setting))[:, None] ** 2


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_squares_follow_their_law(kind, gain):
    # Over 6000 other draws each ratio is within 0.02 of 1, and the spread of a mean over 200 is 0.02 to 0.042:
    # more than four of these are left.
    assert np.abs(ratio(kind, gain) - 1).max() < 0.2


@pytest.mark.parametrize("kind", ["residual", "scaled"])
def test_with_a_skip_the_law_is_exact_at_width_two(kind):
    # All weights of one size with every pattern of signs: mean zero, the variance of the draws, W as likely as -W.
    # In a plain network such weights would make pre-activations of exactly zero, which no draw has.
    n, L, s = 2, 2, 0.8
    patterns = np.array(list(product((1.0, -1.0), repeat=2 * L * n * n))).reshape(-1, L, 2, n, n)
    last = s * math.sqrt(2 / n / (L if kind == "scaled" else 1))
    W1, W2 = patterns[:, :, 0] * s / math.sqrt(n), patterns[:, :, 1] * last
    x, g = (np.tile(np.array(v), (len(patterns), 1)) for v in ([0.6, -0.8], [0.28, 0.96]))
    kept = []
    for k in range(L):
        h = np.maximum(np.einsum("pi,pij->pj", x, W1[:, k]), 0)
        kept.append((x, h))
        x = np.einsum("pi,pij->pj", h, W2[:, k]) + x
    for k, (x, h) in reversed(list(enumerate(kept))):
        a_bar = np.einsum("pj,pij->pi", g, W2[:, k]) * (h > 0)
        found = [((u**2).sum(axis=1) * (v**2).sum(axis=1)).mean() for u, v in ((x, a_bar), (h, g))]
        assert np.allclose(np.sqrt(found), expected(Setting(kind, s, blocks=L, width=n)), rtol=1e-12)
        g = np.einsum("pj,pij->pi", a_bar, W1[:, k]) + g


@pytest.mark.parametrize("kind", KINDS)
def test_a_forgotten_factor_breaks_the_law(kind, monkeypatch):
    def one_for_both(setting, *, rng):
        return tuple((W1 * math.sqrt(2), b1, W2, b2) for W1, b1, W2, b2 in initial(setting, rng=rng))

    monkeypatch.setattr(weights, "initial", one_for_both)
    assert np.abs(ratio(kind, 1.0) - 1).max() > 0.5


def test_half_of_he_starves_a_plain_network_in_all_blocks_alike_and_biases_let_it_fade():
    def flow(kind, biases):
        return run(Setting(kind, 0.5, biases), 200)

    plain, faded, with_skip = flow("plain", False), flow("plain", True), flow("residual", False)
    for name in ("W1_bar", "W2_bar"):
        even, uneven = getattr(plain, name), getattr(faded, name)
        assert even.min() > 1e-14
        assert even.max() < min(1e-10, 20 * even.min())
        assert uneven[0] < 1e-10
        assert uneven[-1] > 0.1
        assert getattr(with_skip, name).min() > 0.1


def shapes(n, m):
    return (n, m), m, (m, n), n


@pytest.mark.parametrize(
    ("activation", "zero", "expected_steps"),
    [
        (tanh, (), [0, 0, 0, 0]),
        (tanh, (2, 3), [1, 1, 0, 0]),
        (tanh, (0, 1, 2, 3), [None, None, None, 0]),
        (sigmoid, (0, 1, 2, 3), [1, 1, 0, 0]),
    ],
)
def test_the_first_step_at_which_a_gradient_is_not_zero(activation, zero, expected_steps):
    rng = np.random.default_rng(1)
    theta = [rng.standard_normal(shape) * (i not in zero) for i, shape in enumerate(shapes(4, 6))]
    before = [v.copy() for v in theta]
    F = branch(activation)
    assert first_signals(residual(F), theta, seed=2, steps=6) == expected_steps
    assert first_signals(F, theta, seed=2, steps=6) == expected_steps
    assert all(np.array_equal(v, w) for v, w in zip(theta, before, strict=True))
