import math

import numpy as np
import pytest

from resgrad.lab.flow import (
    KINDS,
    ReluSetting,
    TanhSetting,
    gains,
    mean_field,
    relu_energy,
    relu_flow,
    tanh_flow,
    tanh_slope,
)
from resgrad.lab.sweep import sweep


@pytest.mark.parametrize("kind", KINDS)
def test_a_relu_network_is_the_one_of_the_definition(kind):
    n, L = 5, 4
    weights_rng, x_rng, g_rng = np.random.default_rng(3).spawn(3)
    x, J = x_rng.standard_normal(n), np.eye(n)
    for place in range(1, L + 1):
        size = {"plain": 1, "unscaled": 1, "root": L**-0.5, "decreasing": place**-0.5 / math.log(place + 1)}[
            kind
        ]
        W = size * math.sqrt(2 / n) * weights_rng.standard_normal((n, n))
        J = ((x > 0)[:, None] * W + (kind != "plain") * np.eye(n)).T @ J
        x = np.maximum(x, 0) @ W + (kind != "plain") * x
    g = g_rng.standard_normal(n)
    expected = np.linalg.norm(g @ J) / np.linalg.norm(g)
    assert relu_flow(ReluSetting(kind, L, n), 3) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("skip", [True, False])
def test_a_tanh_network_is_the_one_of_the_definition(skip):
    n, L = 5, 3
    weights_rng, x_rng, g_rng = np.random.default_rng(3).spawn(3)
    x, J = x_rng.standard_normal(n), np.eye(n)
    for _ in range(L):
        W, V = weights_rng.standard_normal((2, n, n)) / math.sqrt(n)
        h = np.tanh(0.7 * x @ W)
        J = (0.7 * W * (1 - h**2) @ V * 1.3 + skip * np.eye(n)).T @ J
        x = 1.3 * h @ V + skip * x
    g = g_rng.standard_normal(n)
    expected = np.linalg.norm(g @ J) / np.linalg.norm(g)
    assert tanh_flow(TanhSetting(skip, 1.3, 0.7, L, n), 3) == pytest.approx(expected, rel=1e-12)


def test_energies_by_hand():
    assert relu_energy(ReluSetting("plain", 9)) == 1
    assert relu_energy(ReluSetting("unscaled", 10)) == 1024
    assert relu_energy(ReluSetting("root", 2)) == pytest.approx(2.25)
    assert gains(ReluSetting("decreasing", 2)) == pytest.approx(
        [1 / math.log(2), 1 / (math.sqrt(2) * math.log(3))]
    )


@pytest.mark.parametrize(("depth", "energy"), [(100, 8.371), (10_000, 9.328), (1_000_000, 9.672)])
def test_the_decreasing_scale_has_a_finite_product(depth, energy):
    assert relu_energy(ReluSetting("decreasing", depth)) == pytest.approx(energy, abs=5e-4)


@pytest.mark.parametrize("skip", [True, False])
def test_the_mean_field_is_that_of_another_quadrature(skip):
    found = mean_field(TanhSetting(skip, 1.2, 1.5, 12))
    u = np.arange(-9, 9, 0.02)
    w = 0.02 * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
    v = 1.0
    for i in range(12):
        t = np.tanh(1.5 * math.sqrt(v) * u)
        assert np.exp(found.log_factors[i]) == pytest.approx(
            skip + (1.2 * 1.5) ** 2 * w @ (1 - t**2) ** 2, rel=1e-12
        )
        v = skip * v + 1.2**2 * float(w @ t**2)
        assert found.stream[i + 1] == pytest.approx(v, rel=1e-12)


def test_the_peak_is_resolved_where_the_stream_is_large():
    """At a mean square of 10^4 the mean of the squared slope is the bound of the page but for a share of 1e-3."""
    setting = TanhSetting(True, 100.0, 1.0, 2)
    found = mean_field(setting)
    slope = math.expm1(found.log_factors[1]) / 100.0**2
    bound = 4 / 3 / math.sqrt(2 * math.pi * found.stream[1])
    assert 1 - 1e-3 < slope / bound < 1


def test_known_values():
    total = np.cumsum(mean_field(TanhSetting(True, 1.0, 1.0, 1000)).log_factors)
    assert total[[9, 49, 99, 999]] == pytest.approx([2.643206, 7.216100, 10.545549, 34.265092], abs=1e-6)


@pytest.mark.parametrize(("last", "first"), [(0.5, 1.0), (1.0, 0.5), (1.0, 1.0), (1.0, 2.0), (2.0, 1.0)])
def test_the_slope_has_its_logarithm(last, first):
    setting = TanhSetting(True, last, first, 6400)
    total = np.cumsum(mean_field(setting).log_factors)
    found = (total[6399] - total[1599]) / 40
    A, B = tanh_slope(setting)
    assert found == pytest.approx(A + B * math.log(4) / 40, rel=5e-3)
    assert (found > A) == (last * first < math.sqrt(3))


def law_of(setting):
    if isinstance(setting, TanhSetting):
        return float(mean_field(setting).log_factors.sum())
    return math.log(relu_energy(setting))


def follows_its_law(setting):
    """Whether the mean logarithm of the square is near that of the law: within 0.1 of it and 0.5."""
    run = tanh_flow if isinstance(setting, TanhSetting) else relu_flow
    found = 2 * np.log(sweep(run, [setting], range(40, 60))[0]).mean()
    return abs(found - law_of(setting)) < 0.1 * abs(law_of(setting)) + 0.5


SETTINGS = [
    ReluSetting("unscaled", 24),
    ReluSetting("root", 24),
    TanhSetting(True, 1.0, 2.0, 24),
    TanhSetting(False, 0.5, 1.0, 12),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_networks_follow_their_laws(setting):
    assert follows_its_law(setting)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_wrong_law_is_seen(setting, monkeypatch):
    # Lengths in place of squares; for the scaled network the factor of an unscaled one.
    wrong = 24 * math.log(2) if setting == SETTINGS[1] else law_of(setting) / 2
    monkeypatch.setitem(globals(), "law_of", lambda of: wrong)
    assert not follows_its_law(setting)


@pytest.mark.parametrize(
    "setting", [ReluSetting("ring", 2), ReluSetting("plain", 0), ReluSetting("root", 1, 0)]
)
def test_bad_relu_settings_are_refused(setting):
    for run in (gains, relu_energy, lambda of: relu_flow(of, 0)):
        if setting.kind == "plain" and run is relu_energy:
            continue
        with pytest.raises(ValueError, match="flow: "):
            run(setting)


@pytest.mark.parametrize(
    "setting",
    [TanhSetting(True, 0.0, 1.0, 2), TanhSetting(True, 1.0, math.nan, 2), TanhSetting(False, 1.0, 1.0, 0)],
)
def test_bad_tanh_settings_are_refused(setting):
    for run in (mean_field, tanh_slope, lambda of: tanh_flow(of, 0)):
        with pytest.raises(ValueError, match="flow: "):
            run(setting)


def test_the_law_of_the_slope_needs_a_skip():
    with pytest.raises(ValueError, match="flow: the law is one of residual networks"):
        tanh_slope(TanhSetting(False, 1.0, 1.0, 2))
