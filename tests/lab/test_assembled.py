import numpy as np
import pytest

from resgrad import check_vjp
from resgrad.lab import assembled
from resgrad.lab.assembled import BUGS, GRADIENTS, run

SHORTCUT = {"W_S", "gamma_S", "beta_S"}
#: Each bug spoils what lies before it on the way back from it.
SPOILED = {
    "last mask forgotten": set(GRADIENTS),
    "last mask on the branch alone": SHORTCUT | {"x"},
    "statistics held constant": {"x", "W1", "gamma1", "beta1", "W2", "W_S"},
    "inner mask forgotten": {"x", "W1", "gamma1", "beta1"},
    "shortcut's gradient dropped": {"x"},
}


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, 3, 3, 2)), assembled._parameters(rng, 2, 3), rng


def test_the_block_without_a_bug_is_right():
    x, theta, rng = parameters()
    assert max(check_vjp(assembled._basic(), x, theta, (), rng=rng).values()) < 1e-6


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_one(bug):
    x, theta, rng = parameters()
    with pytest.raises(AssertionError):
        check_vjp(assembled._basic(**BUGS[bug]), x, theta, (), rng=rng)


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bug_spoils_what_lies_before_it_and_nothing_else(bug, seed):
    errors = dict(zip(GRADIENTS, run(bug, seed), strict=True))
    assert {name for name, error in errors.items() if error > 1e-12} == SPOILED[bug]


def test_every_bug_has_its_expectation():
    assert set(BUGS) == set(SPOILED)


def test_a_gradient_that_is_dropped_is_missing_in_full():
    # The part over the shortcut and the part through the branch add up to the whole.
    x, theta, _ = parameters()
    y, vjp = assembled._basic()(x, theta, ())
    without = assembled._basic(**BUGS["shortcut's gradient dropped"])(x, theta, ())[1]
    theta_F, theta_S = theta
    zero = tuple(tuple(np.zeros_like(p) for p in part) for part in theta_F)
    z_bar = np.ones_like(y) * (y > 0)
    from_S = assembled._basic(outer=lambda a: (a, lambda bar: (bar,)))(x, (zero, theta_S), ())[1](z_bar)[0]
    np.testing.assert_allclose(vjp(np.ones_like(y))[0] - without(np.ones_like(y))[0], from_S, atol=1e-12)


def test_another_bug_is_refused():
    with pytest.raises(ValueError, match=r"bug: expected one of last mask forgotten, .*; got 'none'"):
        run("none", 0)


def test_a_run_depends_on_its_seed_alone():
    first, again, other = (run("inner mask forgotten", seed) for seed in (1, 1, 2))
    assert first == again != other
