from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.normalization import (
    batch_norm,
    batch_norm_inference,
    batch_statistics,
    group_norm,
    layer_norm,
    rms_norm,
)

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
several = st.integers(2, 5)
between = st.lists(st.integers(1, 3), max_size=2).map(tuple)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])
constants = st.sampled_from([0.01, 1.0])

ONE, ZERO = np.ones(3), np.zeros(3)
INFERENCE = partial(batch_norm_inference, mean=ZERO, var=ONE)
WITH_SHIFT = {
    "layer": layer_norm,
    "batch": batch_norm,
    "inference": INFERENCE,
    "group": partial(group_norm, groups=1),
}
shifting = pytest.mark.parametrize("rule", WITH_SHIFT.values(), ids=WITH_SHIFT)
EVERY = {**WITH_SHIFT, "rms": lambda x, gamma, beta, *, eps: rms_norm(x, gamma, eps=eps)}
every = pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)


def arrays(seed, shape, dtype=np.float64):
    rng = np.random.default_rng(seed)
    draws = [rng.standard_normal(size) for size in (shape, shape[-1], shape[-1])]
    return [draw.astype(dtype) for draw in draws]


def by_definition(x, axes, eps):
    """Less the mean, over the root of the variance, number by number: no function of the library."""
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)


def test_layer_norm_by_hand():
    x, y_bar = np.array([[1.0, 3.0, 1.0, 3.0]]), np.array([[4.0, 0.0, 0.0, 0.0]])
    gamma, beta = np.array([1.0, 2.0, 1.0, 2.0]), np.array([0.0, 0.0, 5.0, 5.0])
    y, vjp = layer_norm(x, gamma, beta, eps=0.0)
    assert y.tolist() == [[-1.0, 2.0, 4.0, 7.0]]
    x_bar, gamma_bar, beta_bar = vjp(y_bar)
    assert x_bar.tolist() == [[2.0, 0.0, -2.0, 0.0]]  # (4,0,0,0) - (1,1,1,1) + (-1,1,-1,1)
    assert gamma_bar.tolist() == [-4.0, 0.0, 0.0, 0.0]
    assert beta_bar.tolist() == [4.0, 0.0, 0.0, 0.0]


def test_rms_norm_by_hand():
    y, vjp = rms_norm(np.array([[3.0, -3.0]]), np.array([1.0, 2.0]), eps=0.0)
    assert y.tolist() == [[1.0, -2.0]]
    x_bar, gamma_bar = vjp(np.array([[6.0, 0.0]]))
    assert x_bar.tolist() == [[1.0, 1.0]]  # ((6,0) - (1,-1) 3) / 3
    assert gamma_bar.tolist() == [6.0, 0.0]


def test_batch_norm_by_hand():
    x, y_bar = np.array([[1.0], [3.0], [1.0], [3.0]]), np.array([[4.0], [0.0], [0.0], [0.0]])
    y, vjp = batch_norm(x, np.ones(1), np.zeros(1), eps=3.0)
    assert y.ravel().tolist() == [-0.5, 0.5, -0.5, 0.5]
    # ((4,0,0,0) - (1,1,1,1) + (-1,1,-1,1)/4) / 2
    assert vjp(y_bar)[0].ravel().tolist() == [1.375, -0.375, -0.625, -0.375]
    mean, var = batch_statistics(x)
    assert (mean.tolist(), var.tolist()) == ([2.0], [1.0])


def test_batch_norm_inference_by_hand():
    y, vjp = batch_norm_inference(
        np.array([[1.0], [3.0]]),
        np.array([6.0]),
        np.array([1.0]),
        mean=np.array([1.0]),
        var=np.array([5.0]),
        eps=4.0,
    )
    assert y.ravel().tolist() == [1.0, 5.0]
    x_bar, gamma_bar, beta_bar = vjp(np.array([[1.0], [3.0]]))
    assert x_bar.ravel().tolist() == [2.0, 6.0]
    assert gamma_bar.tolist() == [2.0]
    assert beta_bar.tolist() == [4.0]


def test_group_norm_by_hand():
    x, y_bar = np.array([[1.0, 3.0, 1.0, 3.0, 7.0, 9.0, 7.0, 9.0]]), np.zeros((1, 8))
    y_bar[0, 0] = 4.0
    y, vjp = group_norm(x, np.ones(8), np.zeros(8), groups=2, eps=0.0)
    assert y.tolist() == [[-1.0, 1.0] * 4]
    assert vjp(y_bar)[0].tolist() == [[2.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0]]


@given(seeds, between, several, dtypes, constants)
def test_the_vjp_of_layer_norm_is_that_of_the_value(seed, before, n, dtype, eps):
    check_vjp(layer_norm, *arrays(seed, (*before, n), dtype), eps=eps, rng=np.random.default_rng(seed))


@given(seeds, between, sizes, dtypes, constants)
def test_the_vjp_of_rms_norm_is_that_of_the_value(seed, before, n, dtype, eps):
    x, gamma, _ = arrays(seed, (*before, n), dtype)
    check_vjp(rms_norm, x, gamma, eps=eps, rng=np.random.default_rng(seed))


@given(seeds, several, between, sizes, dtypes, constants)
def test_the_vjp_of_batch_norm_is_that_of_the_value(seed, N, inner, C, dtype, eps):
    check_vjp(batch_norm, *arrays(seed, (N, *inner, C), dtype), eps=eps, rng=np.random.default_rng(seed))


@given(seeds, sizes, between, sizes, dtypes, constants)
def test_the_vjp_of_batch_norm_inference_is_that_of_the_value(seed, N, inner, C, dtype, eps):
    args, (_, mean, var) = arrays(seed, (N, *inner, C), dtype), arrays(seed + 1, (C,), dtype)
    statistics = {"mean": mean, "var": (var * var.conj()).real.astype(dtype)}
    check_vjp(batch_norm_inference, *args, **statistics, eps=eps, rng=np.random.default_rng(seed))


@given(seeds, sizes, between, sizes, several, dtypes, constants)
def test_the_vjp_of_group_norm_is_that_of_the_value(seed, N, inner, groups, each, dtype, eps):
    args = arrays(seed, (N, *inner, groups * each), dtype)
    check_vjp(group_norm, *args, groups=groups, eps=eps, rng=np.random.default_rng(seed))


@given(seeds, several, between, sizes, several)
def test_the_values_are_those_of_the_definition(seed, N, inner, groups, each):
    x, gamma, beta = arrays(seed, (N, *inner, groups * each))
    across = tuple(range(x.ndim - 1))
    assert agree(layer_norm(x, gamma, beta, eps=0.1)[0], by_definition(x, -1, 0.1) * gamma + beta)
    assert agree(batch_norm(x, gamma, beta, eps=0.1)[0], by_definition(x, across, 0.1) * gamma + beta)
    grouped = np.concatenate(
        [by_definition(part, (*range(1, x.ndim),), 0.1) for part in np.split(x, groups, axis=-1)], axis=-1
    )
    assert agree(group_norm(x, gamma, beta, groups=groups, eps=0.1)[0], grouped * gamma + beta)
    mean_square = (x * x).mean(axis=-1, keepdims=True)
    assert agree(rms_norm(x, gamma, eps=0.1)[0], x / np.sqrt(mean_square + 0.1) * gamma)


@given(seeds, several, between, sizes)
def test_statistics_that_are_given_back_give_the_same_value_and_another_gradient(seed, N, inner, C):
    x, gamma, beta = arrays(seed, (N + 1, *inner, C))
    mean, var = batch_statistics(x)
    across = tuple(range(x.ndim - 1))
    assert agree(var, x.var(axis=across))  # divided by m, not by m - 1
    y, vjp = batch_norm(x, gamma, beta, eps=0.1)
    given_y, given_vjp = batch_norm_inference(x, gamma, beta, mean=mean, var=var, eps=0.1)
    assert agree(y, given_y)
    assert agree(np.concatenate(vjp(y)[1:]), np.concatenate(given_vjp(y)[1:]))
    assert not agree(vjp(y)[0], given_vjp(y)[0], rtol=1e-3)


@given(seeds, several, several)
def test_batch_norm_is_layer_norm_of_the_columns(seed, N, C):
    x = arrays(seed, (N, C))[0]
    y, vjp = batch_norm(x, np.ones(C), np.zeros(C), eps=0.1)
    turned, turned_vjp = layer_norm(x.T, np.ones(N), np.zeros(N), eps=0.1)
    assert agree(y, turned.T)
    assert agree(vjp(x * x)[0], turned_vjp((x * x).T)[0].T)


@given(seeds, sizes, several)
def test_one_group_of_a_row_is_layer_norm(seed, N, C):
    args = arrays(seed, (N, C))
    y, vjp = group_norm(*args, groups=1, eps=0.1)
    rows, rows_vjp = layer_norm(*args, eps=0.1)
    assert agree(y, rows)
    assert all(agree(a, b) for a, b in zip(vjp(y * y), rows_vjp(y * y), strict=True))


@given(seeds, several, several)
def test_a_group_for_each_channel_is_batch_norm_of_each_sample(seed, S, C):
    x, gamma, beta = arrays(seed, (3, S, C))
    y, vjp = group_norm(x, gamma, beta, groups=C, eps=0.1)
    alone = [batch_norm(sample, gamma, beta, eps=0.1) for sample in x]
    assert agree(y, np.array([value for value, _ in alone]))
    assert agree(vjp(x)[0], np.array([pull(g)[0] for (_, pull), g in zip(alone, x, strict=True)]))


@given(seeds, st.integers(3, 6), st.sampled_from([0.0, 0.5, 3.0]))
def test_the_jacobian_has_the_spectrum_that_the_page_says(seed, n, eps):
    x = arrays(seed, (1, n))[0]
    J = jacobian(layer_norm, x, np.ones(n), np.zeros(n), eps=eps)
    s = np.sqrt(x.var() + eps)
    expected = np.sort([0.0, eps / s**3, *[1 / s] * (n - 2)])
    assert agree(1 + np.linalg.eigvalsh(J), 1 + expected)
    x_hat = (x - x.mean()) / s
    assert agree(1 + s * x_hat @ J, 1 + s * eps / s**3 * x_hat)


@given(seeds, several)
def test_a_shift_and_a_scale_change_nothing_without_eps(seed, n):
    args = arrays(seed, (2, n + 1))
    y, vjp = layer_norm(*args, eps=0.0)
    moved, moved_vjp = layer_norm(4 * args[0] + 1, *args[1:], eps=0.0)
    assert agree(y, moved, rtol=1e-11)
    assert agree(vjp(y * y)[0], 4 * moved_vjp(y * y)[0], rtol=1e-10)


@every
def test_the_vjp_is_linear_and_keeps_its_arguments(rule):
    x, gamma, beta = arrays(0, (4, 3))
    before = x.copy()
    y, vjp = rule(x, gamma, beta, eps=0.1)
    for whole, one, other in zip(vjp(3 * y + y * y), vjp(y), vjp(y * y), strict=True):
        assert agree(whole, 3 * one + other)
    assert np.array_equal(x, before)


def far_from_zero(seed, shape, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x = (1e4 + rng.standard_normal(shape)).astype(dtype)
    return x, rng.standard_normal(shape).astype(dtype)


def errors(rule, x, y_bar):
    """Of value and gradient in single precision, relative to double precision on the same numbers."""
    one, zero = np.ones(x.shape[-1]), np.zeros(x.shape[-1])
    found, exact = [], []
    for into, dtype in ((found, np.float32), (exact, np.float64)):
        y, vjp = rule(x.astype(dtype), one.astype(dtype), zero.astype(dtype), eps=1e-5)
        into += [y, vjp(y_bar.astype(dtype))[0]]
    assert found[0].dtype == found[1].dtype == np.float32
    return [float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, exact, strict=True)]


# Rounding of the sum over m numbers and of a few operations on each: some units of 2**-23 = 1.2e-7.
@pytest.mark.parametrize(
    ("rule", "shape"),
    [
        (layer_norm, (8, 256)),
        (batch_norm, (4096, 3)),
        (partial(group_norm, groups=2), (4, 16, 6)),
    ],
    ids=["layer", "batch", "group"],
)
def test_single_precision_is_enough_for_mean_10000_and_deviation_1(rule, shape):
    for seed in range(5):
        assert max(errors(rule, *far_from_zero(seed, shape))) < 5e-6


def one_pass(x):
    return (x * x).mean(axis=-1, keepdims=True) - x.mean(axis=-1, keepdims=True) ** 2


def test_a_variance_in_one_pass_or_numbers_centred_once_would_not_do():
    x, _ = far_from_zero(0, (8, 256))
    exact = x.astype(np.float64).var(axis=-1, keepdims=True)
    assert np.abs(one_pass(x) / exact - 1).max() > 1  # nothing is left of it
    exact_hat = by_definition(x.astype(np.float64), -1, 0)
    assert np.abs(by_definition(x, -1, 0) - exact_hat).max() > 5e-5
    mean, var = batch_statistics(x.T)
    assert np.abs(var / exact.T - 1).max() < 1e-6
    assert np.abs(mean - x.astype(np.float64).mean(axis=-1)).max() <= np.spacing(np.float32(1e4)) / 2


@shifting
def test_equal_numbers_give_the_shift_and_with_eps_a_finite_gradient(rule):
    x, y_bar = np.full((4, 3), 7.0), np.arange(12.0).reshape(4, 3) ** 2
    y, vjp = rule(x if rule is not INFERENCE else ZERO + 0 * x, ONE, 5 * ONE, eps=0.25)
    assert y.tolist() == [[5.0] * 3] * 4
    axis = {"layer": 1, "batch": 0, "group": 1}.get(
        next(name for name, other in WITH_SHIFT.items() if other is rule)
    )
    if axis is not None:  # the root is 1/2: twice the centred gradient
        assert agree(vjp(y_bar)[0], 2 * (y_bar - y_bar.mean(axis=axis, keepdims=True)))


def test_zeros_in_rms_norm_give_zeros_and_with_eps_a_finite_gradient():
    y, vjp = rms_norm(np.zeros((2, 3)), ONE, eps=0.25)
    assert not y.any()
    assert vjp(np.ones((2, 3)))[0].tolist() == [[2.0] * 3] * 2


@pytest.mark.parametrize(
    "call",
    [
        lambda x: layer_norm(x, ONE, ZERO, eps=0.0),
        lambda x: batch_norm(x, ONE, ZERO, eps=0.0),
        lambda x: group_norm(x, ONE, ZERO, groups=3, eps=0.0),
        lambda x: rms_norm(0 * x, ONE, eps=0.0),
        lambda x: batch_norm_inference(x, ONE, ZERO, mean=ZERO, var=ZERO, eps=0.0),
        lambda x: layer_norm(x.astype(np.float32), *np.float32([ONE, ZERO]), eps=1e-60),  # 0 in float32
    ],
)
def test_nothing_to_divide_by(call):
    with pytest.raises(
        ValueError, match=r"^(x|var): the variance, or mean square, plus eps = .* is 0 in float"
    ):
        call(np.full((4, 2, 3), 7.0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_numbers_that_are_not_finite_or_whose_squares_overflow(bad):
    x = np.ones((4, 3))
    x[1, 1] = bad
    for rule in (layer_norm, batch_norm, EVERY["group"], EVERY["rms"]):
        with pytest.raises(ValueError, match=r"x: the variance, .* is not finite in float64"):
            rule(x, ONE, ZERO, eps=0.1)
    with pytest.raises(ValueError, match=r"x: the variance is not finite in float64 \(shape \(4, 3\)\)"):
        batch_statistics(x)


@every
@pytest.mark.parametrize("eps", [-1e-5, np.nan, np.inf, -np.inf])
def test_an_eps_that_is_negative_or_not_finite(rule, eps):
    with pytest.raises(ValueError, match="eps: expected a finite number, 0 or more, got"):
        rule(np.arange(12.0).reshape(4, 3), ONE, ZERO, eps=eps)


@every
@pytest.mark.parametrize("eps", [True, "1", None, 1j, np.array([1.0])])
def test_an_eps_that_is_no_number(rule, eps):
    with pytest.raises(TypeError, match="eps: expected a number, got"):
        rule(np.arange(12.0).reshape(4, 3), ONE, ZERO, eps=eps)


def test_an_eps_of_numpy_does_not_promote():
    x, gamma, beta = arrays(0, (4, 3), np.float32)
    assert layer_norm(x, gamma, beta, eps=np.float64(0.1))[0].dtype == np.float32


@pytest.mark.parametrize(
    ("call", "size"),
    [
        (lambda: batch_norm(np.ones((1, 3)), ONE, ZERO, eps=0.1), 1),
        (lambda: batch_norm(np.ones((0, 3)), ONE, ZERO, eps=0.1), 0),
        (lambda: batch_norm(np.ones((1, 1, 1, 3)), ONE, ZERO, eps=0.1), 1),
        (lambda: batch_statistics(np.ones((1, 3))), 1),
        (lambda: layer_norm(np.ones((4, 1)), ONE[:1], ZERO[:1], eps=0.1), 1),
        (lambda: group_norm(np.ones((4, 3)), ONE, ZERO, groups=3, eps=0.1), 1),
    ],
)
def test_a_single_value_to_normalise(call, size):
    with pytest.raises(ValueError, match=rf"x: expected two values or more .*, got {size} \(shape \("):
        call()


@shifting
@pytest.mark.parametrize(
    ("x", "gamma", "beta"),
    [
        ((4, 3), (2,), (3,)),
        ((4, 3), (3,), (1,)),
        ((4, 3), (), (3,)),
        ((4, 3), (4, 3), (3,)),
        ((), (), ()),
        ((4, 0), (0,), (0,)),
    ],
)
def test_shapes_that_do_not_fit(rule, x, gamma, beta):
    with pytest.raises(ValueError, match=r"expected x \(.*gamma \(.*beta \(.*; got x \(.*gamma \(.*beta \("):
        rule(np.ones(x), np.ones(gamma), np.ones(beta), eps=0.1)


def test_more_shapes_that_do_not_fit():
    x = np.arange(12.0).reshape(4, 3)
    for wrong in ({"mean": ZERO[:1]}, {"var": ONE[:2]}):
        with pytest.raises(ValueError, match=r"mean \(C,\), var \(C,\), C >= 1; got x"):
            batch_norm_inference(x, ONE, ZERO, **{"mean": ZERO, "var": ONE, **wrong}, eps=0.1)
    with pytest.raises(
        ValueError, match=r"expected x \(..., n\), gamma \(n,\), n >= 1; got x \(4, 3\), gamma \(1,\)"
    ):
        rms_norm(x, ONE[:1], eps=0.1)
    for rule in (batch_norm, INFERENCE, EVERY["group"]):
        with pytest.raises(ValueError, match=r"expected x \(N, ..., C\)"):
            rule(x[0], ONE, ZERO, eps=0.1)
    with pytest.raises(ValueError, match=r"expected x \(N, ..., C\), C >= 1; got x \(3,\)"):
        batch_statistics(x[0])


@pytest.mark.parametrize("groups", [0, -1, 2, 6])
def test_groups_that_do_not_divide_the_channels(groups):
    with pytest.raises(ValueError, match=rf"groups: expected a divisor .* x \(4, 3\), got {groups}"):
        group_norm(np.ones((4, 3)), ONE, ZERO, groups=groups, eps=0.1)


@pytest.mark.parametrize("groups", [1.0, True, "1", None])
def test_groups_that_are_no_whole_number(groups):
    with pytest.raises(TypeError, match="groups: expected whole numbers, got"):
        group_norm(np.ones((4, 3)), ONE, ZERO, groups=groups, eps=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"var": -ONE},
        {"var": np.nan * ONE},
        {"var": np.inf * ONE},
        {"mean": np.nan * ONE},
        {"mean": np.inf * ONE},
    ],
)
def test_statistics_that_are_none(wrong):
    with pytest.raises(ValueError, match="mean, var: expected finite numbers, var not negative; got mean"):
        batch_norm_inference(np.ones((4, 3)), ONE, ZERO, **{"mean": ZERO, "var": ONE, **wrong}, eps=0.1)


@every
def test_dtypes_that_do_not_fit(rule):
    x = np.arange(12.0).reshape(4, 3)
    with pytest.raises(TypeError, match="gamma: expected the dtype of x, float64, got float32"):
        rule(x, ONE.astype(np.float32), ZERO, eps=0.1)
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        rule(x.astype(int), ONE, ZERO, eps=0.1)
    with pytest.raises(TypeError, match="x: expected a numpy array, got list"):
        rule([1.0, 2.0, 4.0], ONE, ZERO, eps=0.1)


def test_statistics_of_another_dtype():
    with pytest.raises(TypeError, match="var: expected the dtype of x, float64, got float32"):
        batch_norm_inference(np.ones((4, 3)), ONE, ZERO, mean=ZERO, var=ONE.astype(np.float32), eps=0.1)
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        batch_statistics(np.ones((4, 3), int))


@every
def test_a_gradient_that_does_not_fit(rule):
    _, vjp = rule(np.arange(12.0).reshape(4, 3), ONE, ZERO, eps=0.1)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(4, 3\), got \(1, 3\)"):
        vjp(np.ones((1, 3)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.ones((4, 3), np.float32))
