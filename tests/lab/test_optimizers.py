import math

import numpy as np
import pytest

from resgrad.lab.optimizers import adam, linear_decay, pack, sgd, unpack

OPTIMIZERS = [sgd(rate=0.1), sgd(rate=0.1, momentum=0), adam(rate=0.1)]


def scalars(*values):
    """The containers that `stack` uses: a block without parameters, one with two."""
    return (), tuple(np.array([value]) for value in values)


def walk(optimizer, theta, gradients):
    state = optimizer.init(theta)
    for theta_bar in gradients:
        theta, state = optimizer.step(theta, theta_bar, state)
    return theta


def test_sgd_by_hand():
    # v = 0.5 * 0 - 0.1 * 2 = -0.2, theta = 0.8; then v = -0.1 - 0.2 = -0.3, theta = 0.5
    optimizer = sgd(rate=0.1, momentum=0.5)
    (_, (a, b)) = walk(optimizer, scalars(1.0, 0.0), [scalars(2.0, 0.0)])
    assert (a.item(), b.item()) == (0.8, 0.0)
    (_, (a, b)) = walk(optimizer, scalars(1.0, 0.0), [scalars(2.0, 0.0), scalars(2.0, -4.0)])
    assert (a.item(), b.item()) == (pytest.approx(0.5, abs=1e-15), 0.4)


def test_sgd_without_momentum_is_gradient_descent():
    (_, (a,)) = walk(sgd(rate=0.5, momentum=0), scalars(1.0), [scalars(1.0), scalars(1.0)])
    assert a.item() == 0.0


def test_adam_by_hand():
    # Step 1: m_hat = g, v_hat = g^2, so the step is rate * g / (|g| + eps) whatever the size of g.
    (_, (a, b)) = walk(adam(rate=0.1), scalars(1.0, 1.0), [scalars(1e-3, -50.0)])
    assert a.item() == pytest.approx(1 - 0.1 * 1e-3 / (1e-3 + 1e-8), rel=1e-14)
    assert b.item() == pytest.approx(1.1, rel=1e-9)
    # Step 2, gradients 1 and -3: m = 0.9 * 0.1 - 0.3 = -0.21, m_hat = -0.21 / 0.19,
    # v = 0.999 * 0.001 + 0.001 * 9 = 0.009999, v_hat = 0.009999 / 0.001999
    (_, (a,)) = walk(adam(rate=0.1), scalars(0.0), [scalars(1.0), scalars(-3.0)])
    first = -0.1 / (1 + 1e-8)
    second = 0.1 * (0.21 / 0.19) / (math.sqrt(0.009999 / 0.001999) + 1e-8)
    assert a.item() == pytest.approx(first + second, rel=1e-12)


def test_a_schedule_is_asked_for_each_step():
    asked = []

    def rate(t):
        asked.append(t)
        return [1.0, 0.5, 0.0][t]

    (_, (a,)) = walk(sgd(rate=rate, momentum=0), scalars(0.0), [scalars(-1.0)] * 3)
    assert (asked, a.item()) == ([0, 1, 2], 1.5)
    asked.clear()
    (_, (a,)) = walk(adam(rate=rate), scalars(0.0), [scalars(-1.0)] * 3)
    assert asked == [0, 1, 2]
    assert a.item() == pytest.approx(1.5, rel=1e-7)


def test_linear_decay_ends_at_zero():
    rate = linear_decay(0.4, steps=4)
    assert [rate(t) for t in range(6)] == pytest.approx([0.4, 0.3, 0.2, 0.1, 0, 0])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_changes_nothing_that_it_was_given(optimizer):
    theta, theta_bar = scalars(1.0, 2.0), scalars(0.5, -0.5)
    state = optimizer.init(theta)
    for array in (*theta[1], *theta_bar[1], *state[1:]):
        array.flags.writeable = False
    once, after = optimizer.step(theta, theta_bar, state)
    twice, _ = optimizer.step(theta, theta_bar, state)
    assert once[0] == ()
    for old, a, b in zip(theta[1], once[1], twice[1], strict=True):
        assert np.array_equal(a, b)
        assert not np.shares_memory(a, old)
    assert (state[0], after[0]) == (0, 1)


@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("rate", [0.1, np.float64(0.1), lambda t: np.float64(0.1)])
def test_float32_stays_float32(make, rate):
    theta = ((np.ones((2, 3), np.float32), np.ones(3, np.float32)), ())
    new = walk(make(rate=rate), theta, [theta, theta])
    assert [leaf.dtype for leaf in new[0]] == [np.float32, np.float32]
    assert [leaf.shape for leaf in new[0]] == [(2, 3), (3,)]


def test_pack_and_unpack_are_inverse():
    theta = ((), (np.arange(6.0).reshape(2, 3), np.array(7.0)), ((np.array([8.0]),),))
    vector = pack(theta)
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 7, 8]
    empty, (W, b), ((c,),) = unpack(vector, theta)
    assert empty == ()
    assert (W.tolist(), b.item(), c.tolist()) == ([[0, 1, 2], [3, 4, 5]], 7, [8])
    with pytest.raises(ValueError, match=r"shape \(7,\), the parameters have 8"):
        unpack(vector[1:], theta)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("theta_bar", "error"),
    [
        (scalars(1.0), ValueError),  # one gradient is missing
        ((), ValueError),
        (((), (1.0, 2.0)), TypeError),
        (((), (np.ones(1), np.ones((1, 1)))), ValueError),  # would be broadcast
        (((), (np.ones(1), np.ones(1, np.float32))), TypeError),
        (((), (np.ones(1, np.float32), np.ones(1, np.float32))), TypeError),
    ],
)
def test_gradients_that_do_not_fit_are_refused(optimizer, theta_bar, error):
    theta = scalars(1.0, 2.0)
    with pytest.raises(error):
        optimizer.step(theta, theta_bar, optimizer.init(theta))


def test_parameters_have_to_be_arrays_of_one_dtype():
    with pytest.raises(ValueError, match="no parameter"):
        sgd(rate=1).init(((), ()))
    with pytest.raises(TypeError, match="a leaf is float"):
        sgd(rate=1).init((np.ones(1), 2.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: sgd(rate=0),
        lambda: sgd(rate=math.nan),
        lambda: sgd(rate=1, momentum=1),
        lambda: adam(rate=-1),
        lambda: adam(rate=1, beta1=1),
        lambda: adam(rate=1, beta2=-0.1),
        lambda: adam(rate=1, eps=0),
        lambda: linear_decay(0, steps=1),
        lambda: linear_decay(1, steps=0),
    ],
)
def test_settings_outside_their_range_are_refused(make):
    with pytest.raises(ValueError, match="outside its range"):
        make()
