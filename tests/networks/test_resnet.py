import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.stack import stack, trace
from resgrad.measure.check import check_vjp
from resgrad.networks.resnet import IMAGENET, SHORTCUTS, cifar_resnet, count, imagenet_resnet, initial
from resgrad.rules.normalization import batch_norm

shortcuts = pytest.mark.parametrize("shortcut", SHORTCUTS)
SMALL = {"width": 2, "classes": 3}


def start(network, shape, seed=0, dtype=np.float64):
    """A network's blocks, images of noise, and its parameters, gains and shifts too away from one and zero."""
    (blocks, shapes), rng = network, np.random.default_rng(seed)
    thetas = moved(initial(shapes, rng=rng, dtype=dtype), rng)
    return blocks, rng.standard_normal(shape).astype(dtype), thetas


def moved(part, rng):
    if isinstance(part, tuple):
        return tuple(moved(inner, rng) for inner in part)
    return part + (0.1 * rng.standard_normal(part.shape)).astype(part.dtype) if part.ndim == 1 else part


def leaves(part):
    return [leaf for inner in part for leaf in leaves(inner)] if isinstance(part, tuple) else [part]


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(20, 269722), (32, 464154), (44, 658586), (56, 853018), (110, 1727962), (1202, 19421274)],
)
def test_the_counts_for_small_images(depth, parameters):
    blocks, shapes = cifar_resnet(depth)
    assert len(blocks) == len(shapes) == (depth - 2) // 2 + 2
    assert count(shapes) == parameters


@pytest.mark.parametrize(
    ("depth", "parameters", "without"),
    [
        (18, 11689512, 11515688),
        (34, 21797672, 21623848),
        (50, 25557032, 22780456),
        (101, 44549160, 41772584),
        (152, 60192808, 57416232),
    ],
)
def test_the_counts_for_large_images(depth, parameters, without):
    for stride_in in ("1x1", "3x3"):
        assert count(imagenet_resnet(depth, stride_in=stride_in)[1]) == parameters
    assert count(imagenet_resnet(depth, shortcut="zero-pad")[1]) == without


def kernels(shapes):
    """How many layers have weights, those on shortcuts left out."""
    if shapes and isinstance(shapes[0], int):
        return int(len(shapes) > 1)
    if len(shapes) == 2 and all(isinstance(path, tuple) for path in shapes) and is_two_paths(shapes):
        return kernels(shapes[0])
    return sum(map(kernels, shapes))


def is_two_paths(shapes):
    """A branch of five layers or more beside a shortcut of none or two."""
    return len(shapes[0]) >= 5 and len(shapes[1]) in (0, 2) and isinstance(shapes[0][0], tuple)


@shortcuts
def test_the_depth_counts_the_layers_with_weights(shortcut):
    for depth in (8, 20, 110):
        assert kernels(cifar_resnet(depth, shortcut=shortcut)[1]) == depth
    for depth in IMAGENET:
        assert kernels(imagenet_resnet(depth, shortcut=shortcut)[1]) == depth


def test_the_count_of_a_small_network_by_hand():
    stem, head = 27 * 2 + 4, 8 * 3 + 3
    stages = sum(9 * c * w + 9 * w * w + 4 * w for c, w in ((2, 2), (2, 4), (4, 8)))
    assert count(cifar_resnet(8, **SMALL)[1]) == stem + stages + head
    projections = 2 * 4 + 2 * 4 + 4 * 8 + 2 * 8
    assert count(cifar_resnet(8, shortcut="projection", **SMALL)[1]) == stem + stages + head + projections


def test_parameters_are_counted_like_their_shapes():
    shapes = cifar_resnet(8, **SMALL)[1]
    thetas = initial(shapes, rng=np.random.default_rng(0))
    assert count(thetas) == count(shapes) == sum(leaf.size for leaf in leaves(thetas))
    assert count(()) == 0


def assert_that_the_vjp_is_that_of_the_value(network, shape, seed=0):
    """Along one direction in all arguments at once: `check_vjp` would move each of thousands of parameters."""
    blocks, x, thetas = start(network, shape, seed)
    f, rng = stack(*blocks), np.random.default_rng(seed)
    y, vjp = f(x, *thetas)
    y_bar = rng.standard_normal(y.shape)
    direction = [rng.standard_normal(leaf.shape) for leaf in (x, *leaves(thetas))]
    bars = leaves(vjp(y_bar))
    terms = [(bar * d).sum() for bar, d in zip(bars, direction, strict=True)]
    step = 1e-8
    ends = [f(*shifted((x, *thetas), iter(direction), sign * step))[0] for sign in (1, -1)]
    change = (y_bar * (ends[0] - ends[1])).sum() / (2 * step)
    # Rounding over the step is 1e-8; a larger step crosses kinks, of which a network of fifty layers has many.
    assert abs(sum(terms) - change) <= 1e-6 * sum(map(abs, terms))


def shifted(part, direction, step):
    if isinstance(part, tuple):
        return tuple(shifted(inner, direction, step) for inner in part)
    return part + step * next(direction)


@shortcuts
@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(5, 9), st.sampled_from([8, 14]))
def test_the_vjp_for_small_images_is_that_of_the_value(shortcut, seed, side, depth):
    network = cifar_resnet(depth, shortcut=shortcut, **SMALL)
    assert_that_the_vjp_is_that_of_the_value(network, (2, side, side + 1, 3), seed)


@shortcuts
@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("stride_in", ["1x1", "3x3"])
def test_the_vjp_for_large_images_is_that_of_the_value(shortcut, depth, stride_in):
    network = imagenet_resnet(depth, shortcut=shortcut, stride_in=stride_in, **SMALL)
    assert_that_the_vjp_is_that_of_the_value(network, (2, 47, 65, 3))


@shortcuts
def test_every_kind_of_block_keeps_the_contract(shortcut):
    blocks, x, thetas = start(cifar_resnet(8, shortcut=shortcut, width=1, classes=2), (2, 3, 4, 1))
    for block, theta, channels in zip(blocks[1:4], thetas[1:4], (1, 1, 2), strict=True):
        at = np.concatenate([x] * channels, axis=3)
        check_vjp(block, at, *theta, rng=np.random.default_rng(0))


def test_single_precision_goes_through():
    blocks, x, thetas = start(cifar_resnet(8, **SMALL), (2, 8, 8, 3), dtype=np.float32)
    y, vjp = stack(*blocks)(x, *thetas)
    assert {array.dtype for array in (y, *leaves(vjp(y)))} == {np.dtype(np.float32)}


@shortcuts
def test_the_sides_halve_and_the_channels_double_for_small_images(shortcut):
    blocks, x, thetas = start(cifar_resnet(14, shortcut=shortcut), (2, 32, 31, 3))
    xs, pull = trace(*blocks)(x, *thetas)
    stages = [(2, 32, 31, 16)] * 3 + [(2, 16, 16, 32)] * 2 + [(2, 8, 8, 64)] * 2
    assert [x_l.shape for x_l in xs] == [x.shape, *stages, (2, 10)]
    assert [x_bar.shape for x_bar in pull(xs[-1])[0]] == [x_l.shape for x_l in xs]


def test_the_stem_divides_the_sides_of_large_images_by_four():
    blocks, x, thetas = start(imagenet_resnet(50, width=4), (1, 224, 224, 3))
    xs, _ = trace(*blocks)(x, *thetas)
    sides = [56] * 4 + [28] * 4 + [14] * 6 + [7] * 3
    channels = [4] + [16] * 3 + [32] * 4 + [64] * 6 + [128] * 3
    assert [x_l.shape for x_l in xs[1:-1]] == [
        (1, side, side, c) for side, c in zip(sides, channels, strict=True)
    ]
    assert xs[-1].shape == (1, 1000)


def silenced(thetas):
    """The last gain of each branch set to zero: F(x) = 0."""
    stem, *inner, head = thetas
    return stem, *[(without_gain(added), ()) for added, _ in inner], head


def without_gain(added):
    branch, rest = (added[0], added[1:]) if len(added) == 2 else (added, ())
    gamma, beta = branch[-1]
    silent = *branch[:-1], (0 * gamma, 0 * beta)
    return (silent, *rest) if rest else silent


def test_with_silent_branches_a_pixel_in_four_goes_through():
    blocks, x, thetas = start(cifar_resnet(14, **SMALL), (2, 8, 8, 3))
    xs, pull = trace(*blocks)(x, *silenced(thetas))
    x_bars, _ = pull(np.ones((2, 3)))
    assert np.array_equal(xs[3], xs[1])  # what leaves the stem is not negative
    assert np.array_equal(xs[7][..., :2], xs[1][:, ::4, ::4])
    assert not xs[7][..., 2:].any()
    expected = np.zeros_like(xs[1])
    expected[:, ::4, ::4] = (x_bars[7] * (xs[7] > 0))[..., :2]
    assert np.array_equal(x_bars[1], expected)


@pytest.mark.parametrize(("stride_in", "share"), [("1x1", 3 / 4), ("3x3", 0)])
def test_a_stride_in_the_first_convolution_leaves_pixels_without_a_gradient(stride_in, share):
    blocks, x, thetas = start(imagenet_resnet(50, stride_in=stride_in, **SMALL), (2, 64, 64, 3))
    _, pull = trace(*blocks)(x, *thetas)
    x_bars, _ = pull(np.ones((2, 3)))
    for last in (4, 8):  # of the first two stages; the sides are 16 and 8
        assert (~x_bars[last].any(axis=(0, 3))).mean() == share


def test_the_start():
    shapes = cifar_resnet(20)[1]
    thetas = initial(shapes, rng=np.random.default_rng(5), dtype=np.float32)
    again = initial(shapes, rng=np.random.default_rng(5), dtype=np.float32)
    assert all(map(np.array_equal, leaves(thetas), leaves(again)))
    assert {leaf.dtype for leaf in leaves(thetas)} == {np.dtype(np.float32)}
    (kernel,), (gamma, beta), _ = thetas[0]
    assert (gamma == 1).all()
    assert (beta == 0).all()
    for W in (leaf for leaf in leaves(thetas) if leaf.ndim > 1):
        # the square's mean is 2 / fan_in within five standard deviations, sqrt(2 / size) of it each
        error = (W.astype(float) ** 2).mean() * math.prod(W.shape[:-1]) / 2 - 1
        assert abs(error) < 5 * math.sqrt(2 / W.size)
    assert kernel.shape == (3, 3, 3, 16)
    assert [b.tolist() for b in leaves(thetas[-1])[1:]] == [[0.0] * 10]


def test_nothing_is_changed_in_place():
    blocks, x, thetas = start(cifar_resnet(8, shortcut="projection", **SMALL), (2, 8, 8, 3))
    before = [leaf.copy() for leaf in (x, *leaves(thetas))]
    y, vjp = stack(*blocks)(x, *thetas)
    first = [bar.copy() for bar in leaves(vjp(y))]
    assert all(map(np.array_equal, first, leaves(vjp(y))))
    assert all(map(np.array_equal, before, (x, *leaves(thetas))))


@pytest.mark.parametrize("depth", [2, 9, 21, 7])
def test_a_depth_that_no_network_for_small_images_has(depth):
    with pytest.raises(ValueError, match=rf"depth: expected 6n \+ 2 with n >= 1, got {depth}"):
        cifar_resnet(depth)


def test_a_depth_that_no_network_for_large_images_has():
    with pytest.raises(ValueError, match=r"depth: expected one of \[18, 34, 50, 101, 152\], got 20"):
        imagenet_resnet(20)


@pytest.mark.parametrize(("make", "depth"), [(cifar_resnet, 20), (imagenet_resnet, 50)])
def test_settings_that_do_not_fit(make, depth):
    with pytest.raises(
        ValueError, match=r"shortcut: expected one of \('zero-pad', 'projection'.*\), got 'A'"
    ):
        make(depth, shortcut="A")
    for name in ("width", "classes", "colours"):
        with pytest.raises(ValueError, match=f"{name}: expected a whole number >= 1, got 0"):
            make(depth, **{name: 0})
        with pytest.raises(TypeError, match=f"{name}: expected a whole number, got float"):
            make(depth, **{name: 2.0})
    with pytest.raises(TypeError, match="depth: expected a whole number, got bool"):
        make(True)


def test_without_shortcuts_the_layers_and_their_parameters_are_those_of_the_zero_padded_network():
    blocks, shapes = cifar_resnet(14, shortcut="none", **SMALL)
    assert count(shapes) == count(cifar_resnet(14, **SMALL)[1])
    assert kernels(shapes) == 14
    # With a gain of 0 and a shift of 1 behind its branch, nothing of x comes through a block.
    _, x, thetas = start((blocks, shapes), (2, 8, 8, 3))
    *branch, (gain, shift) = thetas[1][0]
    y, vjp = blocks[1](blocks[0](x, *thetas[0])[0], (*branch, (0 * gain, 0 * shift + 1)), ())
    assert (y == 1).all()
    assert not vjp(np.ones_like(y))[0].any()


def test_large_images_are_for_networks_with_shortcuts():
    with pytest.raises(ValueError, match="shortcut: expected one of"):
        imagenet_resnet(18, shortcut="none")


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_the_vjp_without_shortcuts_is_that_of_the_value(seed):
    network = cifar_resnet(14, shortcut="none", **SMALL)
    assert_that_the_vjp_is_that_of_the_value(network, (2, 8, 9, 3), seed)


def test_the_normalisation_is_the_one_that_is_given():
    plain = cifar_resnet(8, shortcut="projection", **SMALL)
    calls = []

    def norm(x, gamma, beta):
        calls.append(x.shape)
        return batch_norm(x, gamma, beta, eps=1e-5)

    blocks, shapes = cifar_resnet(8, shortcut="projection", norm=norm, **SMALL)
    _, x, thetas = start(plain, (2, 8, 8, 3))
    assert shapes == plain[1]
    assert np.array_equal(stack(*blocks)(x, *thetas)[0], stack(*plain[0])(x, *thetas)[0])
    assert len(calls) == 1 + 3 * 2 + 2


def test_a_place_for_the_stride_that_is_unknown():
    with pytest.raises(ValueError, match="stride_in: expected '1x1' or '3x3', got '7x7'"):
        imagenet_resnet(50, stride_in="7x7")


def test_images_that_do_not_fit():
    blocks, x, thetas = start(cifar_resnet(8, **SMALL), (2, 8, 8, 3))
    f = stack(*blocks)
    with pytest.raises(ValueError, match=r"expected C_in of x .*; got x \(2, 8, 8, 1\), W \(3, 3, 3, 2\)"):
        f(x[..., :1], *thetas)
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        f(x.astype(int), *thetas)
    with pytest.raises(ValueError, match="two values or more to normalise together, got 1"):
        f(x[:1, :4, :4], *thetas)  # one pixel of one image in the last stage
    with pytest.raises(ValueError, match="expected one tuple for each of 5 blocks, got 4"):
        f(x, *thetas[:-1])
