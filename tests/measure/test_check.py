from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.activation import relu, tanh
from resgrad.rules.add import concat, fork, split
from resgrad.rules.linear import linear
from resgrad.rules.loss import cross_entropy, squared_error

seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=0, dtype=np.float64):
    return rng(seed).standard_normal(shape).astype(dtype)


# agree


@given(seeds, st.floats(1e-300, 1e300))
def test_agree_is_relative_to_the_largest_entry(seed, size):
    a = normal(3, 2, seed=seed)
    a = a / np.abs(a).max() * size
    assert agree(a, a) is True
    assert agree(a + 0.9e-12 * size, a)
    assert not agree(a + 1.2e-12 * size, a)
    assert agree(a, a + 0.09 * size, rtol=0.1)
    assert agree(a, -a) is False


def test_agree_has_a_tolerance_for_each_precision():
    one = np.ones(2, np.float32)
    assert agree(one, one * np.float32(1 + 5e-6))
    assert not agree(one, one * np.float32(1 + 2e-5))
    assert not agree(one, one * np.float32(1 + 5e-6), rtol=1e-12)
    assert not agree(one + 0j, one + 2e-5j)
    with pytest.raises(ValueError, match="rtol: there is no default for float16"):
        agree(one.astype(np.float16), one.astype(np.float16))
    assert agree(one.astype(np.float16), one.astype(np.float16), rtol=0.0)


def test_agree_takes_numbers_and_zeros():
    assert agree(0.1 + 0.2, 0.3)
    assert agree(np.float64(2.0), 2.0)
    assert agree(np.zeros(2), np.zeros(2))
    assert not agree(np.zeros(2), np.full(2, 1e-300))
    assert agree([[1.0, 2.0]], np.array([[1.0, 2.0]]))


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (3,)), ((2, 3), (1, 3)), ((1, 2), (2,)), ((1,), ()), ((0,), (0,))]
)
def test_agree_does_not_broadcast(a, b):
    with pytest.raises(ValueError, match=r"expected a and b of one shape, not empty; got a \("):
        agree(np.ones(a), np.ones(b))


def test_agree_compares_like_with_like():
    with pytest.raises(TypeError, match="b: expected the dtype of a, float64, got float32"):
        agree(np.ones(2), np.ones(2, np.float32))
    with pytest.raises(TypeError, match="a: expected a floating dtype, got int64"):
        agree(1, 1.0)
    with pytest.raises(TypeError, match="a: expected a floating dtype, got bool"):
        agree(True, True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_agree_wants_finite_numbers(bad):
    for a, b, name in [(bad, 1.0, "a"), (1.0, bad, "b"), (bad, bad, "a")]:
        with pytest.raises(ValueError, match=f"{name}: expected finite entries"):
            agree(np.array([1.0, a]), np.array([1.0, b]))


@pytest.mark.parametrize("rtol", [-1e-12, 1, np.nan, np.inf])
def test_agree_wants_a_tolerance_that_means_something(rtol):
    with pytest.raises(ValueError, match=r"rtol: expected a number in \[0, 1\)"):
        agree(1.0, 1.0, rtol=rtol)


# jacobian


def test_jacobian_by_hand():
    x, W, b = np.array([[1.0, 2.0]]), np.array([[0.5, 2.0, 3.0], [-1.0, 0.3, 4.0]]), np.zeros(3)
    J = jacobian(linear, x, W, b)
    assert J.tolist() == W.T.tolist()
    J = jacobian(linear, np.ones((2, 2)), W, b)  # of a batch: one block for each row
    assert J.tolist() == np.kron(np.eye(2), W.T).tolist()


def test_jacobian_of_a_loss_is_a_row():
    y, target = normal(2, 3), normal(2, 3, seed=1)
    J = jacobian(squared_error, y, target=target)
    assert J.shape == (1, 6)
    assert agree(J, (y - target).reshape(1, 6) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_jacobian_has_the_dtype_of_the_value(dtype):
    a = normal(3, dtype=dtype)
    J = jacobian(tanh, a)
    assert J.dtype == dtype
    assert agree(J, np.diag(1 - np.tanh(a) ** 2))


def test_jacobian_of_nothing():
    assert jacobian(tanh, np.ones((0, 3))).shape == (0, 0)
    assert jacobian(linear, np.ones((2, 3)), np.ones((3, 0)), np.ones(0)).shape == (0, 6)


def test_jacobian_takes_one_output():
    with pytest.raises(TypeError, match="f: expected one output, an array, got tuple"):
        jacobian(fork, np.ones(2))


# check_vjp: what it accepts


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_it_returns_the_errors_by_name(dtype):
    errors = check_vjp(
        linear, normal(4, 3, dtype=dtype), normal(3, 2, dtype=dtype), normal(2, dtype=dtype), rng=rng()
    )
    assert list(errors) == ["x", "W", "b"]
    single = dtype in (np.float32, np.complex64)
    assert all(0 < error < (1e-6 if single else 1e-9) for error in errors.values())


def test_the_same_generator_gives_the_same_errors():
    check = partial(check_vjp, tanh, normal(30, 40))
    assert check(rng=rng(1)) == check(rng=rng(1)) != check(rng=rng(2))


def test_several_outputs_and_tuples_of_arrays():
    def pairs(x, theta):
        scale, (shift,) = theta

        def vjp(y_bars):
            one, other = y_bars
            return one * scale + other, ((one * x).sum(axis=0), (other.sum(axis=0),))

        return (x * scale, x + shift), vjp

    errors = check_vjp(pairs, normal(4, 3), (normal(3, seed=1), (normal(3, seed=2),)), rng=rng())
    assert list(errors) == ["x", "theta[0]", "theta[1][0]"]


def test_settings_are_passed_on_and_widened():
    y, target = normal(4, 3, dtype=np.float32), normal(4, 3, seed=1, dtype=np.float32)
    check_vjp(squared_error, y, target=target, rng=rng())
    check_vjp(cross_entropy, y, labels=np.array([0, 2, 1, 1]), rng=rng())
    check_vjp(split, y, sizes=(1, 2), rng=rng())


def test_a_function_without_a_readable_signature():
    errors = check_vjp(lambda *arrays: concat(*arrays), normal(3), normal(2), rng=rng())
    assert list(errors) == ["arrays[0]", "arrays[1]"]


def test_numbers_empty_arrays_and_large_ones():
    check_vjp(tanh, np.float64(0.3), rng=rng())
    check_vjp(tanh, np.array(0.3), rng=rng())
    check_vjp(linear, np.ones((0, 3)), np.ones((3, 2)), np.ones(2), rng=rng())
    check_vjp(linear, normal(50, 40), normal(40, 60), normal(60), rng=rng())


@pytest.mark.parametrize("size", [1e-6, 1e4])
def test_small_and_large_arguments(size):
    check_vjp(linear, size * normal(3, 4), size * normal(4, 2), normal(2), rng=rng())
    check_vjp(squared_error, size * normal(3, 4), target=size * normal(3, 4, seed=1), rng=rng())


def test_a_kink_within_a_step_spoils_the_difference():
    with pytest.raises(AssertionError, match=r"a, .*: finite difference .*, vjp"):
        check_vjp(relu, np.zeros(3), rng=rng())


# check_vjp: what it catches


def broken(f, breaks):
    """The rule f with its vjp's result put through a function."""

    def rule(*args, **settings):
        y, vjp = f(*args, **settings)
        return y, lambda y_bar: breaks(*vjp(y_bar))

    return rule


def test_linear_itself_passes():
    check_vjp(
        broken(linear, lambda *bars: bars), normal(4, 3), normal(3, 3, seed=1), normal(3, seed=2), rng=rng()
    )


WRONG_NUMBERS = {
    "zeros": ("0", lambda x, W, b: (0 * x, W, b)),
    "sign": ("1", lambda x, W, b: (x, -W, b)),
    "factor": ("2", lambda x, W, b: (x, W, b / 2)),
    "transposed": ("1", lambda x, W, b: (x, W.T.copy(), b)),
    "slightly off": ("0", lambda x, W, b: (x * (1 + 1e-4), W, b)),
    "missing term": ("2", lambda x, W, b: (x, W, b - x[0])),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("argument", "breaks"), WRONG_NUMBERS.values(), ids=WRONG_NUMBERS)
def test_wrong_numbers(argument, breaks, dtype):
    args = [normal(*shape, seed=i, dtype=dtype) for i, shape in enumerate([(4, 3), (3, 3), (3,)])]
    text = rf"args\[{argument}\], .*: finite difference [-\d.e+]+, vjp [-\d.e+]+; off by .* allowed"
    with pytest.raises(AssertionError, match=text):
        check_vjp(broken(linear, breaks), *args, rng=rng())


@given(seeds, st.integers(0, 255))
def test_one_wrong_entry_of_256(seed, entry):
    def breaks(a_bar):
        wrong = a_bar.copy()
        wrong.flat[entry] *= 1.01
        return (wrong,)

    with pytest.raises(AssertionError, match=r"a.*: finite difference .*, vjp "):
        check_vjp(broken(tanh, breaks), np.clip(normal(16, 16, seed=seed), -2, 2), rng=rng(seed))


def test_a_wrong_entry_that_the_projection_misses():
    def breaks(x_bar, W_bar, b_bar):
        return x_bar, W_bar + np.outer(lost, b_bar), b_bar

    # An error along what is orthogonal to the direction that is drawn: only the Jacobian sees it.
    lost = np.zeros(3)
    args = normal(4, 3), normal(3, 2, seed=1), normal(2, seed=2)
    directions = rng(7)
    y_bar, *_ = (directions.standard_normal(shape) for shape in [(4, 2), (4, 3)])
    along = directions.standard_normal((3, 2)) * np.maximum(1, np.abs(args[1])) @ y_bar.sum(axis=0)
    lost[:2] = along[1], -along[0]
    with pytest.raises(
        AssertionError, match=r"args\[1\], at \([01], [01]\) for entry \d of y: finite difference"
    ):
        check_vjp(broken(linear, breaks), *args, rng=rng(7))


def test_a_single_precision_vjp_of_its_own():
    def breaks(a_bar):
        return (a_bar * a_bar.dtype.type(1.001 if a_bar.dtype == np.float32 else 1),)

    text = r"a.*, at \(\d,\): vjp in float64 [-\d.e]+, in float32 [-\d.e]+; off by 0.00.* relative, 1e-04 allowed"
    with pytest.raises(AssertionError, match=text):
        check_vjp(broken(tanh, breaks), normal(4, dtype=np.float32), rng=rng())


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite(number):
    args = normal(4, 3), normal(3, 2), normal(2)
    with pytest.raises(AssertionError, match=r"args\[1\]: the gradient has entries that are not finite"):
        check_vjp(broken(linear, lambda x, W, b: (x, W + number, b)), *args, rng=rng())
    with pytest.raises(AssertionError, match="y: the value has entries that are not finite"):
        check_vjp(lambda x: (x + number, lambda y_bar: (y_bar,)), normal(4), rng=rng())


WRONG_FORMS = {
    "list": (r"vjp\(y_bar\): expected a tuple of 3, got list", lambda *bars: list(bars)),
    "array": (r"vjp\(y_bar\): expected a tuple of 3, got ndarray", lambda *bars: bars[0]),
    "one short": (r"vjp\(y_bar\): expected a tuple of 3, got 2 entries", lambda *bars: bars[:2]),
    "one more": (r"vjp\(y_bar\): expected a tuple of 3, got 4 entries", lambda *bars: (*bars, bars[0])),
    "shape": (
        r"vjp\(y_bar\)\[1\], the gradient of args\[1\]: expected shape \(3, 2\), got \(2, 3\)",
        lambda x, W, b: (x, W.T, b),
    ),
    "broadcast": (
        r"vjp\(y_bar\)\[2\], the gradient of args\[2\]: expected shape \(2,\), got \(1, 2\)",
        lambda x, W, b: (x, W, b[None]),
    ),
    "dtype": (
        r"vjp\(y_bar\)\[0\], the gradient of args\[0\]: expected dtype float64, got float32",
        lambda x, W, b: (x.astype(np.float32), W, b),
    ),
    "none": (
        r"the gradient of args\[2\]: expected a numpy array .*, got NoneType",
        lambda x, W, b: (x, W, None),
    ),
}


@pytest.mark.parametrize(("text", "breaks"), WRONG_FORMS.values(), ids=WRONG_FORMS)
def test_wrong_forms(text, breaks):
    with pytest.raises(AssertionError, match=text):
        check_vjp(broken(linear, breaks), normal(4, 3), normal(3, 2), normal(2), rng=rng())


def test_a_promoted_value():
    def promotes(x):
        return x * np.float64(2), lambda y_bar: ((2 * y_bar).astype(np.float32),)

    with pytest.raises(AssertionError, match="y: expected dtype float32, got float64"):
        check_vjp(promotes, np.ones(3, np.float32), rng=rng())


def changes_x(x):
    x *= 1.5
    return 2 * x, lambda y_bar: (2 * y_bar,)


def changes_x_in_the_vjp(x):
    def vjp(y_bar):
        np.negative(x, out=x)
        return (2 * y_bar,)

    return 2 * x, vjp


def changes_y_bar(x):
    def vjp(y_bar):
        y_bar *= 2
        return (y_bar,)

    return 2 * x, vjp


def changes_y(x):
    y = 2 * x

    def vjp(y_bar):
        np.negative(y, out=y)
        return (2 * y_bar,)

    return y, vjp


def differs_the_second_time(x):
    count = iter([2, 3])
    return 2 * x, lambda y_bar: (next(count) * y_bar,)


def reuses_its_buffer(x):
    buffer = np.empty_like(x)
    return 2 * x, lambda y_bar: (np.multiply(2, y_bar, out=buffer),)


def draws(x, source=np.random.default_rng(0)):  # noqa: B008
    return x * source.standard_normal(), lambda y_bar: (y_bar,)


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (changes_x, r"x: changed in place by f: .* became"),
        (changes_x_in_the_vjp, r"x: changed in place by the vjp: .* became"),
        (changes_y_bar, r"y_bar: changed in place by the vjp: .* became"),
        (changes_y, r"y: changed in place by the vjp: .* became"),
        (differs_the_second_time, r"x: a second call of the vjp gives another gradient: .* became"),
        (reuses_its_buffer, r"x: a later call of the vjp overwrites the first gradient: .* became"),
        (draws, r"y: a second call of f gives another value: .* became"),
    ],
)
def test_what_is_not_pure(f, text):
    with pytest.raises(AssertionError, match=text):
        check_vjp(f, normal(3), rng=rng())


def test_bad_input():
    with pytest.raises(TypeError, match="rng"):
        check_vjp(tanh, np.ones(2))
    for bad in (0, np.random, np.random.RandomState(0), None):
        with pytest.raises(TypeError, match=r"rng: expected a numpy\.random\.Generator, got"):
            check_vjp(tanh, np.ones(2), rng=bad)
    with pytest.raises(ValueError, match="args: expected at least one array"):
        check_vjp(tanh, rng=rng())
    with pytest.raises(TypeError, match="a: expected a floating dtype, got int64"):
        check_vjp(tanh, np.arange(3), rng=rng())
    with pytest.raises(TypeError, match="a: expected single or double precision, got float16"):
        check_vjp(tanh, np.ones(3, np.float16), rng=rng())
    with pytest.raises(TypeError, match="W: expected a numpy array, got list"):
        check_vjp(linear, np.ones((1, 1)), [[1.0]], np.ones(1), rng=rng())
    with pytest.raises(ValueError, match=r"expected x \(N, n\)"):  # what f itself refuses is its own to say
        check_vjp(linear, np.ones((1, 2)), np.ones((1, 1)), np.ones(1), rng=rng())
