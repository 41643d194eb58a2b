from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import check_vjp
from resgrad.rules.add import add, broadcast_add, concat, fork, split, stop_gradient

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)
shapes = st.lists(sizes, max_size=3).map(tuple)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])


def normal(seed, shape, dtype=np.float64):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def test_add_by_hand():
    y, vjp = add(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    assert y.tolist() == [11.0, 22.0]
    y_bar = np.array([3.0, 4.0])
    a_bar, b_bar = vjp(y_bar)
    assert a_bar is y_bar  # as the docstring says: passed on, not copied
    assert b_bar is y_bar
    assert y_bar.tolist() == [3.0, 4.0]


def test_fork_by_hand():
    x = np.array([1.0, 2.0])
    ys, vjp = fork(x, copies=3)
    assert len(ys) == 3
    assert all(y is x for y in ys)
    (x_bar,) = vjp((x, 10 * x, 100 * x))
    assert x_bar.tolist() == [111.0, 222.0]


def test_broadcast_add_by_hand():
    y, vjp = broadcast_add(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0]))
    assert y.tolist() == [[11.0, 22.0], [13.0, 24.0]]
    x_bar, b_bar = vjp(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert x_bar.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert b_bar.tolist() == [4.0, 6.0]


def test_concat_and_split_by_hand():
    y, vjp = concat(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    assert y.tolist() == [[1.0, 3.0, 4.0], [2.0, 5.0, 6.0]]
    assert [gradient.tolist() for gradient in vjp(y)] == [[[1.0], [2.0]], [[3.0, 4.0], [5.0, 6.0]]]
    ys, vjp = split(y, sizes=[2, 1])
    assert [piece.tolist() for piece in ys] == [[[1.0, 3.0], [2.0, 5.0]], [[4.0], [6.0]]]
    assert vjp(ys)[0].tolist() == y.tolist()


def test_stop_gradient_by_hand():
    x = np.array([1.0, 2.0])
    y, vjp = stop_gradient(x)
    assert y is x
    (x_bar,) = vjp(np.array([3.0, 4.0]))
    assert x_bar.tolist() == [0.0, 0.0]
    x_bar += 1  # new zeros on each call
    assert vjp(x)[0].tolist() == [0.0, 0.0]


@given(seeds, shapes, dtypes)
def test_stop_gradient_keeps_value_shape_and_dtype(seed, shape, dtype):
    x = normal(seed, shape, dtype)
    y, vjp = stop_gradient(x)
    (x_bar,) = vjp(2 * y + 1)
    assert np.array_equal(y, x)
    assert (x_bar.shape, x_bar.dtype, x_bar.any()) == (x.shape, x.dtype, False)


def test_a_stop_is_not_the_derivative_of_its_value():
    with pytest.raises(AssertionError, match="x"):
        check_vjp(stop_gradient, np.ones(3), rng=np.random.default_rng(0))


@given(seeds, shapes, dtypes)
def test_the_vjp_of_add_is_that_of_the_value(seed, shape, dtype):
    a = normal(seed, shape, dtype)
    check_vjp(add, a, 2 * a + 1, rng=np.random.default_rng(seed))


@given(seeds, shapes, dtypes, st.integers(1, 4))
def test_the_vjp_of_fork_is_that_of_the_value(seed, shape, dtype, copies):
    check_vjp(fork, normal(seed, shape, dtype), copies=copies, rng=np.random.default_rng(seed))


@given(seeds, sizes, sizes, dtypes)
def test_the_vjp_of_broadcast_add_is_that_of_the_value(seed, N, n, dtype):
    check_vjp(
        broadcast_add, normal(seed, (N, n), dtype), normal(seed, n, dtype), rng=np.random.default_rng(seed)
    )


@given(seeds, shapes, st.lists(st.integers(0, 4), min_size=1, max_size=4), dtypes)
def test_concat_undoes_split_and_each_is_the_vjp_of_the_other(seed, before, widths, dtype):
    rng = np.random.default_rng(seed)
    x = normal(seed, (*before, sum(widths)), dtype)
    ys, pull_split = split(x, sizes=widths)
    y, pull_concat = concat(*ys)
    assert np.array_equal(x, y)
    assert np.array_equal(pull_split(ys)[0], x)
    assert all(np.array_equal(piece, gradient) for piece, gradient in zip(ys, pull_concat(x), strict=True))
    if x.size:
        check_vjp(partial(split, sizes=widths), x, rng=rng)
        check_vjp(concat, *ys, rng=rng)


@pytest.mark.parametrize(("a", "b"), [((2, 3), (3,)), ((2, 3), (1, 3)), ((2, 3), (2, 1)), ((2,), ())])
def test_add_does_not_broadcast(a, b):
    with pytest.raises(ValueError, match=r"expected a and b of one shape; got a \(2.*, b \("):
        add(np.ones(a), np.ones(b))


@pytest.mark.parametrize(
    ("x", "b"), [((2, 3), (2,)), ((2, 3), (1,)), ((2, 3), ()), ((3,), (3,)), ((3,), ()), ((2, 3), (2, 3))]
)
def test_broadcast_add_takes_rows_and_a_vector(x, b):
    with pytest.raises(ValueError, match=r"expected x \(N, n\), b \(n,\); got x \("):
        broadcast_add(np.ones(x), np.ones(b))


@pytest.mark.parametrize("xs", [[(2, 3), (3, 3)], [(2, 3), (3,)], [(), ()], [(1,), ()]])
def test_concat_refuses_shapes(xs):
    with pytest.raises(ValueError, match=r"one shape but for the last axis; got xs\[0\] \(.*xs\[1\] \("):
        concat(*[np.ones(shape) for shape in xs])


def test_concat_of_nothing():
    with pytest.raises(ValueError, match="xs: expected at least one array, got none"):
        concat()


@pytest.mark.parametrize("widths", [[], [1, 1], [2, 2], [4, -1], [-1, 4]])
def test_split_refuses_widths_that_do_not_add_up(widths):
    with pytest.raises(ValueError, match=r"sizes: expected widths .* of x \(2, 3\), got \["):
        split(np.ones((2, 3)), sizes=widths)


def test_split_refuses_a_number():
    with pytest.raises(ValueError, match=r"sizes: expected widths .* of x \(\), got \[1\]"):
        split(np.ones(()), sizes=[1])


@pytest.mark.parametrize("widths", [[1.0, 2.0], [True, 2], [None], "12"])
def test_split_refuses_widths_that_are_no_whole_numbers(widths):
    with pytest.raises(TypeError, match="sizes: expected whole numbers, got"):
        split(np.ones((2, 3)), sizes=widths)


@pytest.mark.parametrize("copies", [0, -1])
def test_fork_needs_a_copy(copies):
    with pytest.raises(ValueError, match=rf"copies: expected at least 1 for x \(2,\), got {copies}"):
        fork(np.ones(2), copies=copies)


@pytest.mark.parametrize("copies", [2.0, True, "2", None])
def test_fork_needs_a_whole_number(copies):
    with pytest.raises(TypeError, match="copies: expected whole numbers, got"):
        fork(np.ones(2), copies=copies)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, b: add(x, x.astype(np.float32)),
        lambda x, b: broadcast_add(x, b.astype(np.float32)),
        lambda x, b: concat(x, x.astype(np.float32)),
        lambda x, b: add(x.astype(int), x.astype(int)),
        lambda x, b: fork(x.astype(int)),
        lambda x, b: split(x.astype(int), sizes=[3]),
        lambda x, b: broadcast_add(x.astype(int), b.astype(int)),
        lambda x, b: concat(x.astype(int)),
        lambda x, b: concat([1.0, 2.0]),
        lambda x, b: stop_gradient(x.astype(int)),
    ],
)
def test_dtypes_that_do_not_fit(call):
    with pytest.raises(TypeError, match=r"^(a|b|x|xs\[[01]\]): expected"):
        call(np.ones((2, 3)), np.ones(3))


@pytest.mark.parametrize(
    ("rule", "shape"),
    [
        (lambda x: add(x, x), (2, 3)),
        (lambda x: broadcast_add(x, x[0]), (2, 3)),
        (lambda x: concat(x, x), (2, 6)),
        (stop_gradient, (2, 3)),
    ],
)
def test_a_gradient_that_does_not_fit(rule, shape):
    _, vjp = rule(np.ones((2, 3)))
    with pytest.raises(ValueError, match=rf"y_bar: expected shape \({shape[0]}, {shape[1]}\), got \(1, 3\)"):
        vjp(np.ones((1, 3)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.ones(shape, np.float32))


@pytest.mark.parametrize("rule", [fork, lambda x: split(x, sizes=[3, 3])])
def test_several_gradients_that_do_not_fit(rule):
    _, vjp = rule(np.ones((2, 6)))
    shape = rule(np.ones((2, 6)))[0][0].shape
    fits = np.ones(shape)
    with pytest.raises(TypeError, match="y_bars: expected a tuple of 2, got list"):
        vjp([fits, fits])
    with pytest.raises(TypeError, match="y_bars: expected a tuple of 2, got ndarray"):
        vjp(np.ones((2, *shape)))
    with pytest.raises(ValueError, match="y_bars: expected a tuple of 2, got 3 entries"):
        vjp((fits, fits, fits))
    with pytest.raises(ValueError, match=r"y_bars\[1\]: expected shape"):
        vjp((fits, fits[:1]))
    with pytest.raises(TypeError, match=r"y_bars\[0\]: expected dtype float64"):
        vjp((fits.astype(np.float32), fits))
