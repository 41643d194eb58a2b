import math
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.blocks.streams import attention_residual, hyper_connection, sinkhorn
from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.activation import leaky_relu, tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])


def normal(seed, *shapes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def arguments(seed, k, N, n, dtype=np.float64):
    """X, H, h_pre, h_post, and the parameters of a two-layer branch."""
    shapes = (k, N, n), (k, k), (k,), (k,), (n, 3), (3,), (3, n), (n,)
    return normal(seed, *shapes, dtype=dtype)


# Hyper-connections


def test_a_block_by_hand():
    X, H = np.array([[[2.0]], [[4.0]]]), np.array([[1.0, 0.5], [0.0, 1.0]])
    read, write = np.array([1.0, 0.0]), np.array([1.0, 2.0])
    Y, vjp = hyper_connection(linear)(X, H, read, write, np.array([[-0.5]]), np.array([3.0]))
    assert Y.ravel().tolist() == [4 + 2, 4 + 4]  # the branch reads 2 and writes 2, twice that into stream 1
    X_bar, H_bar, read_bar, write_bar, W_bar, b_bar = vjp(np.array([[[1.0]], [[10.0]]]))
    # The branch gets 1 + 20 and hands -10.5 back to stream 0, which alone it read.
    assert X_bar.ravel().tolist() == [1 - 10.5, 0.5 + 10]
    assert H_bar.tolist() == [[2, 4], [20, 40]]
    assert read_bar.tolist() == [-21, -42]
    assert write_bar.tolist() == [2, 20]
    assert (W_bar.item(), b_bar.item()) == (42, 21)


@given(seeds, sizes, sizes, sizes, dtypes)
def test_the_vjp_of_a_block_is_that_of_its_value(seed, k, N, n, dtype):
    errors = check_vjp(
        hyper_connection(branch(tanh)), *arguments(seed, k, N, n, dtype), rng=np.random.default_rng(seed)
    )
    assert list(errors)[:4] == ["X", "H", "h_pre", "h_post"]


@given(seeds, sizes, sizes)
def test_one_stream_with_mixers_1_is_the_residual_block_to_the_bit(seed, N, n):
    X, _, _, _, *theta = arguments(seed, 1, N, n)
    Y, vjp = hyper_connection(branch(tanh))(X, np.ones((1, 1)), np.ones(1), np.ones(1), *theta)
    y, residual_vjp = residual(branch(tanh))(X[0], *theta)
    assert np.array_equal(Y[0], y)
    (X_bar, _, _, _, *theta_bar), (x_bar, *expected) = vjp(Y), residual_vjp(y)
    assert np.array_equal(X_bar[0], x_bar)
    assert all(map(np.array_equal, theta_bar, expected))


@given(seeds, st.integers(2, 4), sizes, sizes)
def test_streams_that_only_pass_are_residual_networks_side_by_side(seed, k, N, n):
    X, _, _, _, *theta = arguments(seed, k, N, n)
    for i, one in enumerate(np.eye(k)):
        Y, vjp = hyper_connection(branch(tanh))(X, np.eye(k), one, one, *theta)
        y, residual_vjp = residual(branch(tanh))(X[i], *theta)
        others = np.delete(np.arange(k), i)
        assert agree(Y[i], y)
        assert np.array_equal(Y[others], X[others])
        X_bar = vjp(X)[0]
        assert agree(X_bar[i], residual_vjp(X[i])[0])
        assert np.array_equal(X_bar[others], X[others])


@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_the_identity_term_of_a_stack_is_the_product_and_backwards_its_transpose(seed, k, L):
    Hs = np.random.default_rng(seed).standard_normal((L, k, k))
    no_write = [(H, np.ones(k), np.zeros(k)) for H in Hs]
    X, Y_bar = normal(seed, (k, 2, 3), (k, 2, 3))
    Xs, pull = trace(*[hyper_connection(tanh)] * L)(X, *no_write)
    product = np.linalg.multi_dot([np.eye(k), *Hs[::-1], np.eye(k)])
    assert agree(Xs[L], np.tensordot(product, X, 1), rtol=1e-11)
    assert agree(pull(Y_bar)[0][0], np.tensordot(product.T, Y_bar, 1), rtol=1e-11)


def test_the_jacobian_of_a_block_is_a_kronecker_product_and_the_branch():
    X, H, read, write, *theta = arguments(3, 3, 1, 4)
    J_F = jacobian(branch(tanh), np.tensordot(read, X, 1), *theta)
    J = jacobian(hyper_connection(branch(tanh)), X, H, read, write, *theta)
    assert agree(J, np.kron(H, np.eye(4)) + np.kron(np.outer(write, read), J_F))


def test_streams_of_images_and_settings_of_the_branch():
    X = normal(0, (2, 3, 4, 4, 2))[0]
    H, read, write = normal(1, (2, 2), (2,), (2,))
    Y, vjp = hyper_connection(leaky_relu)(X, H, read, write, slope=0.3)
    u, u_vjp = leaky_relu(np.tensordot(read, X, 1), slope=0.3)
    assert agree(Y[1], H[1, 0] * X[0] + H[1, 1] * X[1] + write[1] * u)
    X_bar = vjp(X)[0]
    (u_bar,) = u_vjp(write[0] * X[0] + write[1] * X[1])
    assert agree(X_bar[1], H[0, 1] * X[0] + H[1, 1] * X[1] + read[1] * u_bar)
    check_vjp(
        partial(hyper_connection(leaky_relu), slope=0.3), X, H, read, write, rng=np.random.default_rng(2)
    )


BAD = {
    "H": ((2, 1, 3), (3, 3), (2,), (2,)),
    "an H that is no square": ((2, 1, 3), (2, 3), (2,), (2,)),
    "h_pre": ((2, 1, 3), (2, 2), (3,), (2,)),
    "h_post as a column": ((2, 1, 3), (2, 2), (2,), (2, 1)),
    "no stream": ((0, 1, 3), (0, 0), (0,), (0,)),
    "a number": ((), (), (), ()),
}


@pytest.mark.parametrize("shapes", BAD.values(), ids=BAD)
def test_mixers_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match=r"expected X \(k, N, n\) with k >= 1, H \(k, k\), h_pre .*; got X "):
        hyper_connection(tanh)(*map(np.ones, shapes))


@pytest.mark.parametrize("place", range(4))
def test_mixers_of_another_dtype(place):
    args = [np.ones(shape) for shape in ((2, 1, 3), (2, 2), (2,), (2,))]
    args[place] = args[place].astype(np.float32)
    with pytest.raises(TypeError, match="expected the dtype of X"):
        hyper_connection(tanh)(*args)


def test_a_branch_that_does_not_fit_its_stream():
    args = [np.ones(shape) for shape in ((2, 4, 3), (2, 2), (2,), (2,))]
    with pytest.raises(ValueError, match=r"expected F\(u\) of the shape of u; got u \(4, 3\), Fu \(4, 1\)"):
        hyper_connection(linear)(*args, np.ones((3, 1)), np.ones(1))
    with pytest.raises(TypeError, match="Fu: expected the dtype of X, float64, got float32"):
        hyper_connection(lambda u: (u.astype(np.float32), None))(*args)
    _, vjp = hyper_connection(lambda u: (u, lambda y_bar: (y_bar.sum(axis=0),)))(*args)
    with pytest.raises(ValueError, match=r"u_bar from F: expected shape \(4, 3\), got \(3,\)"):
        vjp(np.ones((2, 4, 3)))
    with pytest.raises(ValueError, match=r"Y_bar: expected shape \(2, 4, 3\), got \(4, 3\)"):
        vjp(np.ones((4, 3)))


# Sinkhorn


def test_one_iteration_by_hand():
    H, vjp = sinkhorn(np.log(np.array([[1.0, 1.0], [1.0, 3.0]])), iterations=1)
    # Columns: [[1/2, 1/4], [1/2, 3/4]]; then rows.
    np.testing.assert_allclose(H, [[2 / 3, 1 / 3], [2 / 5, 3 / 5]], rtol=1e-15)
    # The first row is a softmax: its slope is 2/9; its columns then hand back what they share.
    (bar,) = vjp(np.array([[1.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(bar, [[2 / 9 / 2, -2 / 9 * 3 / 4], [-2 / 9 / 2, 2 / 9 * 3 / 4]], rtol=1e-14)


@given(seeds, st.integers(1, 4), st.integers(1, 6), dtypes)
def test_the_vjp_of_sinkhorn_is_that_of_its_value(seed, k, iterations, dtype):
    (logits,) = normal(seed, (2, k, k), dtype=dtype)
    check_vjp(sinkhorn, logits, rng=np.random.default_rng(seed), iterations=iterations)


@given(seeds, st.integers(1, 5), st.integers(1, 30), st.sampled_from([0.1, 1, 6, 40]))
def test_rows_sum_to_1_after_any_number_of_iterations(seed, k, iterations, scale):
    H, vjp = sinkhorn(scale * normal(seed, (k, k))[0], iterations=iterations)
    assert (H >= 0).all()
    # Each entry is exp of a logarithm of size log(1/H) with relative error eps log(1/H); H log(1/H) <= 1/e.
    assert abs(H.sum(axis=1) - 1).max() <= 4 * k * np.finfo(float).eps
    (bar,) = vjp(normal(seed + 1, (k, k))[0])
    # A number added to a whole column is divided out again.
    assert abs(bar.sum(axis=0)).max() <= 1e-13


def test_many_iterations_make_it_doubly_stochastic_and_a_rescaling_of_the_start():
    (logits,) = normal(0, (4, 4))
    H, _ = sinkhorn(logits, iterations=300)
    assert abs(H.sum(axis=0) - 1).max() < 1e-14
    ratio = H / np.exp(logits)  # of the form a_i b_j
    assert agree(ratio * ratio[0, 0], np.outer(ratio[:, 0], ratio[0]))


def test_a_doubly_stochastic_matrix_stays_and_a_permutation_too():
    weights = np.random.default_rng(0).dirichlet(np.ones(6))
    D = sum(w * np.eye(3)[list(p)] for w, p in zip(weights, permutations(range(3)), strict=True))
    assert agree(sinkhorn(np.log(D), iterations=3)[0], D)
    H, vjp = sinkhorn(1e300 * np.eye(3), iterations=3)  # exp alone would overflow
    assert np.array_equal(H, np.eye(3))
    assert not vjp(np.arange(9.0).reshape(3, 3))[0].any()


def test_a_batch_of_matrices_is_each_by_itself():
    (logits,) = normal(0, (2, 3, 4, 4))
    H, vjp = sinkhorn(logits, iterations=4)
    one, one_vjp = sinkhorn(logits[1, 2], iterations=4)
    assert np.array_equal(H[1, 2], one)
    assert np.array_equal(vjp(logits)[0][1, 2], one_vjp(logits[1, 2])[0])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0), (4, 2, 3)])
def test_logits_that_are_no_square(shape):
    with pytest.raises(ValueError, match=r"expected logits \(..., k, k\), not empty; got logits \("):
        sinkhorn(np.ones(shape), iterations=2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_logits_that_are_not_finite(bad):
    logits = np.zeros((2, 2))
    logits[0, 1] = bad
    with pytest.raises(
        ValueError, match=r"logits: expected finite entries and a finite range \(shape \(2, 2\)\)"
    ):
        sinkhorn(logits, iterations=2)


def test_settings_of_sinkhorn():
    with pytest.raises(ValueError, match=r"iterations: expected at least 1 for logits \(2, 2\), got 0"):
        sinkhorn(np.ones((2, 2)), iterations=0)
    with pytest.raises(TypeError, match=r"iterations: expected whole numbers, got 2\.5"):
        sinkhorn(np.ones((2, 2)), iterations=2.5)
    with pytest.raises(TypeError, match="logits: expected a floating dtype, got int64"):
        sinkhorn(np.eye(2, dtype=int), iterations=2)
    _, vjp = sinkhorn(np.ones((2, 2)), iterations=2)
    with pytest.raises(ValueError, match=r"H_bar: expected shape \(2, 2\), got \(2,\)"):
        vjp(np.ones(2))


def test_the_constrained_block_learns_its_logits():
    """H is made from logits by one rule and used by another: their vjps chain."""
    X, logits, read, write, *theta = arguments(5, 3, 2, 4)
    rng = np.random.default_rng(5)

    def constrained(X, logits, h_pre, h_post, *theta):
        H, sinkhorn_vjp = sinkhorn(logits, iterations=20)
        Y, block_vjp = hyper_connection(branch(tanh))(X, H, h_pre, h_post, *theta)

        def vjp(Y_bar):
            X_bar, H_bar, *rest = block_vjp(Y_bar)
            return X_bar, *sinkhorn_vjp(H_bar), *rest

        return Y, vjp

    check_vjp(constrained, X, logits, read, write, *theta, rng=rng)
    assert constrained(X, logits, read, write, *theta)[1](X)[1].any()


# Attention residuals


def by_hand(V, q, eps=1e-6):
    y = np.zeros_like(V[0])
    for r in range(V.shape[1]):
        scores = [v[r] @ q / math.sqrt((v[r] ** 2).mean() + eps) for v in V]
        weights = np.exp(scores) / np.sum(np.exp(scores))
        y[r] = sum(w * v[r] for w, v in zip(weights, V, strict=True))
    return y


@given(seeds, sizes, sizes, sizes, st.sampled_from([1e-6, 0.5]))
def test_attention_by_hand(seed, k, N, n, eps):
    V, q = normal(seed, (k, N, n), (n,))
    assert agree(attention_residual(V, q, eps=eps)[0], by_hand(V, q, eps))


@given(seeds, sizes, sizes, sizes, dtypes, st.sampled_from([1e-6, 0.5]))
def test_the_vjp_of_attention_is_that_of_its_value(seed, k, N, n, dtype, eps):
    V, q = normal(seed, (k, N, n), (n,), dtype=dtype)
    V = V + np.sign(V.real) / 2  # away from a source of length 0, round which RMSNorm turns fast
    check_vjp(attention_residual, V.astype(dtype), q, rng=np.random.default_rng(seed), eps=eps)


@given(seeds, sizes, sizes, sizes)
def test_a_query_of_zeros_takes_the_mean_and_hands_back_equal_shares(seed, k, N, n):
    V, y_bar = normal(seed, (k, N, n), (N, n))
    y, vjp = attention_residual(V, np.zeros(n))
    assert agree(y, V.mean(axis=0))
    assert all(agree(v_bar, y_bar / k) for v_bar in vjp(y_bar)[0])


def test_a_query_of_zeros_still_learns():
    V, y_bar = normal(0, (3, 2, 4), (2, 4))
    assert attention_residual(V, np.zeros(4))[1](y_bar)[1].any()


def test_one_source_is_passed_on_whatever_the_query():
    V, q, y_bar = normal(0, (1, 2, 3), (3,), (2, 3))
    y, vjp = attention_residual(V, 5 * q)
    V_bar, q_bar = vjp(y_bar)
    assert np.array_equal(y, V[0])
    assert np.array_equal(V_bar[0], y_bar)
    assert not q_bar.any()


def test_large_scores_choose_and_do_not_overflow():
    V = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    y, vjp = attention_residual(V, np.array([1e300, 0.0]))
    assert y.tolist() == [[1, 0]]
    assert [v_bar.tolist() for v_bar in vjp(np.array([[2.0, 3.0]]))[0]] == [[[2, 3]], [[0, 0]]]


def test_a_source_of_zeros_is_a_source():
    V = np.zeros((2, 1, 3))
    V[1] = 1
    y, vjp = attention_residual(V, np.ones(3))
    assert np.isfinite(y).all()
    assert all(np.isfinite(bar).all() for bar in vjp(np.ones((1, 3))))


@pytest.mark.parametrize(
    ("V", "q"), [((2, 3), (3,)), ((0, 2, 3), (3,)), ((2, 2, 3), (2,)), ((2, 2, 3), (1, 3)), ((2, 2, 0), (0,))]
)
def test_sources_that_do_not_fit(V, q):
    with pytest.raises(ValueError, match=r"expected V \(k, N, n\), q \(n,\) with k, n >= 1; got V "):
        attention_residual(np.ones(V), np.ones(q))


def test_settings_of_attention():
    V, q = np.ones((2, 1, 3)), np.ones(3)
    for eps in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="eps: expected a positive, finite number, got"):
            attention_residual(V, q, eps=eps)
    for eps in (True, "1e-6", np.ones(1)):
        with pytest.raises(TypeError, match="eps: expected a number, got"):
            attention_residual(V, q, eps=eps)
    with pytest.raises(TypeError, match="q: expected the dtype of V, float64, got float32"):
        attention_residual(V, q.astype(np.float32))
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(1, 3\), got \(3,\)"):
        attention_residual(V, q)[1](q)


def test_a_stack_of_streams_is_a_rule():
    X, H, read, write, *theta = arguments(7, 2, 2, 3)
    mixers = H, read, write, *theta
    block = hyper_connection(branch(tanh))
    check_vjp(stack(block, block), X, mixers, mixers, rng=np.random.default_rng(0))
