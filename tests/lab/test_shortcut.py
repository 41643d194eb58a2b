import math

import numpy as np
import pytest

from resgrad.lab.shortcut import Setting, kept, run


def by_hand(setting, seed):
    """The ratio from matrices alone."""
    n, rng = setting.width, np.random.default_rng(seed)
    x, g = rng.standard_normal((2, n))
    J = np.eye(n)
    for _ in range(setting.layers):
        W_H, W_T = rng.standard_normal((2, n, n)) / np.sqrt(n)
        h, t = np.tanh(x @ W_H), 1 / (1 + np.exp(-(setting.spread * x @ W_T + setting.bias)))
        J_H, J_T = ((1 - h**2) * W_H).T, (t * (1 - t) * setting.spread * W_T).T
        J = (t[:, None] * J_H + np.diag(1 - t) + (h - x)[:, None] * J_T) @ J
        x = h * t + x * (1 - t)
    return np.linalg.norm(g @ J) / np.linalg.norm(g)


@pytest.mark.parametrize("setting", [Setting(-1.0, 1.0, 4, 5), Setting(0.0, 0.3, 3, 2), Setting(-3, 0, 5, 3)])
def test_the_ratio_is_that_of_the_definition(setting):
    assert math.isclose(run(setting, 7), by_hand(setting, 7), rel_tol=1e-12)


def test_shut_gates_leave_what_the_skips_carry():
    # The branches bring L sigmoid(b), a first order term of random sign.
    assert abs(run(Setting(-12.0, 0.0), 1) - kept(-12.0, 54)) < 54 * math.exp(-12.0)


def test_what_the_skips_carry_by_hand():
    assert math.isclose(kept(0.0, 54), 0.5**54, rel_tol=1e-12)
    assert math.isclose(kept(-2.0, 3), (1 - 1 / (1 + math.exp(2.0))) ** 3, rel_tol=1e-12)
    assert kept(-2.0, 0) == 1


@pytest.mark.parametrize("setting", [Setting(0.0, 1.0, 0), Setting(0.0, 1.0, 1, 0)])
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="shortcut: expected at least one layer and one feature"):
        run(setting, 0)


def test_a_run_depends_on_its_seed_alone():
    first, again, other = (run(Setting(-2.0, 1.0, 3, 4), seed) for seed in (1, 1, 2))
    assert first == again != other
