from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.reversible import coupling, reversible, uncouple
from resgrad.blocks.stack import stack
from resgrad.measure.check import agree, check_vjp
from resgrad.rules.activation import relu, tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])
layer = stack(linear, tanh)  # takes the parameters (W, b), ()


def arguments(seed, L, N, n1, n2, dtype=np.float64):
    """Streams of n1 and n2 columns, and parameters of two one-layer branches for each of L couplings."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return (rng.standard_normal(shape) / shape[0]).astype(dtype)

    thetas = [(((normal(n2, n1), normal(n1)), ()), ((normal(n1, n2), normal(n2)), ())) for _ in range(L)]
    return normal(N, n1), normal(N, n2), *thetas


def numbers(x1, x2, a, c):
    one = np.ones((1, 1))
    return x1 * one, x2 * one, (a * one, np.zeros(1)), (c * one, np.zeros(1))


def items(bars):
    return [bar.item() for bar in bars[:2]] + [W_bar.item() for W_bar, _ in bars[2:]]


def test_coupling_by_hand():
    (y1, y2), vjp = coupling(linear, linear)(*numbers(1, 2, 3, 5))
    assert (y1.item(), y2.item()) == (1 + 3 * 2, 2 + 5 * 7)
    # G's share 5 * 100 joins the 10 before F pulls it back: 3 * 510, not 3 * 10
    assert items(vjp((np.array([[10.0]]), np.array([[100.0]])))) == [510, 100 + 3 * 510, 2 * 510, 7 * 100]


def test_uncouple_by_hand():
    (x1, x2), vjp = uncouple(linear, linear)(*numbers(7, 37, 3, 5))
    assert (x1.item(), x2.item()) == (1, 2)
    assert items(vjp((np.array([[10.0]]), np.array([[100.0]])))) == [10 - 5 * 70, 100 - 30, -20, -7 * 70]


def test_reversible_by_hand():
    x1, x2, *theta = numbers(1, 2, 3, 5)
    (y1, y2), vjp = reversible((linear, linear))(x1, x2, tuple(theta))
    assert (y1.item(), y2.item()) == (7, 37)
    x1_bar, x2_bar, theta_bar = vjp((np.array([[10.0]]), np.array([[100.0]])))
    assert items((x1_bar, x2_bar, *theta_bar)) == [510, 1630, 1020, 700]


@pytest.mark.parametrize("make", [coupling, uncouple])
@given(seeds, sizes, sizes, sizes, dtypes)
def test_the_vjp_is_that_of_the_value(make, seed, N, n1, n2, dtype):
    x1, x2, theta = arguments(seed, 1, N, n1, n2, dtype)
    check_vjp(make(layer, layer), x1, x2, *theta, rng=np.random.default_rng(seed))


@given(seeds, st.integers(1, 3), sizes, sizes, sizes, dtypes)
def test_the_vjp_of_the_network_is_that_of_its_value(seed, L, N, n1, n2, dtype):
    args = arguments(seed, L, N, n1, n2, dtype)
    errors = check_vjp(reversible(*[(layer, layer)] * L), *args, rng=np.random.default_rng(seed))
    assert list(errors)[:3] == ["x1", "x2", "thetas[0][0][0][0]"]


@given(seeds, sizes, sizes, sizes)
def test_uncouple_undoes_coupling_and_is_undone_by_it(seed, N, n1, n2):
    x1, x2, theta = arguments(seed, 1, N, n1, n2)
    F = G = stack(linear, relu)  # without an inverse of its own, and of any width
    back, _ = uncouple(F, G)(*coupling(F, G)(x1, x2, *theta)[0], *theta)
    there, _ = coupling(F, G)(*uncouple(F, G)(x1, x2, *theta)[0], *theta)
    for found in (back, there):
        # Two branch values of the size of a few are added and subtracted: a few roundings each.
        np.testing.assert_allclose(np.hstack(found), np.hstack((x1, x2)), rtol=0, atol=1e-13)


@given(seeds, sizes, sizes)
def test_the_vjps_of_coupling_and_inverse_undo_each_other(seed, n1, n2):
    x1, x2, theta = arguments(seed, 1, 1, n1, n2)
    y, vjp = coupling(layer, layer)(x1, x2, *theta)
    _, inverse_vjp = uncouple(layer, layer)(*y, *theta)
    bars = inverse_vjp(vjp((x1, x2))[:2])[:2]
    assert agree(np.hstack(bars), np.hstack((x1, x2)))


def stored(pairs, x1, x2, thetas, y_bars):
    """The gradients from activations that were kept: the blocks' own vjps, from the last to the first."""
    y, vjps = (x1, x2), []
    for (F, G), theta in zip(pairs, thetas, strict=True):
        y, vjp = coupling(F, G)(*y, *theta)
        vjps.append(vjp)
    theta_bars = []
    for vjp in reversed(vjps):
        *y_bars, F_bar, G_bar = vjp(tuple(y_bars))
        theta_bars.append((F_bar, G_bar))
    return y, (*y_bars, *reversed(theta_bars))


def flat(tree):
    return np.concatenate([np.zeros(0), *map(flat, tree)]) if isinstance(tree, tuple) else np.ravel(tree)


@given(seeds, st.integers(0, 6), sizes, sizes, sizes)
def test_gradients_are_those_from_stored_activations(seed, L, N, n1, n2):
    x1, x2, *thetas = arguments(seed, L, N, n1, n2)
    pairs = [(layer, layer)] * L
    y, vjp = reversible(*pairs)(x1, x2, *thetas)
    expected_y, expected = stored(pairs, x1, x2, thetas, (x1, x2))
    assert all(map(np.array_equal, y, expected_y))
    assert len(vjp((x1, x2))) == L + 2
    assert agree(flat(vjp((x1, x2))), flat(expected))  # so few couplings add few roundings


def test_branches_may_differ_from_each_other_and_from_pair_to_pair():
    rng = np.random.default_rng(0)
    x1, x2 = rng.standard_normal((2, 3, 2))
    two = tuple(rng.standard_normal(shape) for shape in [(2, 4), (4,), (4, 2), (2,)])
    one = rng.standard_normal((2, 2)), rng.standard_normal(2)
    f = reversible((branch(tanh), linear), (linear, tanh))
    check_vjp(f, x1, x2, (two, one), (one, ()), rng=rng)


def held(f, seen=None):
    """The arrays that a vjp holds on to, itself or in what it calls."""
    seen = {} if seen is None else seen
    for cell in getattr(f, "__closure__", None) or ():
        gather(cell.cell_contents, seen)
    return seen


def gather(content, seen):
    if isinstance(content, np.ndarray):
        seen[id(content)] = content
    elif isinstance(content, tuple | list):
        for entry in content:
            gather(entry, seen)
    elif callable(content):
        held(content, seen)


@pytest.mark.parametrize("L", [1, 5, 20])
def test_the_network_holds_its_output_and_the_parameters_alone(L):
    x1, x2, *thetas = arguments(0, L, 3, 2, 2)
    (y1, y2), vjp = reversible(*[(layer, layer)] * L)(x1, x2, *thetas)
    parameters = {id(v) for pair in thetas for theta, _ in pair for v in theta}
    assert set(held(vjp)) - parameters == {id(y1), id(y2)}


def test_no_coupling_is_the_identity():
    x1, x2 = np.ones((2, 3)), np.ones((2, 1))
    y, vjp = reversible()(x1, x2)
    assert y == (x1, x2)
    assert vjp((x1, x2)) == (x1, x2)


couplings = pytest.mark.parametrize("make", [coupling, uncouple])


@couplings
def test_a_branch_of_another_shape_is_refused(make):
    x1, x2, theta = arguments(0, 1, 3, 2, 4)
    wrong = (theta[1], theta[0])
    with pytest.raises(ValueError, match=r"expected x \(N, n\) or \(N, ..., n\), W \(n, m\)"):
        make(layer, layer)(x1, x2, *wrong)
    column = (np.ones((4, 1)), np.ones(1))  # numpy would broadcast it
    with pytest.raises(ValueError, match=r"what F returns: expected shape \(3, 2\), got \(3, 1\)"):
        make(linear, layer)(x1, x2, column, theta[1])


@couplings
def test_streams_and_parameters_that_do_not_fit_are_refused(make):
    x1, x2, (theta_F, theta_G) = arguments(0, 1, 3, 2, 2)
    f, kind = make(layer, layer), "x" if make is coupling else "y"
    with pytest.raises(TypeError, match=f"{kind}2: expected the dtype of {kind}1, float64, got float32"):
        f(x1, x2.astype(np.float32), theta_F, theta_G)
    with pytest.raises(TypeError, match=f"{kind}1: expected a floating dtype, got int64"):
        f(x1.astype(int), x2, theta_F, theta_G)
    with pytest.raises(TypeError, match="theta_G: expected a tuple of parameters, got ndarray"):
        f(x1, x2, theta_F, theta_G[0][0])
    _, vjp = f(x1, x2, theta_F, theta_G)
    bar = "y" if make is coupling else "x"
    with pytest.raises(TypeError, match=f"{bar}_bars: expected a tuple of 2, got ndarray"):
        vjp(x1)
    with pytest.raises(ValueError, match=rf"{bar}2_bar: expected shape \(3, 2\), got \(2,\)"):
        vjp((x1, x2[0]))


def test_what_the_network_refuses():
    x1, x2, *thetas = arguments(0, 2, 3, 2, 2)
    f = reversible((layer, layer), (layer, layer))
    with pytest.raises(TypeError, match=r"pairs\[1\]: expected a tuple of 2, got function"):
        reversible((layer, layer), coupling(layer, layer))
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 couplings, got 1"):
        f(x1, x2, thetas[0])
    with pytest.raises(ValueError, match=r"thetas\[1\]: expected a tuple of 2, got 1 entries"):
        f(x1, x2, thetas[0], thetas[1][:1])
    with pytest.raises(TypeError, match=r"thetas\[0\]\[1\]: expected a tuple of parameters, got ndarray"):
        f(x1, x2, (thetas[0][0], x1), thetas[1])
    with pytest.raises(TypeError, match="x2: expected the dtype of x1"):
        f(x1, x2.astype(np.float32), *thetas)
    with pytest.raises(ValueError, match=r"y1_bar: expected shape \(3, 2\), got \(1, 2\)"):
        f(x1, x2, *thetas)[1]((x1[:1], x2))


def test_settings_are_bound_before():
    x1, x2, theta_F, theta_G = numbers(1, 2, 3, 5)
    (y1, _), _ = coupling(partial(lambda x, W, b, *, sign: linear(x, sign * W, b), sign=-1), linear)(
        x1, x2, theta_F, theta_G
    )
    assert y1.item() == 1 - 3 * 2
