from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.measure.check import check_vjp
from resgrad.networks.skip import skip, trace_skip
from resgrad.rules.activation import tanh
from resgrad.rules.add import stop_gradient
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
depths = st.integers(1, 5)


def network(seed, L, N, n, dtype=np.float64):
    """Layers of two kinds in turn, some of all possible skips, an input, the parameters of each layer."""
    rng = np.random.default_rng(seed)
    layers = ([branch(tanh), tanh] * L)[:L]
    skips = [pair for pair in combinations(range(L + 1), 2) if rng.random() < 0.4]
    shapes = [(n, 3), (3,), (3, n), (n,)]
    thetas = [
        () if layer is tanh else tuple(rng.standard_normal(s).astype(dtype) for s in shapes)
        for layer in layers
    ]
    return layers, skips, rng.standard_normal((N, n)).astype(dtype), thetas


def numbers(*ws):
    return [(np.array([[w]]), np.zeros(1)) for w in ws]


def test_by_hand():
    xs, pull = trace_skip(linear, linear, linear, linear, skips=[(0, 2), (1, 3)])(
        np.array([[1.0]]), *numbers(2.0, 3.0, -1.0, 2.0)
    )
    assert [x.item() for x in xs] == [1, 2, 3 * 2 + 1, -7 + 2, 2 * -5]
    x_bars, theta_bars = pull(np.array([[1.0]]))
    assert [x_bar.item() for x_bar in x_bars] == [2 * -4 - 2, 3 * -2 + 2, -1 * 2, 2, 1]
    # x_l times the gradient at the layer's own output, which is that at the sum
    assert [W_bar.item() for W_bar, _ in theta_bars] == [1 * -4, 2 * -2, 7 * 2, -5 * 1]
    assert [b_bar.item() for _, b_bar in theta_bars] == [-4, -2, 2, 1]


@given(seeds, depths, sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(seed, L, N, n, dtype):
    layers, skips, x, thetas = network(seed, L, N, n, dtype)
    errors = check_vjp(skip(*layers, skips=skips), x, *thetas, rng=np.random.default_rng(seed))
    assert next(iter(errors)) == "x"


@given(seeds, depths, sizes, sizes)
def test_every_gradient_of_the_trace_is_that_of_the_rest_of_the_network(seed, L, N, n):
    layers, skips, x, thetas = network(seed, L, N, n)
    xs, pull = trace_skip(*layers, skips=skips)(x, *thetas)
    y_bar, d = np.random.default_rng(seed).standard_normal((2, N, n))
    x_bars, _ = pull(y_bar)
    for moved in range(L + 1):
        late = [x_l + 0j for x_l in xs]  # what stands before x_moved stays where it is
        late[moved] = late[moved] + 1e-30j * d
        for k in range(moved, L):
            value, _ = layers[k](late[k], *[p + 0j for p in thetas[k]])
            late[k + 1] = value + sum(late[i] for i, j in skips if j == k + 1)
        change = (y_bar * late[L].imag).sum() / 1e-30
        size = np.abs(x_bars[moved] * d).sum()
        assert abs((x_bars[moved] * d).sum() - change) <= 1e-11 * (size + abs(change))


@given(seeds, depths, sizes, sizes)
def test_skip_gives_the_ends_of_the_trace(seed, L, N, n):
    layers, skips, x, thetas = network(seed, L, N, n)
    y, vjp = skip(*layers, skips=skips)(x, *thetas)
    xs, pull = trace_skip(*layers, skips=skips)(x, *thetas)
    x_bars, theta_bars = pull(x)
    x_bar, *skip_theta_bars = vjp(x)
    assert np.array_equal(y, xs[L])
    assert np.array_equal(x_bar, x_bars[0])
    assert len(skip_theta_bars) == L
    for ours, theirs in zip(skip_theta_bars, theta_bars, strict=True):
        assert all(map(np.array_equal, ours, theirs))


@given(seeds, depths, sizes, sizes)
def test_skips_around_each_layer_are_residual_blocks_and_none_are_a_plain_stack(seed, L, N, n):
    layers, _, x, thetas = network(seed, L, N, n)
    each = [(k, k + 1) for k in range(L)]
    for skips, blocks in ((each, [residual(layer) for layer in layers]), ([], layers)):
        ours, theirs = trace_skip(*layers, skips=skips)(x, *thetas), trace(*blocks)(x, *thetas)
        assert all(map(np.array_equal, ours[0], theirs[0]))
        (x_bars, theta_bars), (x_bars2, theta_bars2) = ours[1](x), theirs[1](x)
        assert all(map(np.array_equal, x_bars, x_bars2))
        for one, other in zip(theta_bars, theta_bars2, strict=True):
            assert all(map(np.array_equal, one, other))


@given(seeds, depths, sizes)
def test_a_skip_around_everything_is_one_residual_block(seed, L, n):
    layers, _, x, thetas = network(seed, L, 2, n)
    y, vjp = skip(*layers, skips=[(0, L)])(x, *thetas)
    value, pull = residual(stack(*layers))(x, *thetas)
    assert np.array_equal(y, value)
    assert np.array_equal(vjp(x)[0], pull(x)[0])


@pytest.mark.parametrize("L", range(6))
def test_with_the_identity_as_every_layer_the_gradient_counts_the_paths(L):
    def identity(x):
        return x.copy(), lambda y_bar: (y_bar,)

    def paths(at, skips):
        return at == L or paths(at + 1, skips) + sum(paths(j, skips) for i, j in skips if i == at)

    for skips in ([], [(k, k + 1) for k in range(L)], list(combinations(range(L + 1), 2))):
        _, vjp = skip(*[identity] * L, skips=skips)(np.ones(1), *[()] * L)
        assert vjp(np.ones(1))[0].item() == paths(0, skips)


def test_a_stop_in_a_layer_leaves_the_skips_around_it():
    f = skip(stack(linear, stop_gradient), skips=[(0, 1)])
    theta = np.array([[3.0]]), np.zeros(1)
    y, vjp = f(np.array([[2.0]]), (theta, ()))
    x_bar, (theta_bar, _) = vjp(np.array([[5.0]]))
    assert (y.item(), x_bar.item(), theta_bar[0].item()) == (8, 5, 0)


def test_no_layer_is_the_identity():
    x, y_bar = np.ones((2, 3)), np.full((2, 3), 5.0)
    y, vjp = skip(skips=[])(x)
    assert y is x
    assert [gradient is y_bar for gradient in vjp(y_bar)] == [True]
    with pytest.raises(ValueError, match=r"skips: expected 0 <= from < to <= 0, .* got \(0, 1\)"):
        skip(skips=[(0, 1)])


def test_nothing_is_changed_in_place():
    layers, _, x, thetas = network(0, 4, 2, 3)
    y_bar = x.copy()
    _, vjp = skip(*layers, skips=[(0, 1), (0, 2), (0, 4), (1, 4)])(x, *thetas)
    first = vjp(y_bar)[0].copy()
    assert np.array_equal(vjp(y_bar)[0], first)
    assert np.array_equal(y_bar, x)


both = pytest.mark.parametrize("make", [skip, trace_skip])


@both
@pytest.mark.parametrize("pair", [(1, 1), (2, 1), (-1, 1), (0, 3), (3, 4)])
def test_a_skip_leads_from_an_activation_to_a_later_one(make, pair):
    with pytest.raises(ValueError, match=rf"expected 0 <= from < to <= 2, .* got \({pair[0]}, {pair[1]}\)"):
        make(tanh, tanh, skips=[pair])


@both
def test_a_skip_that_occurs_twice(make):
    with pytest.raises(ValueError, match=r"skips: expected each pair once, got \(0, 2\) twice"):
        make(tanh, tanh, skips=[(0, 2), (0, 1), (0, 2)])


@both
@pytest.mark.parametrize("skips", [[1], [(0, 1, 2)], ["01"], [(0,)]])
def test_skips_that_are_no_pairs(make, skips):
    with pytest.raises(TypeError, match=r"skips: expected pairs \(from, to\), got"):
        make(tanh, tanh, skips=skips)


@both
@pytest.mark.parametrize("pair", [(0.0, 1), (False, 1), (0, None)])
def test_skips_between_what_is_no_whole_number(make, pair):
    with pytest.raises(TypeError, match="skips: expected whole numbers, got"):
        make(tanh, tanh, skips=[pair])


@both
@pytest.mark.parametrize("width", [2, 1], ids=["narrower", "one that numpy would broadcast"])
def test_a_skip_between_two_shapes_is_named(make, width):
    f = make(tanh, linear, skips=[(0, 2)])
    message = (
        r"expected two arrays of one shape at the skip \(0, 2\); "
        rf"got x_0 \(4, 3\), layers\[1\]\(x_1\) \(4, {width}\)"
    )
    with pytest.raises(ValueError, match=message):
        f(np.ones((4, 3)), (), (np.ones((3, width)), np.ones(width)))


@both
def test_a_skip_between_two_dtypes_is_refused(make):
    def widened(x):
        return x.astype(np.float64), None

    with pytest.raises(
        TypeError, match=r"layers\[0\]\(x_0\): expected the dtype of x_0, float32, got float64"
    ):
        make(widened, skips=[(0, 1)])(np.ones(2, np.float32), ())


@both
def test_layers_may_change_the_shape_where_no_skip_passes(make):
    f = make(linear, tanh, skips=[(1, 2)])
    _, vjp = f(np.ones((4, 3)), (np.ones((3, 2)), np.zeros(2)), ())
    x_bar = vjp(np.ones((4, 2)))[0]
    assert np.shape(x_bar if make is skip else x_bar[0]) == (4, 3)


@both
def test_a_layer_whose_gradient_does_not_fit(make):
    def wrong(x):
        return x.copy(), lambda y_bar: (y_bar.sum(axis=0),)

    _, vjp = make(wrong, skips=[(0, 1)])(np.ones((4, 3)), ())
    with pytest.raises(ValueError, match=r"x_bar from layers\[0\]: expected shape \(4, 3\), got \(3,\)"):
        vjp(np.ones((4, 3)))


@both
def test_a_gradient_that_does_not_fit(make):
    layers, skips, x, thetas = network(0, 2, 2, 3)
    _, vjp = make(*layers, skips=skips)(x, *thetas)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(3,\)"):
        vjp(np.ones(3))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(x.astype(np.float32))


@both
def test_parameters_that_do_not_fit(make):
    layers, skips, x, thetas = network(0, 2, 2, 3)
    f = make(*layers, skips=skips)
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 layers, got 1"):
        f(x, thetas[0])
    with pytest.raises(TypeError, match=r"thetas\[0\]: expected a tuple of parameters, got ndarray"):
        f(x, np.ones((4, 3, 3)), ())
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        f(x.astype(int), *thetas)


@both
def test_layers_that_are_no_functions(make):
    with pytest.raises(TypeError, match=r"layers\[0\]: expected a rule, got list"):
        make([tanh, tanh], skips=[])
