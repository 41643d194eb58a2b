import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.measure.check import agree
from resgrad.measure.flow import gradient_flow, gradient_lengths
from resgrad.rules.activation import relu, tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
both = pytest.mark.parametrize("measure", [gradient_lengths, gradient_flow])


def network(seed, L, N, n, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = [(n, 3), (3,), (3, n), (n,)]
    thetas = [tuple(rng.standard_normal(s).astype(dtype) for s in shapes) for _ in range(L)]
    x, y_bar = rng.standard_normal((2, N, n)).astype(dtype)
    return [residual(branch(tanh))] * L, x, thetas, y_bar


def multiples(weights, n=2, dtype=np.float64):
    """Blocks y = x W + x with W a multiple of I, and a gradient of length one."""
    thetas = [(np.eye(n, dtype=dtype) * dtype(w), np.zeros(n, dtype)) for w in weights]
    y_bar = np.full((1, n), n**-0.5, dtype)
    return [residual(linear)] * len(thetas), np.zeros((1, n), dtype), thetas, y_bar


def test_by_hand():
    flow = gradient_flow(*multiples([2.0, -0.5, -1.0, 0.0]))
    assert np.allclose(flow.lengths, [0, 0, 0, 1, 1], rtol=1e-15)
    assert np.allclose(flow.branch, [0, 0, 1, 0], rtol=1e-15)
    assert np.allclose(flow.share, [0, 0, 0.5, 0], rtol=1e-15)
    assert np.allclose(flow.cosine, [0, 0, -1, 0], rtol=1e-15)
    flow = gradient_flow(*multiples([3.0]))
    assert np.allclose([*flow.lengths, *flow.branch, *flow.share, *flow.cosine], [4, 1, 3, 0.75, 1])


@given(seeds, st.integers(0, 6), sizes, sizes, st.sampled_from([np.float32, np.float64]))
def test_the_numbers_are_those_of_the_parts(seed, L, N, n, dtype):
    blocks, x, thetas, y_bar = network(seed, L, N, n, dtype)
    flow = gradient_flow(blocks, x, thetas, y_bar)
    assert all(values.dtype == np.float64 for values in flow)
    assert [len(values) for values in flow] == [L + 1, L, L, L]
    # From the definition, each gradient with a stack of its own.
    xs = [x]
    for block, theta in zip(blocks, thetas, strict=True):
        xs.append(block(xs[-1], *theta)[0])
    bars = [stack(*blocks[i:])(xs[i], *thetas[i:])[1](y_bar)[0].astype(float) for i in range(L + 1)]
    assert agree(flow.lengths, np.array([np.sqrt((bar**2).sum()) for bar in bars]))
    for i in range(L):
        skip, part = bars[i + 1], bars[i] - bars[i + 1]
        # The difference is rounded in the dtype of the gradient.
        slack = 8 * np.finfo(dtype).eps * (np.linalg.norm(bars[i]) + np.linalg.norm(skip))
        assert abs(flow.branch[i] - np.linalg.norm(part)) <= slack
        size = np.linalg.norm(skip) + np.linalg.norm(part)
        assert abs(flow.share[i] * size - np.linalg.norm(part)) <= 2 * slack
        inner = flow.cosine[i] * flow.lengths[i + 1] * flow.branch[i]
        assert abs(inner - (skip * part).sum()) <= 4 * slack * np.linalg.norm(skip)
        assert -1 <= flow.cosine[i] <= 1
        assert 0 <= flow.share[i] <= 1


@given(seeds, st.integers(1, 5), sizes, st.floats(1e-150, 1e150))
def test_the_gradient_may_be_of_any_size(seed, L, n, size):
    blocks, x, thetas, y_bar = network(seed, L, 2, n)
    one, other = (gradient_flow(blocks, x, thetas, factor * y_bar) for factor in (1.0, size))
    assert agree(other.lengths / size, one.lengths, rtol=1e-11)
    # Rounding of the branch part, which may be small beside the skip's.
    assert np.allclose(other.cosine, one.cosine, atol=1e-6)


def test_squares_that_are_too_large_or_too_small_do_no_harm():
    for size in (1e300, 1e-300):
        blocks, x, thetas, y_bar = multiples([-0.5, 0.25])
        flow = gradient_flow(blocks, x, thetas, size * y_bar)
        assert agree(flow.lengths / size, np.array([0.625, 1.25, 1.0]))
        assert agree(flow.cosine, np.array([-1.0, 1.0]))


def test_lengths_of_blocks_that_change_the_shape():
    rng = np.random.default_rng(0)
    W, V = rng.standard_normal((3, 5)), rng.standard_normal((5, 2))
    x, y_bar = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    lengths = gradient_lengths([linear, linear], x, [(W, np.zeros(5)), (V, np.zeros(2))], y_bar)
    expected = [np.linalg.norm(y_bar @ V.T @ W.T), np.linalg.norm(y_bar @ V.T), np.linalg.norm(y_bar)]
    assert agree(lengths, np.array(expected))
    with pytest.raises(
        ValueError, match=r"the gradient behind blocks\[0\], a residual block: expected shape"
    ):
        gradient_flow([linear, linear], x, [(W, np.zeros(5)), (V, np.zeros(2))], y_bar)


def test_a_rule_of_the_readers_own():
    def doubles(x):
        return 2 * x, lambda y_bar: (2 * y_bar,)

    flow = gradient_flow([doubles, doubles], np.ones(3), [(), ()], np.array([2.0, 0.0, 0.0]))
    assert flow.lengths.tolist() == [8, 4, 2]
    assert flow.branch.tolist() == [4, 2]
    assert flow.cosine.tolist() == [1, 1]


def test_complex_gradients():
    z = np.array([[3 + 4j, 0]])
    blocks, _, thetas, _ = multiples([1.0], dtype=np.complex128)
    flow = gradient_flow(blocks, 0 * z, thetas, z)
    assert np.allclose([*flow.lengths, *flow.branch, *flow.cosine], [10, 5, 5, 1])


def test_nothing_that_was_given_is_changed():
    blocks, x, thetas, y_bar = network(1, 3, 2, 2)
    kept = [array.copy() for array in (x, y_bar, *thetas[0])]
    first, again = (gradient_flow(blocks, x, thetas, y_bar) for _ in range(2))
    assert all(map(np.array_equal, first, again))
    assert all(map(np.array_equal, kept, (x, y_bar, *thetas[0])))


def test_a_wrong_gradient_is_seen():
    def forgets_the_skip(x, *theta):
        y, _ = residual(linear)(x, *theta)
        return y, linear(x, *theta)[1]

    blocks, x, thetas, y_bar = multiples([-0.5] * 4)
    right = gradient_flow(blocks, x, thetas, y_bar)
    wrong = gradient_flow([forgets_the_skip] * 4, x, thetas, y_bar)
    assert agree(right.cosine, np.full(4, -1.0))
    assert np.abs(wrong.branch - right.branch).max() > 0.4


@both
def test_what_overflows_is_named(measure):
    with pytest.raises(
        OverflowError, match=r"the gradient at the input of blocks\[3\] is not finite in float32: multiply"
    ):
        measure(*multiples([1e10] * 7, dtype=np.float32))
    blocks, x, thetas, y_bar = multiples([1e10] * 7, dtype=np.float32)
    with pytest.raises(
        OverflowError, match=r"the stream behind blocks\[3\] is not finite in float32: .*1/sqrt"
    ):
        measure(blocks, x + np.float32(1), thetas, y_bar)
    measure(blocks, x.astype(float), [tuple(p.astype(float) for p in t) for t in thetas], y_bar.astype(float))


def test_lengths_that_overflow_are_named():
    blocks, x, thetas, y_bar = multiples([0.0], n=4)
    with pytest.raises(OverflowError, match="the length of the gradient at x_1 is not finite in float64"):
        gradient_lengths(blocks, x, thetas, np.full((1, 4), 1.5e308))
    with pytest.raises(OverflowError, match=r"the branch part of the gradient of blocks\[0\] is not finite"):
        gradient_flow(*multiples([-2.0], n=4)[:3], 1.5e308 * y_bar)


@both
def test_networks_that_do_not_fit(measure):
    blocks, x, thetas, y_bar = network(0, 2, 2, 3)
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 blocks, got 1"):
        measure(blocks, x, thetas[:1], y_bar)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(3,\)"):
        measure(blocks, x, thetas, np.ones(3))
    for name, given_x, given_bar in (("y_bar", x, y_bar * np.inf), ("x", x * np.nan, y_bar)):
        with pytest.raises(ValueError, match=f"^{name}: expected finite entries"):
            measure(blocks, given_x, thetas, given_bar)
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        measure(blocks, x, thetas, y_bar.astype(np.float32))
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        measure(blocks, x.astype(int), thetas, y_bar)
    with pytest.raises(TypeError, match=r"thetas\[1\]: expected a tuple of parameters, got list"):
        measure(blocks, x, [thetas[0], list(thetas[1])], y_bar)
    with pytest.raises(TypeError, match=r"blocks\[1\]: expected a rule, got NoneType"):
        measure([blocks[0], None], x, thetas, y_bar)
    for name, args in (("blocks", (relu, x, thetas)), ("thetas", (blocks, x, (t for t in thetas)))):
        with pytest.raises(TypeError, match=f"{name}: expected a sequence, one entry for each block, got"):
            measure(*args, y_bar)


def test_a_vjp_of_another_shape_is_named():
    def sums(x):
        return x, lambda y_bar: (y_bar.sum(axis=0),)

    with pytest.raises(ValueError, match=r"the gradient at x_0: expected shape \(2, 3\), got \(3,\)"):
        gradient_flow([sums], np.ones((2, 3)), [()], np.ones((2, 3)))
