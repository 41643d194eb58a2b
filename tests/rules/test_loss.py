import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp
from resgrad.rules.loss import cross_entropy, squared_error

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])


def scores(seed, N, K, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, K)).astype(dtype), rng.integers(K, size=N)


def test_squared_error_by_hand():
    loss, vjp = squared_error(np.array([[1.0, 2.0], [5.0, 4.0]]), target=np.array([[0.0, 4.0], [5.0, 1.0]]))
    assert loss == (0.5 * 5 + 0.5 * 9) / 2
    assert vjp(1.0)[0].tolist() == [[0.5, -1.0], [0.0, 1.5]]
    assert vjp(2)[0].tolist() == [[1.0, -2.0], [0.0, 3.0]]


def test_cross_entropy_by_hand():
    loss, vjp = cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), labels=np.array([1, 0]))
    assert loss == pytest.approx((np.log(4 / 3) + np.log(2)) / 2, rel=1e-14)
    np.testing.assert_allclose(vjp(1.0)[0], [[0.125, -0.125], [-0.25, 0.25]], rtol=1e-14)


@given(seeds, sizes, sizes, dtypes)
def test_the_vjp_of_squared_error_is_that_of_the_value(seed, N, n, dtype):
    y, _ = scores(seed, N, n, dtype)
    check_vjp(squared_error, y, target=y[::-1, ::-1].copy() + 1, rng=np.random.default_rng(seed))


@given(seeds, sizes, sizes, dtypes)
def test_the_vjp_of_cross_entropy_is_that_of_the_value(seed, N, K, dtype):
    z, labels = scores(seed, N, K, dtype)
    check_vjp(cross_entropy, 3 * z, labels=labels, rng=np.random.default_rng(seed))


def test_squared_error_takes_complex_numbers_for_the_complex_step():
    y, target = np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])
    loss, _ = squared_error(y + np.array([[0, 1e-30j]]), target=target.astype(complex))
    assert loss.imag / 1e-30 == pytest.approx(squared_error(y, target=target)[1](1.0)[0][0, 1])
    check_vjp(squared_error, y + 1j, target=target + 0j, rng=np.random.default_rng(0))


@given(seeds, sizes, sizes)
def test_a_shift_of_the_scores_changes_nothing(seed, N, K):
    z, labels = scores(seed, N, K)
    loss, vjp = cross_entropy(z, labels=labels)
    shifted, shifted_vjp = cross_entropy(z + 1024, labels=labels)
    assert agree(loss, shifted, rtol=1e-10) if K > 1 else loss == shifted == 0
    assert agree(vjp(1.0)[0] + 1, shifted_vjp(1.0)[0] + 1, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_scores_do_not_overflow(dtype, size):
    loss, vjp = cross_entropy(np.array([[0, size]], dtype=dtype), labels=np.array([1]))
    assert loss == max(0.0, -size)
    assert loss.dtype == vjp(1.0)[0].dtype == dtype
    assert vjp(1.0)[0].tolist() == ([[0.0, 0.0]] if size > 0 else [[1.0, -1.0]])


def losses():
    z = np.ones((2, 3), dtype=np.float32)
    return [squared_error(z, target=z), cross_entropy(z, labels=np.array([0, 2]))]


@pytest.mark.parametrize("number", [1, 1.0, np.float32(1), np.ones((), np.float32)])
def test_the_vjp_casts_a_number(number):
    for loss, vjp in losses():
        assert loss.dtype == vjp(number)[0].dtype == np.float32
        assert np.array_equal(vjp(number)[0], vjp(1.0)[0])


@pytest.mark.parametrize("wrong", [True, np.True_, 1j, "1", None, np.float64(1), np.ones((), int), [1.0]])
def test_the_vjp_refuses_what_is_no_number_of_the_loss(wrong):
    for _, vjp in losses():
        with pytest.raises(TypeError, match="loss_bar: expected"):
            vjp(wrong)


@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_the_vjp_refuses_an_array(shape):
    for _, vjp in losses():
        with pytest.raises(ValueError, match=r"loss_bar: expected shape \(\), got \("):
            vjp(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("y", "target"),
    [((0, 3), (0, 3)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (1, 3)), ((2, 1), (2,)), ((), ())],
)
def test_squared_error_refuses_shapes(y, target):
    with pytest.raises(ValueError, match=r"expected y \(N, n\) with N >= 1, target \(N, n\); got y \("):
        squared_error(np.ones(y), target=np.ones(target))


@pytest.mark.parametrize(
    ("z", "labels"), [((0, 3), (0,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 1)), ((2, 3), ()), ((), ())]
)
def test_cross_entropy_refuses_shapes(z, labels):
    with pytest.raises(ValueError, match=r"expected z \(N, K\) with N >= 1, labels \(N,\); got z \("):
        cross_entropy(np.ones(z), labels=np.zeros(labels, int))


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_labels_out_of_range(labels):
    with pytest.raises(
        ValueError, match=r"labels: expected 0 to K - 1 for z \(N, K\) = \(2, 3\), got -?\d to"
    ):
        cross_entropy(np.ones((2, 3)), labels=np.array(labels))


def test_no_class_at_all():
    with pytest.raises(ValueError, match="labels: expected 0 to K - 1"):
        cross_entropy(np.ones((2, 0)), labels=np.zeros(2, int))


@pytest.mark.parametrize("labels", [[0, 1], np.array([0.0, 1.0]), np.array([False, True]), 0, None])
def test_labels_that_are_no_integers(labels):
    with pytest.raises(TypeError, match="labels: expected an array of integers, got"):
        cross_entropy(np.ones((2, 3)), labels=labels)


def test_dtypes_that_do_not_fit():
    with pytest.raises(TypeError, match="y: expected a floating dtype, got int64"):
        squared_error(np.ones((2, 3), int), target=np.ones((2, 3)))
    with pytest.raises(TypeError, match="target: expected the dtype of y, float64, got float32"):
        squared_error(np.ones((2, 3)), target=np.ones((2, 3), np.float32))
    for dtype in (int, complex):
        with pytest.raises(TypeError, match="z: expected a real floating dtype"):
            cross_entropy(np.ones((2, 3), dtype), labels=np.array([0, 1]))
