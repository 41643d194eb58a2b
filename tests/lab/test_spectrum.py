import math

import numpy as np
import pytest

from resgrad.blocks.stack import stack
from resgrad.lab import spectrum
from resgrad.lab.green import edge, moment
from resgrad.lab.spectrum import KINDS, Setting, branches, initial, network, outlier, run
from resgrad.lab.sweep import sweep
from resgrad.measure.check import agree
from resgrad.measure.spectrum import bounds, singular_values


def by_hand(setting, seed):
    """Growth and singular values from the definition, with the matrices of the library's draw."""
    weights_rng, x_rng = np.random.default_rng(seed).spawn(2)
    x = start = x_rng.standard_normal(setting.width)
    J = np.eye(setting.width)
    for p in initial(setting, rng=weights_rng):
        W = next(q for q in p if q)[0]
        into = (x > 0)[:, None] if setting.kind == "first" else 1
        out = (x @ W > 0) if setting.kind == "last" else 1
        A = into * W * out
        skip = 0 if setting.kind == "plain" else 1
        x, J = x @ A + skip * x, J @ A + skip * J
    return np.linalg.norm(x) / np.linalg.norm(start), np.linalg.svd(J, compute_uv=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_that_of_the_definition(kind):
    setting = Setting(kind, 5, 0.7, 6)
    found, (growth, values) = run(setting, 3), by_hand(setting, 3)
    assert found.growth == pytest.approx(growth, rel=1e-10)
    assert agree(found.singular_values, values, rtol=1e-10)
    weights_rng, x_rng = np.random.default_rng(3).spawn(2)
    x = x_rng.standard_normal((1, 6))
    theta = initial(setting, rng=weights_rng)
    assert agree(found.singular_values, singular_values(stack(*network(setting)), x, *theta)[0], rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_branches_together_have_the_gain_c(kind):
    """The mean square of an entry of W, with the half that a mask takes; four standard errors."""
    setting = Setting(kind, 4, 0.6, 64)
    entries = np.array([next(q for q in p if q)[0] for p in initial(setting, rng=np.random.default_rng(1))])
    mean_square = (entries**2).mean() * setting.width
    gain = {"plain": 1.0, "first": 2 * 0.6 / 4, "last": 2 * 0.6 / 4}.get(kind, 0.6 / 4)
    assert mean_square == pytest.approx(gain, rel=4 * math.sqrt(4 / entries.size))


def test_masks_are_half_open_and_frozen_ones_stay():
    for kind in ("redrawn", "frozen"):
        theta = initial(Setting(kind, 3, 1.0, 10), rng=np.random.default_rng(1))
        closed = np.array([(W == 0).all(axis=1) for ((W, _),) in theta])
        assert (closed.sum(axis=1) == 5).all()
        assert (closed == closed[0]).all() == (kind == "frozen")


def test_the_kinds_draw_the_same_matrices():
    drawn = {
        kind: initial(Setting(kind, 4, 1.0, 3), rng=np.random.default_rng(0)) for kind in ("linear", "first")
    }
    for ((W, _),), (_, (doubled, _)) in zip(drawn["linear"], drawn["first"], strict=True):
        assert agree(math.sqrt(2) * W, doubled)


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    setting = Setting("last", 3, 1.0, 4)
    first, again, other = (run(setting, seed) for seed in (1, 1, 2))
    assert first.singular_values.tobytes() == again.singular_values.tobytes()
    assert not np.array_equal(first.singular_values, other.singular_values)


def test_all_values_lie_between_the_bounds_of_the_branches():
    setting = Setting("last", 24, 0.5, 12)
    low, high = bounds(branches(setting, 4))
    s = run(setting, 4).singular_values
    assert low <= s[-1]
    assert s[0] <= high


def follows_the_law():
    """Mean square and spread of the linear network beside their laws, over 20 seeds at width 40.

    Four standard errors: about 0.06/sqrt(20) and 0.07/sqrt(20) of the value at this width.
    """
    setting = Setting("linear", 16, 1.0, 40)
    squares = np.array([r.singular_values for r in sweep(run, [setting], range(20))[0]]) ** 2
    mean, ratio = squares.mean(), ((squares**2).mean(axis=1) / squares.mean(axis=1) ** 2).mean()
    expected = moment(1.0, 16, 2) / moment(1.0, 16, 1) ** 2
    return abs(mean / (1 + 1 / 16) ** 16 - 1) < 0.055 and abs(ratio / expected - 1) < 0.065


def test_the_linear_network_follows_the_law():
    assert follows_the_law()


def test_a_branch_that_is_not_divided_enough_breaks_the_law(monkeypatch):
    def more(setting, *, rng):
        return tuple(((math.sqrt(1.2) * W, b),) for ((W, b),) in initial(setting, rng=rng))

    monkeypatch.setattr(spectrum, "initial", more)
    assert not follows_the_law()


def test_relu_last_has_one_outlier():
    s = run(Setting("last", 48), 77).singular_values
    # The top of one network scatters by 10 % about 0.95 of its law, the second by 5 % about 0.95.
    assert 0.5 < s[0] / outlier(1.0, 48) < 1.4
    assert s[1] < 1.2 * edge(1.0, 48).s < s[0] / 3


def test_outlier_by_hand():
    assert outlier(math.pi, 4) == pytest.approx(1.5**4)


@pytest.mark.parametrize(
    "setting",
    [Setting("ring"), Setting("linear", 0), Setting("linear", 1, 0.0), Setting("linear", 1, 1.0, 0)],
)
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="spectrum: "):
        run(setting, 0)
