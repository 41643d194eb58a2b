import math

import numpy as np
import pytest

from resgrad import agree, jacobian
from resgrad.blocks.stack import stack
from resgrad.lab import limit
from resgrad.lab.limit import (
    Draw,
    Setting,
    curve,
    draw,
    errors,
    expected_errors,
    expected_path,
    field,
    flow,
    leading_error,
    mismatch,
    network,
    of_limit,
    of_network,
    on_own_grid,
    run,
    runge_kutta,
    weights,
)
from resgrad.lab.sweep import sweep


def by_hand(setting, seed):
    """Gradients x_bar_0, ..., x_bar_L, from the definition."""
    n, L = setting.width, setting.blocks
    A, B, x, g = draw(n, seed)
    fresh = np.random.default_rng((seed, 1)).standard_normal((L, n, n)) / math.sqrt(n)
    angles = math.pi / 2 * np.arange(L) / L
    smooth = [math.cos(a) * A + math.sin(a) * B for a in angles]
    Ws = smooth if setting.kind == "smooth" else fresh
    xs, factor = [x], L**-setting.beta
    for W in Ws:
        xs.append(xs[-1] + factor * (np.tanh(xs[-1]) if setting.activated else xs[-1]) @ W)
    x_bars = [g]
    for W, at in zip(Ws[::-1], xs[-2::-1], strict=True):
        slope = 1 - np.tanh(at) ** 2 if setting.activated else 1.0
        x_bars.append(x_bars[-1] + factor * (x_bars[-1] @ W.T) * slope)
    return np.concatenate(x_bars[::-1])


@pytest.mark.parametrize("kind", limit.KINDS)
@pytest.mark.parametrize("beta", [0.5, 1.0])
@pytest.mark.parametrize("activated", [True, False])
def test_a_path_is_that_of_the_definition(kind, beta, activated):
    setting = Setting(kind, beta, 5, 4, activated)
    found, x_bars = run(setting, 3), by_hand(setting, 3)
    size = np.linalg.norm(x_bars[-1])
    assert found.length == pytest.approx(np.linalg.norm(x_bars[0]) / size)
    assert found.shift == pytest.approx(np.linalg.norm(x_bars[0] - x_bars[-1]) / size)
    assert found.roughness == pytest.approx((np.diff(x_bars, axis=0) ** 2).sum() / size**2)


def test_the_two_kinds_have_the_same_law_in_one_block():
    n, L = 64, 4
    for kind in limit.KINDS:
        Ws = weights(Setting(kind, blocks=L, width=n), draw(n, 5), rng=np.random.default_rng(5))
        for W in Ws:  # 4096 entries: six standard deviations of a mean square
            assert n * (W**2).mean() == pytest.approx(1, abs=6 * math.sqrt(2 / n**2))
    assert agree(curve(0.0, *draw(3, 1)[:2]), draw(3, 1).A)
    assert np.allclose(curve(1.0, *draw(3, 1)[:2]), draw(3, 1).B)


def test_the_gradients_of_the_network_are_its_derivatives():
    drawn, setting, step = draw(3, 2), Setting(blocks=5, width=3), 1e-6
    found = of_network(setting, drawn)
    for i, value in enumerate(found.curve_bar):
        for place in np.ndindex(3, 3):
            ends = []
            for sign in (1, -1):
                moved = [drawn.A.copy(), drawn.B.copy()]
                moved[i][place] += sign * step
                ends.append((of_network(setting, Draw(*moved, *drawn[2:])).state * drawn.g).sum())
            assert value[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)
    Ws = weights(setting, drawn, rng=np.random.default_rng(0))
    J = jacobian(stack(*network(setting)), drawn.x, *(((), (W, np.zeros(3))) for W in Ws))
    assert agree(found.input_bar, drawn.g @ J)


def test_runge_kutta_is_of_order_four_and_goes_both_ways():
    found = [runge_kutta(lambda t, y: t * y, np.array([1.0]), 0.0, 1.0, steps) for steps in (10, 20)]
    off = [abs(float(y[0]) - math.exp(0.5)) for y in found]
    assert 14 < off[0] / off[1] < 18
    drawn = draw(4, 1)
    top = flow(drawn.x, 0.0, 1.0, drawn.A, drawn.B)
    assert agree(flow(top, 1.0, 0.0, drawn.A, drawn.B), drawn.x, rtol=1e-7)


def test_the_adjoint_gives_the_derivatives_of_the_limit():
    """Against complex steps through the forward pass: the same limit, another way."""
    drawn, n, step = draw(4, 7), 4, 1e-30
    found = of_limit(drawn)
    moved = flow(drawn.x + 1j * step * np.eye(n), 0.0, 1.0, drawn.A, drawn.B)
    assert agree(found.input_bar, (moved.imag / step @ drawn.g.T).T, rtol=1e-7)
    turned = 1j * step * np.eye(n * n).reshape(n * n, n, n)
    for i in range(2):
        ends = [M + turned * (j == i) for j, M in enumerate(drawn[:2])]
        top = flow(drawn.x + np.zeros((n * n, 1)), 0.0, 1.0, *ends)
        assert agree(found.curve_bar[i], (top.imag / step @ drawn.g.T).reshape(n, n), rtol=1e-7)


def test_networks_come_to_the_limit_at_the_derived_rate():
    drawn = draw(5, 4)
    at_depth = errors(drawn, (200, 400))
    assert np.allclose(at_depth[0] / at_depth[1], 2, rtol=0.02)
    # 2 E(2L) - E(L) leaves a term in 1/L^2
    assert np.allclose(800 * at_depth[1] - 200 * at_depth[0], expected_errors(drawn), rtol=2e-3)


def test_for_a_small_stream_the_error_is_that_of_a_linear_network():
    A, B, x, g = draw(3, 6)
    small = Draw(A, B, 1e-5 * x, g)

    def right(t, y):
        W, turn = curve(t, A, B), math.pi / 2 * curve(t + 1, A, B)  # cos and sin, a quarter further
        u, e = y[:1], y[1:]
        return np.concatenate([u @ W, e @ W - (u @ W @ W + u @ turn) / 2])

    end = runge_kutta(right, np.concatenate([small.x, 0 * small.x]), 0.0, 1.0)
    assert agree(leading_error(small).state, end[1:], rtol=1e-5)


def test_the_solver_differs_from_backpropagation_by_where_its_jacobian_is_taken():
    drawn, L = draw(4, 9), 6
    xs = [drawn.x]
    for i in range(L):
        xs.append(xs[-1] + np.tanh(xs[-1]) @ curve(i / L, drawn.A, drawn.B) / L)
    v = drawn.g
    for i in range(L, 0, -1):
        v = v + (v @ curve(i / L, drawn.A, drawn.B).T) * (1 - np.tanh(xs[i]) ** 2) / L
    used, x_bars, W_bars = on_own_grid(
        lambda t, u: field(t, u, drawn.A, drawn.B), xs[-1], drawn.g, blocks=L, stored=xs
    )
    assert agree(x_bars[0], v)
    assert [len(values) for values in (used, x_bars, W_bars)] == [L + 1, L + 1, L]
    assert all(a is b for a, b in zip(used, xs, strict=True))
    assert agree(W_bars[-1], np.tanh(xs[-1]).T @ drawn.g / L)
    back, _, _ = on_own_grid(lambda t, u: field(t, u, drawn.A, drawn.B), xs[-1], drawn.g, blocks=L)
    assert not np.allclose(back[0], xs[0], rtol=1e-3)


def test_the_mismatch_falls_with_depth_and_grows_with_the_contraction():
    shallow, deep = (np.array(sweep(_of, [(0.0, L)], range(10))[0]) for L in (40, 80))
    assert np.allclose(np.median(shallow / deep, axis=0), 2, rtol=0.1)
    pulled = np.array(sweep(_of, [(6.0, 40)], range(10))[0])
    assert (np.median(pulled, axis=0) > 3 * np.median(shallow, axis=0)).all()
    assert (pulled[:, 1] > pulled[:, 0]).all()


def _of(setting, seed):
    return mismatch(*setting, seed)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_independent_weights_follow_their_law(beta):
    setting = Setting("independent", beta, 8, 32, False)
    found = np.array(sweep(run, [setting], range(60))[0])
    law = expected_path(setting, 0)
    # The mean of 60 squares, each with a spread below a quarter of itself.
    assert (found[:, 0] ** 2).mean() == pytest.approx(law.length**2, rel=4 * 0.4 / math.sqrt(60))
    assert found[:, 2].mean() == pytest.approx(law.roughness, rel=4 * 0.25 / math.sqrt(60))


def test_a_wrong_variance_breaks_the_law(monkeypatch):
    setting = Setting("independent", 0.5, 8, 32, False)
    law = expected_path(setting, 0)
    monkeypatch.setattr(limit, "weights", lambda *args, rng: tuple(1.3 * W for W in weights(*args, rng=rng)))
    found = np.array(sweep(run, [setting], range(60))[0])
    assert abs(found[:, 2].mean() / law.roughness - 1) > 0.3


def test_the_path_of_the_limit_is_that_of_a_deep_network():
    setting = Setting("smooth", 1.0, 512, 6, False)
    assert np.allclose(run(setting, 3), expected_path(setting, 3), rtol=0.02)


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    for kind in limit.KINDS:
        first, again, other = (run(Setting(kind, 1.0, 3, 4), seed) for seed in (1, 1, 2))
        assert first == again != other


@pytest.mark.parametrize("setting", [Setting("ring"), Setting(blocks=0), Setting(width=0)])
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="limit: "):
        run(setting, 0)


def test_what_overflows_or_has_no_law_says_so():
    with pytest.raises(ValueError, match="take fewer blocks or a larger beta"), np.errstate(all="ignore"):
        run(Setting("smooth", -2.0, 200, 8, False), 0)
    for setting in (Setting("independent"), Setting("smooth", 0.5, activated=False)):
        with pytest.raises(ValueError, match="no law here"):
            expected_path(setting, 0)
    with pytest.raises(ValueError, match="limit: width 0"):
        draw(0, 1)
