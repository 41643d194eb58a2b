import math
from itertools import product

import numpy as np
import pytest

from resgrad import agree, check_vjp
from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab import initialization
from resgrad.lab.initialization import (
    Setting,
    Step,
    expected,
    first_step,
    growth,
    initial,
    scale,
    signals,
    unbiased,
)
from resgrad.rules.activation import relu, tanh
from resgrad.rules.linear import linear


def by_hand(setting, seed):
    """Relative lengths at both ends, from the definition."""
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    n, L = setting.width, setting.blocks
    x, g = x_rng.standard_normal(n), g_rng.standard_normal(n)
    ends, kept = [np.linalg.norm(x), np.linalg.norm(g)], []
    for _ in range(L):
        W1 = weights_rng.standard_normal((n, n)) / math.sqrt(n)
        W2 = weights_rng.standard_normal((n, n)) * math.sqrt(2 / n) / L**setting.beta
        kept.append((x @ W1, W1, W2))
        x = x + np.maximum(x @ W1, 0) @ W2
    for a, W1, W2 in reversed(kept):
        g = g + W1 @ ((W2 @ g) * (a > 0))
    return np.linalg.norm(x) / ends[0], np.linalg.norm(g) / ends[1]


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_growth_is_that_of_the_definition(beta):
    setting = Setting(beta, 5, 7)
    assert np.allclose(growth(setting, 3), by_hand(setting, 3), rtol=1e-12)


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    setting = Setting(0.5, 3, 4)
    assert growth(setting, 1) == growth(setting, 1) != growth(setting, 2)
    assert first_step(Step(3, True), 1) == first_step(Step(3, True), 1) != first_step(Step(3, True), 2)


def test_expected_growth_by_hand():
    assert expected(Setting(0.0, 10)) == 32
    assert expected(Setting(0.5, 2)) == pytest.approx(1.5)
    assert expected(Setting(1.0, 2)) == pytest.approx(1.25)


@pytest.mark.parametrize("setting", [Setting(0.5, 0), Setting(0.5, 1, 0), Setting(math.nan, 1)])
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="initialization: "):
        growth(setting, 0)
    with pytest.raises(ValueError, match="initialization: "):
        first_step(Step(0, True), 0)


def signs(*shape):
    return [np.reshape(p, shape) for p in product((1.0, -1.0), repeat=math.prod(shape))]


@pytest.mark.parametrize(("n", "m", "L"), [(1, 1, 4), (2, 1, 2), (3, 2, 1)])
def test_the_law_is_exact_at_every_width(n, m, L):
    """Over all patterns of signs, which have the moments that the law needs."""
    gain, x, g = 0.8, *np.random.default_rng(n).standard_normal((2, 1, n))
    one = [
        (A / math.sqrt(n), np.zeros(m), gain * B * math.sqrt(2 / m), np.zeros(n))
        for A in signs(n, m)
        for B in signs(m, n)
    ]
    network = stack(*[residual(branch(relu))] * L)
    runs = [network(x, *thetas) for thetas in product(one, repeat=L)]
    law = (1 + gain**2) ** L
    assert agree(float(np.mean([(y**2).sum() for y, _ in runs])), law * float((x**2).sum()))
    assert agree(float(np.mean([(vjp(g)[0] ** 2).sum() for _, vjp in runs])), law * float((g**2).sum()))


def follows_its_law(beta):
    """Over 60 seeds. From 30 others: the mean log energy is within 0.06 of its law, its spread below 0.27."""
    setting = Setting(beta, 8)
    energy = 2 * np.log([growth(setting, seed) for seed in range(60)])
    spread = 0.27 / math.sqrt(60)
    return bool((np.abs(energy.mean(axis=0) - 2 * math.log(expected(setting))) < 0.06 + 4 * spread).all())


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_the_lengths_follow_their_law(beta):
    assert follows_its_law(beta)


def test_a_forgotten_factor_breaks_the_law(monkeypatch):
    def glorot(setting, *, rng):
        return tuple((W1, b1, W2 / math.sqrt(2), b2) for W1, b1, W2, b2 in initial(setting, rng=rng))

    monkeypatch.setattr(initialization, "initial", glorot)
    assert not follows_its_law(0.5)


@pytest.mark.parametrize("fixup", [True, False])
def test_the_first_step_is_the_sum_of_the_squares(fixup):
    setting = Step(6, fixup, 8)
    weights_rng, x_rng, _ = np.random.default_rng(4).spawn(3)
    x, total = x_rng.standard_normal(8), 0.0
    for _ in range(6):
        W1 = weights_rng.standard_normal((8, 8)) * math.sqrt(2 / 8) / (math.sqrt(6) if fixup else 1)
        weights_rng.standard_normal((8, 8))
        total += (np.maximum(x @ W1, 0) ** 2).sum()
    # What is of second order is about the rate times the square of this.
    assert first_step(setting, 4, rate=1e-7) == pytest.approx(total / (x @ x), rel=1e-5)


def test_what_is_of_second_order_shrinks_with_the_rate():
    far, near, limit = (first_step(Step(6, False, 8), 4, rate=rate) for rate in (2e-3, 1e-3, 1e-6))
    assert (far - limit) / (near - limit) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 3)])
def test_scale_is_pulled_back(shape):
    rng = np.random.default_rng(1)
    check_vjp(scale, rng.standard_normal(shape), np.array(0.3), rng=rng)


def test_scale_keeps_float32_and_refuses_what_is_no_number():
    x = np.ones((2, 3), np.float32)
    y, vjp = scale(x, np.array(2, np.float32))
    x_bar, alpha_bar = vjp(y)
    assert [v.dtype for v in (y, x_bar, alpha_bar)] == [np.float32] * 3
    assert alpha_bar.shape == ()
    with pytest.raises(ValueError, match=r"alpha of shape \(\)"):
        scale(x, np.ones(3, np.float32))
    with pytest.raises(TypeError, match="alpha"):
        scale(x, np.array(2.0))
    with pytest.raises(ValueError, match="y_bar"):
        vjp(np.ones((3, 2), np.float32))


def test_unbiased_is_linear_without_its_bias():
    rng = np.random.default_rng(1)
    x, W = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    check_vjp(unbiased, x, W, rng=rng)
    assert np.array_equal(unbiased(x, W)[0], x @ W)


def test_signals_by_hand():
    rng = np.random.default_rng(5)
    W = rng.standard_normal((3, 3))
    ((first, second),) = signals(residual(unbiased), (W,), width=3, seed=6, steps=2)
    x, target = np.random.default_rng(6).standard_normal((2, 8, 3))
    bar = x.T @ (x @ W + x - target) / 8
    moved = W - 0.1 * bar
    assert first == pytest.approx(np.linalg.norm(bar))
    assert second == pytest.approx(np.linalg.norm(x.T @ (x @ moved + x - target) / 8))


def test_one_zero_factor_delays_by_one_step_and_two_hold_everything():
    rng = np.random.default_rng(7)
    W1, W2 = rng.standard_normal((2, 4, 4))
    block = residual(stack(linear, tanh, unbiased, scale))

    def zeros(W2, alpha):
        theta = (W1, np.zeros(4)), (), (W2,), (np.array(alpha),)
        found = signals(block, theta, width=4, seed=8, steps=3)
        return [[length == 0 for length in row] for row in found]

    held, now, stuck = [True, False, False], [False] * 3, [True] * 3
    assert zeros(W2, 1.0) == [now, now, now, now]
    assert zeros(W2, 0.0) == [held, held, held, now]
    assert zeros(0 * W2, 1.0) == [held, held, now, held]
    assert zeros(0 * W2, 0.0) == [stuck] * 4
