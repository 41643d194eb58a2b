import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.activation import leaky_relu, tanh
from resgrad.rules.linear import linear

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


def arrays(seed, N, n, h, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in [(N, n), (n, h), (h,), (h, n), (n,)]]


def test_by_hand():
    W, y_bar = np.array([[0.5, 2.0], [-1.0, 0.3]]), np.array([[1.0, 2.0]])
    y, vjp = residual(linear)(np.array([[3.0, 4.0]]), W, np.zeros(2))
    assert y.tolist() == [[0.5, 11.2]]
    x_bar, W_bar, b_bar = vjp(y_bar)
    assert x_bar.tolist() == [[5.5, 1.6]]
    assert W_bar.tolist() == [[3.0, 6.0], [4.0, 8.0]]  # the skip changes nothing for the parameters
    assert b_bar.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("W", "x_bar"),
    [([[-1.0, 0.0], [0.0, -1.0]], [[0.0, 0.0]]), ([[0.0, 0.0], [2.0, 0.0]], [[1.0, 3.0]])],
    ids=["a branch that cancels the skip", "a branch of nilpotent Jacobian"],
)
def test_the_gradient_is_the_sum_and_may_be_anything(W, x_bar):
    _, vjp = residual(linear)(np.array([[3.0, 4.0]]), np.array(W), np.zeros(2))
    assert vjp(np.array([[1.0, 1.0]]))[0].tolist() == x_bar


@given(seeds, sizes, sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(seed, N, n, h, dtype):
    check_vjp(residual(branch(tanh)), *arrays(seed, N, n, h, dtype), rng=np.random.default_rng(seed))


@given(seeds, sizes, sizes)
def test_the_jacobian_is_that_of_the_branch_plus_the_identity(seed, n, h):
    x, *theta = arrays(seed, 1, n, h)
    F = branch(tanh)
    J, J_F = jacobian(residual(F), x, *theta), jacobian(F, x, *theta)
    assert agree(J, J_F + np.eye(n))
    (x_bar, *_), y_bar = residual(F)(x, *theta)[1](x), x
    assert agree(x_bar, y_bar + y_bar @ J_F)


@given(seeds, sizes, sizes)
def test_the_vjp_is_linear(seed, N, n):
    y, vjp = residual(branch(tanh))(*arrays(seed, N, n, n))
    for whole, one, other in zip(vjp(3 * y + y * y), vjp(y), vjp(y * y), strict=True):
        assert agree(whole, 3 * one + other)


def test_settings_go_to_the_branch():
    x, *theta = arrays(0, 2, 3, 4)
    y, vjp = residual(branch(leaky_relu))(x, *theta, slope=0.3)
    Fx, F_vjp = branch(leaky_relu)(x, *theta, slope=0.3)
    assert agree(y, Fx + x)
    assert agree(vjp(x)[0], F_vjp(x)[0] + x)


def test_any_function_that_keeps_the_contract_is_a_branch():
    def square(x):
        return x * x, lambda y_bar: (2 * x * y_bar,)

    y, vjp = residual(square)(np.array([1.0, 2.0, 3.0]))
    assert y.tolist() == [2.0, 6.0, 12.0]
    assert vjp(np.array([1.0, 1.0, 10.0]))[0].tolist() == [3.0, 5.0, 70.0]


@pytest.mark.parametrize("W", [(3, 2), (3, 1)], ids=["narrower", "one that numpy would broadcast"])
def test_a_branch_that_changes_the_shape(W):
    message = rf"expected F\(x\) of x's shape; got x \(4, 3\), Fx \(4, {W[1]}\)"
    with pytest.raises(ValueError, match=message):
        residual(linear)(np.ones((4, 3)), np.ones(W), np.ones(W[1]))


def test_a_branch_that_changes_the_dtype():
    with pytest.raises(TypeError, match="Fx: expected the dtype of x, float32, got float64"):
        residual(lambda x: (x.astype(np.float64), None))(np.ones(2, np.float32))


@pytest.mark.parametrize("x", [np.arange(3), [1.0, 2.0]])
def test_an_input_that_is_no_floating_array(x):
    with pytest.raises(TypeError, match="x: expected a"):
        residual(lambda x: (np.asarray(x), lambda y_bar: (y_bar,)))(x)


def test_a_gradient_that_does_not_fit():
    def careless(x):
        return x.copy(), lambda y_bar: (y_bar,)

    _, vjp = residual(careless)(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(4, 3\), got \(1, 3\)"):
        vjp(np.ones((1, 3)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.ones((4, 3), np.float32))


def test_a_branch_whose_gradient_does_not_fit():
    def wrong(x):
        return x.copy(), lambda y_bar: (y_bar.sum(axis=0),)

    _, vjp = residual(wrong)(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"x_bar from F: expected shape \(4, 3\), got \(3,\)"):
        vjp(np.ones((4, 3)))
