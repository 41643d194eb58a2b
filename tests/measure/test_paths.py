import re
import tracemalloc
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.measure.check import agree, jacobian
from resgrad.measure.paths import path_gradients, path_products, path_sums
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
depths = st.integers(1, 6)
sizes = st.integers(1, 4)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])
both = pytest.mark.parametrize("split", [path_products, path_sums])


def jacobians(seed, L, n, dtype=np.float64):
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, L, n, n))
    return list((parts[0] + (1j * parts[1] if dtype is np.complex128 else 0)).astype(dtype))


def by_choice(Js, k):
    """The sum of the products over all choices of k blocks, from the definition."""
    n = len(Js[0])
    total = np.zeros((n, n), Js[0].dtype)
    for chosen in combinations(range(len(Js)), k):
        product = np.eye(n, dtype=Js[0].dtype)
        for i in reversed(chosen):
            product = product @ Js[i]
        total = total + product
    return total


def allowed(Js, k):
    """Rounding that two ways to compute the sum over the paths of length k may differ by, for each entry.

    The bound of a product of k matrices and of a sum of C(L, k) terms: with the absolute values of all entries
    in place of the entries, (kn + C(L, k)) eps for each of the two. Complex products have 8 for the 2 operations.
    """
    L, n = len(Js), len(Js[0])
    eps = np.finfo(Js[0].dtype).eps
    return 2 * 4 * (k * n + comb(L, k)) * eps * by_choice([np.abs(J) for J in Js], k)


def test_by_hand():
    J0, J1 = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [3.0, 0.0]])
    taken, products = path_products([J0, J1])
    assert taken.tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert products.tolist() == [np.eye(2).tolist(), J0.tolist(), J1.tolist(), [[0, 1], [3, 6]]]
    assert path_sums([J0, J1]).tolist() == [np.eye(2).tolist(), [[1, 3], [3, 1]], [[0, 1], [3, 6]]]


@given(seeds, depths, sizes, dtypes)
def test_every_product_is_that_of_its_path(seed, L, n, dtype):
    Js = jacobians(seed, L, n, dtype)
    taken, products = path_products(Js)
    assert products.shape == (2**L, n, n)
    assert products.dtype == dtype
    assert len({tuple(row) for row in taken.tolist()}) == 2**L
    for row, product in zip(taken, products, strict=True):
        expected = np.eye(n, dtype=dtype)
        for i in np.flatnonzero(row):
            expected = Js[i] @ expected
        assert np.array_equal(product, expected)  # the same products in the same order


@given(seeds, depths, sizes, dtypes)
def test_the_sums_are_those_of_the_products_by_length(seed, L, n, dtype):
    Js = jacobians(seed, L, n, dtype)
    taken, products = path_products(Js)
    P = path_sums(Js)
    assert P.shape == (L + 1, n, n)
    assert P.dtype == dtype
    for k in range(L + 1):
        expected = by_choice(Js, k)
        assert (np.abs(P[k] - expected) <= allowed(Js, k)).all()
        assert (np.abs(products[taken.sum(axis=1) == k].sum(axis=0) - expected) <= allowed(Js, k)).all()


@given(seeds, depths, sizes, st.floats(-2, 2))
def test_the_sums_are_the_coefficients_of_the_polynomial(seed, L, n, t):
    Js = jacobians(seed, L, n)
    product = np.eye(n)
    for J in Js:
        product = (np.eye(n) + t * J) @ product
    polynomial = sum(t**k * P_k for k, P_k in enumerate(path_sums(Js)))
    slack = sum(abs(t) ** k * allowed(Js, k) for k in range(L + 1))
    # The same bound again for the product: n + 1 roundings in each of L factors, with |t| |J| + I.
    absolute = np.eye(n)
    for J in Js:
        absolute = (np.eye(n) + abs(t) * np.abs(J)) @ absolute
    assert (np.abs(product - polynomial) <= slack + 4 * L * (n + 2) * np.finfo(float).eps * absolute).all()


def test_a_wrong_order_is_seen():
    Js = jacobians(0, 4, 3)
    assert np.abs(path_sums(Js[::-1])[2] - by_choice(Js, 2)).max() > 1e6 * allowed(Js, 2).max()


def test_numbers_give_binomials():
    P = path_sums([np.ones((1, 1))] * 54).ravel()
    assert P.tolist() == [comb(54, k) for k in range(55)]  # exact: all below 2^53
    halves = path_sums([np.array([[-0.5]])] * 10).ravel()
    assert halves.tolist() == [comb(10, k) * (-0.5) ** k for k in range(11)]
    assert halves.sum() == 2.0**-10


def network(seed, L, N, n, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = [(n, 3), (3,), (3, n), (n,)]
    thetas = [tuple(rng.standard_normal(s).astype(dtype) for s in shapes) for _ in range(L)]
    x, y_bar = rng.standard_normal((2, N, n)).astype(dtype)
    return [residual(branch(tanh))] * L, x, thetas, y_bar


@given(seeds, st.integers(0, 6), sizes, sizes, st.sampled_from([np.float32, np.float64]))
def test_the_parts_add_up_to_the_gradient(seed, L, N, n, dtype):
    blocks, x, thetas, y_bar = network(seed, L, N, n, dtype)
    parts = path_gradients(blocks, x, thetas, y_bar)
    assert parts.shape == (L + 1, N, n)
    assert parts.dtype == dtype
    assert np.array_equal(parts[0], y_bar)
    x_bar = stack(*blocks)(x, *thetas)[1](y_bar)[0]
    # Each of the L steps rounds each of L + 1 parts a few times; the parts can be larger than their sum.
    size = np.abs(parts).sum(axis=0).max()
    assert np.abs(parts.sum(axis=0) - x_bar).max() <= 100 * (L + 1) ** 2 * np.finfo(dtype).eps * size


@given(seeds, depths, sizes, sizes)
def test_the_parts_are_those_of_the_jacobians(seed, L, N, n):
    blocks, x, thetas, y_bar = network(seed, L, N, n)
    parts = path_gradients(blocks, x, thetas, y_bar)
    xs, _ = trace(*blocks)(x, *thetas)
    for row in range(N):
        at = [x_l[row : row + 1] for x_l in xs[:-1]]
        Js = [jacobian(branch(tanh), x_l, *theta) for x_l, theta in zip(at, thetas, strict=True)]
        expected = np.einsum("i,kij->kj", y_bar[row], path_sums(Js))
        absolute = np.einsum("i,kij->kj", np.abs(y_bar[row]), path_sums([np.abs(J) + np.eye(n) for J in Js]))
        # A branch's part is a difference, whose rounding is that of what went in: |J| + I in place of |J|.
        assert (np.abs(parts[:, row] - expected) <= 100 * (L + n) * np.finfo(float).eps * absolute).all()


def test_any_shape_and_blocks_without_parameters():
    x = np.linspace(-1, 1, 24).reshape(2, 3, 4)
    parts = path_gradients([residual(tanh)] * 2, x, [(), ()], np.ones_like(x))
    one = 1 - np.tanh(x) ** 2
    two = 1 - np.tanh(x + np.tanh(x)) ** 2
    for found, expected in zip(parts, [np.ones_like(x), one + two, one * two], strict=True):
        assert agree(found, expected)


def test_the_split_takes_a_pull_back_for_each_block_and_length_above_it():
    pulled = []

    def counted(x, W, b):
        y, vjp = residual(linear)(x, W, b)
        return y, lambda y_bar: pulled.append(y_bar) or vjp(y_bar)

    x = np.ones((1, 2))
    path_gradients([counted] * 7, x, [(np.eye(2), np.zeros(2))] * 7, x)
    assert len(pulled) == 7 * 8 // 2


def test_nothing_that_was_given_is_changed():
    blocks, x, thetas, y_bar = network(1, 3, 2, 2)
    Js = jacobians(1, 3, 2)
    kept = [array.copy() for array in (x, y_bar, *thetas[0], *Js)]
    first = path_gradients(blocks, x, thetas, y_bar), path_sums(Js), path_products(Js)[1]
    again = path_gradients(blocks, x, thetas, y_bar), path_sums(Js), path_products(Js)[1]
    assert all(map(np.array_equal, first, again))
    assert all(map(np.array_equal, kept, (x, y_bar, *thetas[0], *Js)))
    assert not np.shares_memory(first[0], y_bar)


def needed_by(error):
    return int(re.search(r"take (\d+) bytes", str(error.value))[1])


@pytest.mark.parametrize(
    ("run", "instead"),
    [
        (lambda memory: path_products(jacobians(0, 9, 8), memory=memory), "use path_sums"),
        (lambda memory: path_sums(jacobians(0, 9, 64), memory=memory), "use path_gradients"),
        (lambda memory: path_gradients(*network(0, 9, 99, 64), memory=memory), "use fewer rows"),
    ],
)
def test_the_limit_on_memory_is_what_the_message_says(run, instead):
    with pytest.raises(ValueError, match=rf"^memory: .*more than the limit of 0: {instead}") as error:
        run(0)
    needed = needed_by(error)
    run(needed)
    with pytest.raises(ValueError, match=r"^memory: "):
        run(needed - 1)


def test_no_more_memory_is_used_than_is_counted():
    Js, linears = jacobians(0, 11, 16), [(0.1 * np.eye(16), np.zeros(16))] * 11
    x = np.ones((500, 16))
    counted = {
        # Beside the result, one byte an entry to see that it is finite, and the lengths.
        lambda: path_products(Js): 2**11 * (16 * 16 * 8 + 11) * 9 / 8 + 2**11 * 8,
        lambda: path_sums(Js): 2 * 12 * 16 * 16 * 8,
        lambda: path_gradients([residual(linear)] * 11, x, linears, x): 3 * 12 * x.nbytes + 22 * x.nbytes,
    }
    for run, most in counted.items():
        tracemalloc.start()
        run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < most + 60_000


def test_what_would_not_fit_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match=r"all 2\^54 path products take \d{21} bytes, more than the limit"):
        path_products([np.eye(64)] * 54)


@both
def test_jacobians_that_do_not_fit(split):
    with pytest.raises(ValueError, match="Js: expected at least one Jacobian, got none"):
        split([])
    with pytest.raises(
        ValueError, match=r"Js\[1\]: expected a square matrix \(n, n\), got shape \(2, 3\); a block"
    ):
        split([np.eye(2), np.ones((2, 3))])
    with pytest.raises(ValueError, match=r"Js\[0\]: expected a square matrix \(n, n\), got shape \(3,\)"):
        split(np.eye(3))  # one matrix in place of a list
    with pytest.raises(ValueError, match=r"Js\[1\]: expected the shape of Js\[0\], \(2, 2\), got \(3, 3\)"):
        split([np.eye(2), np.eye(3)])
    with pytest.raises(ValueError, match=r"Js\[1\]: expected finite entries"):
        split([np.eye(2), np.full((2, 2), np.nan)])
    with pytest.raises(TypeError, match="Js: expected a sequence of square matrices, got generator"):
        split(J for J in [np.eye(2)])
    with pytest.raises(TypeError, match=r"Js\[0\]: expected a numpy array, got list"):
        split([[[1.0]]])
    with pytest.raises(TypeError, match=r"Js\[0\]: expected a floating dtype, got int64"):
        split([np.eye(2, dtype=int)])
    with pytest.raises(TypeError, match=r"Js\[1\]: expected the dtype of Js\[0\], float64, got float32"):
        split([np.eye(2), np.eye(2, dtype=np.float32)])


@both
def test_what_is_too_large_for_the_dtype_is_said(split):
    huge = [np.full((1, 1), 1e30, np.float32)] * 3
    with pytest.raises(OverflowError, match="not finite in float32, from paths of length 2 on: divide"):
        split(huge)


def test_a_part_that_is_too_large_for_the_dtype_is_said():
    zero, one = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    thetas = [(np.float32(1e30) * one, zero[0])] * 3
    with pytest.raises(OverflowError, match="path_gradients: not finite in float32, from paths of length 2"):
        path_gradients([residual(linear)] * 3, zero, thetas, one)


def test_networks_that_do_not_fit():
    blocks, x, thetas, y_bar = network(0, 2, 2, 3)
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 blocks, got 1"):
        path_gradients(blocks, x, thetas[:1], y_bar)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(3,\)"):
        path_gradients(blocks, x, thetas, np.ones(3))
    with pytest.raises(ValueError, match="y_bar: expected finite entries"):
        path_gradients(blocks, x, thetas, np.full((2, 3), np.inf))
    with pytest.raises(
        ValueError, match=r"the output of blocks\[0\], a residual block: expected shape \(2, 3\)"
    ):
        path_gradients([linear], x, [(np.ones((3, 2)), np.ones(2))], y_bar)
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        path_gradients(blocks, x, thetas, y_bar.astype(np.float32))
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        path_gradients(blocks, x.astype(int), thetas, y_bar)
    with pytest.raises(TypeError, match=r"thetas\[1\]: expected a tuple of parameters, got list"):
        path_gradients(blocks, x, [thetas[0], list(thetas[1])], y_bar)
    with pytest.raises(TypeError, match=r"blocks\[1\]: expected a rule, got NoneType"):
        path_gradients([blocks[0], None], x, thetas, y_bar)
    with pytest.raises(
        TypeError, match="blocks: expected a sequence, one entry for each block, got function"
    ):
        path_gradients(blocks[0], x, thetas, y_bar)
