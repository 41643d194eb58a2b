import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.checkpoint import checkpoint
from resgrad.blocks.residual import residual
from resgrad.blocks.shortcut import dropped
from resgrad.blocks.stack import stack
from resgrad.measure.check import check_vjp
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)


def parameters(rng, n, dtype=np.float64):
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in [(n, 3), (3,), (3, n), (n,)])


def network(seed, L, N, n, dtype=np.float64):
    rng = np.random.default_rng(seed)
    blocks = ([residual(branch(tanh)), tanh] * L)[:L]
    thetas = [() if block is tanh else parameters(rng, n, dtype) for block in blocks]
    return blocks, rng.standard_normal((N, n)).astype(dtype), thetas


def counting(block, calls):
    def counted(x, *theta):
        calls.append("forward")
        y, vjp = block(x, *theta)

        def pull(y_bar):
            calls.append("back")
            return vjp(y_bar)

        return y, pull

    return counted


def test_by_hand():
    f = checkpoint(residual(linear), linear, segments=2)
    x, one = np.array([[1.0, 2.0]]), (np.array([[0.5, 2.0], [-1.0, 0.3]]), np.zeros(2))
    y, vjp = f(x, one, (np.array([[1.0], [10.0]]), np.array([0.5])))
    np.testing.assert_allclose(y, [[46.0]])
    x_bar, one_bar, two_bar = vjp(np.array([[2.0]]))
    np.testing.assert_allclose(x_bar, [[43, 24]])
    np.testing.assert_allclose(one_bar[0], [[2, 20], [4, 40]])
    np.testing.assert_allclose(two_bar[0], [[-1], [9.2]])


@given(
    seeds,
    st.integers(1, 6),
    st.data(),
    sizes,
    sizes,
    st.sampled_from([np.float32, np.float64, np.complex128]),
)
def test_the_bits_are_those_of_the_stack(seed, L, data, N, n, dtype):
    blocks, x, thetas = network(seed, L, N, n, dtype)
    k = data.draw(st.none() | st.integers(1, L))
    y, vjp = checkpoint(*blocks, segments=k)(x, *thetas)
    expected, stack_vjp = stack(*blocks)(x, *thetas)
    assert np.array_equal(y, expected)
    for _ in range(2):  # a vjp may be called again
        x_bar, *theta_bars = vjp(x)
        stack_bar, *stack_bars = stack_vjp(x)
        assert np.array_equal(x_bar, stack_bar)
        assert len(theta_bars) == len(stack_bars) == L
        for bars, others in zip(theta_bars, stack_bars, strict=True):
            assert all(map(np.array_equal, bars, others))


@given(seeds, st.integers(1, 4), sizes, sizes)
def test_the_vjp_is_that_of_the_value(seed, L, N, n):
    blocks, x, thetas = network(seed, L, N, n)
    errors = check_vjp(checkpoint(*blocks), x, *thetas, rng=np.random.default_rng(seed))
    assert list(errors)[:2] == ["x", "thetas[0][0]"]


def test_a_checkpointed_segment_is_a_block():
    blocks, x, thetas = network(3, 8, 2, 3)
    quarters = [checkpoint(*blocks[i : i + 2]) for i in range(0, 8, 2)]
    pairs = [tuple(thetas[i : i + 2]) for i in range(0, 8, 2)]
    x_bar, *pair_bars = checkpoint(*quarters)(x, *pairs)[1](x)
    stack_bar, *bars = stack(*blocks)(x, *thetas)[1](x)
    assert np.array_equal(x_bar, stack_bar)
    for found, expected in zip([bar for pair in pair_bars for bar in pair], bars, strict=True):
        assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_each_block_is_evaluated_twice_and_pulled_back_once(k):
    blocks, x, thetas = network(0, 6, 2, 3)
    calls = []
    _, vjp = checkpoint(*[counting(block, calls) for block in blocks], segments=k)(x, *thetas)
    assert calls == ["forward"] * 6
    calls.clear()
    vjp(x)
    part = 6 // k
    assert calls == (["forward"] * part + ["back"] * part) * k


def test_blocks_that_draw_at_random_give_another_gradient():
    """What the docstring warns of: the second evaluation drops another branch than the first."""
    drawn = iter([True, False, True, True])

    def block(x, *theta):
        return dropped(linear, keep=next(drawn))(x, *theta)

    theta = np.array([[1.0]]), np.zeros(1)
    y, vjp = checkpoint(block, block, segments=2)(np.ones((1, 1)), theta, theta)
    assert y.item() == 2  # the first branch was kept, the second dropped
    assert vjp(np.ones((1, 1)))[0].item() == 4  # and the gradient is that of both kept


def test_no_block_is_the_identity():
    x = np.ones((2, 3))
    y, vjp = checkpoint()(x)
    assert y is x
    assert [bar is x for bar in vjp(x)] == [True]


def test_what_does_not_fit_is_refused():
    blocks, x, thetas = network(0, 2, 2, 3)
    for bad in (0, 3, -1):
        with pytest.raises(ValueError, match=f"segments: expected from 1 to 2 for 2 blocks, got {bad}"):
            checkpoint(*blocks, segments=bad)
    with pytest.raises(TypeError, match=r"segments: expected whole numbers, got 1\.5"):
        checkpoint(*blocks, segments=1.5)
    with pytest.raises(TypeError, match=r"blocks\[0\]: expected a rule, got list"):
        checkpoint([tanh, tanh])
    f = checkpoint(*blocks)
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 blocks, got 1"):
        f(x, thetas[0])
    with pytest.raises(TypeError, match=r"thetas\[0\]: expected a tuple of parameters, got ndarray"):
        f(x, np.ones((4, 3, 3)), ())
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        f(x.astype(int), *thetas)
    _, vjp = f(x, *thetas)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(3,\)"):
        vjp(np.ones(3))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(x.astype(np.float32))
