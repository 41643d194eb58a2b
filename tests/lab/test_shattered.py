import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad import agree
from resgrad.lab import shattered
from resgrad.lab.shattered import (
    KINDS,
    Line,
    Setting,
    by_integral,
    expected,
    initial,
    line_gradients,
    network,
    run,
    share,
)
from resgrad.lab.sweep import sweep
from resgrad.measure.correlation import autocorrelation


def by_hand(setting, seed):
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    n, L, skip = setting.width, setting.blocks, setting.kind != "plain"
    scale = math.sqrt(2 / n / (L if setting.kind == "scaled" else 1))
    x = np.linalg.qr(x_rng.standard_normal((n, setting.inputs)))[0].T * math.sqrt(n)
    kept = []
    for _ in range(L):
        W = scale * weights_rng.standard_normal((n, n))
        kept.append((W, x > 0))
        x = np.maximum(x, 0) @ W + skip * x
    g = np.tile(g_rng.standard_normal(n), (setting.inputs, 1))
    for W, on in reversed(kept):
        g = on * (g @ W.T) + skip * g
    g = g / np.linalg.norm(g, axis=1, keepdims=True)
    return np.mean([g[r] @ g[s] for r in range(len(g)) for s in range(len(g)) if r != s])


@pytest.mark.parametrize("kind", KINDS)
def test_the_correlation_is_that_of_the_definition(kind):
    setting = Setting(kind, 3, 24, 4)
    assert run(setting, 2) == pytest.approx(by_hand(setting, 2), abs=1e-12)
    assert run(setting, 2) == run(setting, 2) != run(setting, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_share_their_draws(kind):
    one, other = (initial(Setting(k, 4, 3), rng=np.random.default_rng(0)) for k in ("plain", kind))
    factor = 0.5 if kind == "scaled" else 1.0
    assert all(agree(factor * a[1][0], b[1][0]) for a, b in zip(one, other, strict=True))


@given(st.floats(0.05, 3.1))
def test_the_closed_forms_are_the_integrals(psi):
    both, product = by_integral(psi)
    assert both == pytest.approx(1 - psi / math.pi, abs=1e-8)
    assert product == pytest.approx((math.sin(psi) + (math.pi - psi) * math.cos(psi)) / math.pi, abs=1e-8)


@given(st.floats(0.05, 1), st.integers(1, 12), st.floats(0.1, 3))
def test_the_correlation_of_the_gradients_is_a_derivative_of_that_of_the_streams(kappa, L, psi):
    _, rho = expected(kappa, L, psi=psi)
    c, h = math.cos(psi), 1e-6
    high, low = (math.cos(expected(kappa, L, psi=math.acos(c + d))[0][-1]) for d in (h, -h))
    assert (high - low) / (2 * h) == pytest.approx(rho[-1], abs=1e-6)


@given(st.floats(0.05, 1), st.integers(0, 12))
def test_equal_inputs_stay_equal(kappa, L):
    psi, rho = expected(kappa, L, psi=0.0)
    assert not psi.any()
    assert (rho == 1).all()


def test_law_by_hand():
    psi, rho = expected(1.0, 2)
    assert psi[:2] == pytest.approx([math.pi / 2, math.acos(1 / math.pi)])
    assert rho == pytest.approx([1, 1 / 2, (1 - math.acos(1 / math.pi) / math.pi) / 2])
    assert [share(Setting(kind, 9)) for kind in KINDS] == [1, 0.5, 0.1]


def measured(setting, seeds=range(60)):
    return float(np.mean(sweep(run, [setting], seeds)[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_means_follow_their_law(kind):
    setting = Setting(kind, 3, 96)
    # 60 draws of spread 0.04: 0.02 is four times that of their mean; the width's correction is below 0.01.
    assert abs(measured(setting) - expected(share(setting), 3)[1][-1]) < 0.03


def test_a_wrong_share_breaks_the_law(monkeypatch):
    monkeypatch.setattr(shattered, "share", lambda setting: 1.0)
    setting = Setting("residual", 3, 96)
    assert abs(measured(setting) - expected(shattered.share(setting), 3)[1][-1]) > 0.1


def test_the_derivative_along_the_line_is_that_of_the_network_with_constant_statistics():
    """Central differences of the piecewise linear function, its statistics kept; away from kinks they are exact."""
    line = Line("residual", 2, 0.7, 5, 9)
    slopes = line_gradients(line, 4)
    first_rng, blocks_rng, last_rng = np.random.default_rng(4).spawn(3)
    x = np.linspace(-2, 2, 9)[:, None]
    first = first_rng.standard_normal((1, 5))
    Ws = [0.7 * math.sqrt(2 / 5) * blocks_rng.standard_normal((5, 5)) for _ in range(2)]
    last = last_rng.standard_normal((5, 1)) / math.sqrt(5)
    statistics, h = [], x @ first
    for W in Ws:
        statistics.append((h.mean(axis=0), h.std(axis=0)))
        h = h + np.maximum((h - statistics[-1][0]) / statistics[-1][1], 0) @ W

    def y(x):
        h = x @ first
        for W, (mean, s) in zip(Ws, statistics, strict=True):
            h = h + np.maximum((h - mean) / s, 0) @ W
        return (h @ last).ravel()

    right, left, step = (y(x + 1e-7) - y(x)) / 1e-7, (y(x) - y(x - 1e-7)) / 1e-7, 1e-6
    smooth = np.abs(right - left) < step
    assert smooth.sum() >= 7  # the middle input sits on a kink
    np.testing.assert_allclose(slopes[smooth], right[smooth], atol=1e-5)


def test_plain_slopes_are_noise_and_residual_ones_are_not():
    first = {
        kind: np.median(
            [autocorrelation(line_gradients(Line(kind, L), seed), lags=1)[1] for seed in range(6)]
        )
        for kind, L in (("plain", 24), ("residual", 50))
    }
    assert abs(first["plain"]) < 0.25
    assert first["residual"] > 0.5


@pytest.mark.parametrize(
    "setting", [Setting("ring", 1), Setting("plain", 0), Setting("plain", 1, 4, 5), Setting("plain", 1, 4, 1)]
)
def test_bad_settings_are_refused(setting):
    for experiment in (lambda s: run(s, 0), network):
        with pytest.raises(ValueError, match="shattered: "):
            experiment(setting)


def test_too_many_blocks_say_so(monkeypatch):
    def large(setting, *, rng):
        return tuple(((), (100 * W, b)) for (), (W, b) in initial(setting, rng=rng))

    monkeypatch.setattr(shattered, "initial", large)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="not finite in float64: fewer blocks"):
        run(Setting("residual", 200, 32, 4), 0)
