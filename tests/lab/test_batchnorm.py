import math
from functools import cache

import numpy as np
import pytest

from resgrad import agree
from resgrad.lab import batchnorm
from resgrad.lab.batchnorm import KINDS, Setting, expected, held, initial, moments, network, run
from resgrad.lab.sweep import sweep
from resgrad.measure.correlation import cosines, pair_mean
from resgrad.rules.normalization import batch_norm

every = pytest.mark.parametrize("kind", KINDS)
ways = pytest.mark.parametrize("statistics", ["through", "held"])


def by_hand(setting, seed):
    """The stream and the gradient of a batch, from the definition."""
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    n, skip = setting.width, setting.kind == "residual"
    xs, kept = [x_rng.standard_normal((setting.batch, n))], []
    for _ in range(setting.blocks):
        W, x = setting.gain * math.sqrt(2 / n) * weights_rng.standard_normal((n, n)), xs[-1]
        s = x.std(axis=0) if setting.statistics != "none" else np.ones(n)
        z = (x - x.mean(axis=0)) / s if setting.statistics != "none" else x
        kept.append((W, s, z))
        xs.append(np.maximum(z, 0) @ W + skip * x)
    g = g_rng.standard_normal((setting.batch, n))
    gs = [np.tile(g[0], (setting.batch, 1)) if setting.common else g]
    for W, s, z in reversed(kept):
        h = (z > 0) * (gs[-1] @ W.T)
        if setting.statistics == "through":
            h = h - h.mean(axis=0) - z * (h * z).mean(axis=0)
        gs.append(h / s + skip * gs[-1])
    return xs, gs[::-1]


@every
@pytest.mark.parametrize("statistics", ["through", "held", "none"])
@pytest.mark.parametrize("common", [False, True])
def test_what_is_measured_is_that_of_the_definition(kind, statistics, common):
    setting = Setting(kind, 3, statistics, 0.7, common, 5, 6)
    found, (xs, gs) = run(setting, 3), by_hand(setting, 3)
    assert agree(found.size, np.array([(x**2).mean() for x in xs]))
    assert agree(found.variance, np.array([x.var(axis=0).mean() for x in xs]))
    energy = np.array([(g**2).sum() for g in gs])
    assert agree(found.energy, energy / energy[-1])
    assert agree(found.correlation, np.array([pair_mean(cosines(g)) for g in gs]), rtol=1e-9)


@every
def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed(kind):
    setting = Setting(kind, 2, width=4, batch=5)
    first, again, other = (run(setting, seed) for seed in (1, 1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.energy, other.energy)


def test_held_has_the_value_of_batch_norm_and_a_gradient_of_its_own():
    x, gamma, beta, y_bar = np.random.default_rng(0).standard_normal((4, 6, 3))
    one, zero = gamma[0], beta[0]
    y, vjp = held(x, one, zero, eps=1e-3)
    right, through = batch_norm(x, one, zero, eps=1e-3)
    assert agree(y, right)
    assert agree(vjp(y_bar)[0], y_bar * one / np.sqrt(x.var(axis=0) + 1e-3))
    assert not agree(vjp(y_bar)[0], through(y_bar)[0], rtol=0.05)
    assert agree(vjp(y_bar)[1], through(y_bar)[1])


def test_the_draws_do_not_depend_on_the_kind_or_the_statistics():
    draws = [
        initial(Setting(kind, 2, way, width=3), rng=np.random.default_rng(0))
        for kind in KINDS
        for way in ("through", "none")
    ]
    for other in draws[1:]:
        assert all(np.array_equal(a[2][0], b[2][0]) for a, b in zip(draws[0], other, strict=True))


def test_moments_of_a_large_batch():
    # Each is linear in 1/N: the tolerance is 10/N.
    assert moments(10**6) == pytest.approx((1 / 2, 1 / math.pi, 1 - 1 / math.pi, 1), abs=1e-5)


@pytest.mark.parametrize("batch", [4, 16])
def test_moments_against_draws(batch):
    a = np.random.default_rng(9).standard_normal((400_000 // batch, batch))
    z = a - a.mean(axis=1, keepdims=True)
    variance = (z**2).mean(axis=1, keepdims=True)
    z /= np.sqrt(variance)
    h, on = np.maximum(z, 0), z > 0
    both, product, v, inverse = moments(batch)
    # Means over 400 000 numbers of size 1 have a spread of 0.0016 if they are independent; pairs of rows are not.
    assert 2 * (on[:, 0] & on[:, 1]).mean() == pytest.approx(both, abs=0.02)
    assert 2 * (h[:, 0] * h[:, 1]).mean() == pytest.approx(product, abs=0.03)
    assert 2 * h.var(axis=1).mean() == pytest.approx(v, abs=0.02)
    if batch > 5:  # below, the inverse has no variance
        assert (1 / variance).mean() * variance.mean() == pytest.approx(inverse, abs=0.02)


def test_laws_by_hand():
    both, _, v, inverse = moments(8)
    plain = expected(Setting("plain", 2, "held", 2.0, batch=8))
    np.testing.assert_allclose(plain.variance, [7 / 8, 4 * v, 4 * v])
    np.testing.assert_allclose(plain.size, [1, 4, 4])
    np.testing.assert_allclose(plain.energy, [4 * inverse / (7 / 8) * inverse / v, inverse / v, 1])
    assert not plain.correlation.any()
    common = expected(Setting("residual", 2, "held", common=True, batch=8))
    np.testing.assert_allclose(common.variance, 7 / 8 + v * np.arange(3))
    np.testing.assert_allclose(common.size, [1, 2, 3])
    r = inverse / (7 / 8 + v)
    np.testing.assert_allclose(common.correlation[1], (1 + both * r) / (1 + r))
    np.testing.assert_allclose(
        expected(Setting("plain", 3, "held", common=True, batch=8)).correlation[0], both**3
    )


@every
def test_through_the_statistics_the_rows_of_a_plain_gradient_sum_to_zero(kind):
    law = expected(Setting(kind, 4, "through", common=True, batch=9)).correlation
    _, gs = by_hand(Setting(kind, 4, "through", common=True, width=5, batch=9), 1)
    if kind == "plain":
        assert agree(gs[0].sum(axis=0) + 1, np.ones(5))
        np.testing.assert_allclose(law[:-1], -1 / 8)
    else:
        assert law[0] > 0


@cache
def flows_of(setting):
    return sweep(run, [setting], range(40))[0]


def off(setting, name, place):
    found = np.mean([getattr(flow, name)[place] for flow in flows_of(setting)])
    return abs(found / getattr(expected(setting), name)[place] - 1)


SMALL = {"width": 96, "batch": 16}


@every
@ways
def test_the_energy_follows_its_law(kind, statistics):
    # The spread of a mean of 40 is 0.03; a width of 96 has corrections of L/n, 0.06.
    assert off(Setting(kind, 6, statistics, **SMALL), "energy", 0) < 0.15
    assert off(Setting(kind, 6, statistics, **SMALL), "variance", -1) < 0.05
    assert off(Setting(kind, 6, statistics, **SMALL), "size", -1) < 0.05


@ways
def test_the_correlation_follows_its_law(statistics):
    setting = Setting("residual", 6, statistics, common=True, **SMALL)
    assert off(setting, "correlation", 0) < 0.15


def test_the_laws_tell_the_two_derivatives_apart():
    through, constant = (Setting("plain", 6, way, **SMALL) for way in ("through", "held"))
    assert expected(constant).energy[0] > 1.5 * expected(through).energy[0]


def test_a_forgotten_mean_breaks_the_law(monkeypatch):
    monkeypatch.setattr(batchnorm, "moments", lambda batch: moments(batch)._replace(variance=1 - 1 / batch))
    assert off(Setting("residual", 6, "held", **SMALL), "variance", -1) > 0.2
    assert off(Setting("plain", 6, "held", **SMALL), "energy", 0) > 0.5


def test_a_gradient_that_overflows_says_so():
    setting = Setting("residual", 200, "none", 100.0, width=32, batch=4)
    with (
        np.errstate(all="ignore"),
        pytest.raises(OverflowError, match="not finite after 200 blocks: use fewer"),
    ):
        run(setting, 0)


@pytest.mark.parametrize(
    "setting",
    [Setting("ring", 1), Setting("plain", 0), Setting("plain", 1, "frozen"), Setting("plain", 1, batch=3),
     Setting("plain", 1, width=0)],
)  # fmt: skip
def test_bad_settings_are_refused(setting):
    for experiment in (lambda s: run(s, 0), network, expected):
        with pytest.raises(ValueError, match="batchnorm: "):
            experiment(setting)
    with pytest.raises(ValueError, match="no law here without a normalisation"):
        expected(Setting("plain", 1, "none"))
