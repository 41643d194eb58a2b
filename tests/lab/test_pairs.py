import math

import numpy as np
import pytest

from resgrad.lab.pairs import Setting, condition, gradient, hessian, network, run, target
from resgrad.measure.check import agree


def loss(setting, R, weights):
    """From the definition, without the library."""
    y = np.eye(setting.width)
    for block in weights:
        product = np.eye(setting.width)
        for W in block:
            product = product @ W
        y = y + y @ product
    return ((y - R) ** 2).sum() / 2


@pytest.mark.parametrize("m", [1, 2, 3])
def test_gradient_and_hessian_are_those_of_differences(m):
    setting, rng = Setting(m, 2, 2), np.random.default_rng(m)
    R, at = target(setting, 1), rng.standard_normal((2, m, 2, 2)) / 2
    found, H = gradient(setting, R, at).ravel(), hessian(setting, R, at)
    steps = 1e-5 * np.eye(at.size).reshape(-1, *at.shape)
    differences = [(loss(setting, R, at + e) - loss(setting, R, at - e)) / 2e-5 for e in steps]
    # Central differences: h^2 times a third derivative of order one, and eps/h of rounding.
    assert np.allclose(found, differences, atol=1e-8)
    columns = [(gradient(setting, R, at + e) - gradient(setting, R, at - e)).ravel() / 2e-5 for e in steps]
    assert np.allclose(H, np.array(columns).T, atol=1e-8)
    assert agree(H, H.T)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("L", [1, 3])
def test_two_layers_have_the_singular_values_of_the_task_with_both_signs(n, L):
    found = run(Setting(2, L, n), 4)
    expected = np.sort(np.repeat([found.targets, -found.targets], n * L))
    assert agree(found.eigenvalues, expected)
    # planted: a target off by a little shows
    assert not agree(found.eigenvalues, 1.001 * expected)


@pytest.mark.parametrize("L", [2, 4, 8])
def test_one_layer_is_worse_the_deeper(L):
    for seed in range(3):
        found = run(Setting(1, L, 3), seed)
        assert np.abs(found.eigenvalues).max() >= L
        assert np.abs(found.eigenvalues).min() <= found.targets[-1]
        assert condition(found.eigenvalues) >= L / found.targets[-1]


def test_one_layer_in_one_dimension_by_hand():
    setting, a = Setting(1, 4, 1), 1 - 0.3
    values = np.linalg.eigvalsh(hessian(setting, np.array([[0.3]])))
    assert agree(values, np.array([-a, -a, -a, 4 * (1 + a) - a]))


def test_three_layers_have_no_curvature():
    setting = Setting(3, 2, 3)
    H = hessian(setting, target(setting, 1))
    assert H.shape == (54, 54)
    assert not H.any()
    with pytest.raises(ValueError, match="a singular Hessian of order 54 has no condition number"):
        condition(np.linalg.eigvalsh(H))


def test_the_target_has_the_variance_it_says():
    entries = target(Setting(1, 1, 200), 3)
    # four standard errors of a mean of squares
    assert (entries**2).mean() * 200 == pytest.approx(1, rel=4 * math.sqrt(2 / entries.size))


def test_condition_by_hand():
    assert condition(np.array([-4.0, 1.0, 2.0])) == 4


def test_bad_input():
    with pytest.raises(ValueError, match="pairs: Setting"):
        network(Setting(0, 1))
    with pytest.raises(ValueError, match=r"pairs: R \(3, 3\) and weights \(1, 2, 2, 2\), expected \(n, n\)"):
        gradient(Setting(2, 1), np.eye(3), np.zeros((1, 2, 2, 2)))
