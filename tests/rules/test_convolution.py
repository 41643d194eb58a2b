from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp
from resgrad.rules import _rows
from resgrad.rules.convolution import avg_pool2d, conv2d, global_avg_pool2d, max_pool2d
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])
small = st.integers(1, 3)
pairs = st.tuples(small, small)


@st.composite
def convolutions(draw, dtype=None):
    """Arguments and settings that fit, some with a kernel that reaches over all of the padded image."""
    rng = np.random.default_rng(draw(seeds))
    dtype = dtype or draw(dtypes)
    groups, size, dilation = draw(st.integers(1, 3)), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    extra = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    least = [max(1, (k - 1) * d + 1 - 2 * p) for k, d, p in zip(size, dilation, padding, strict=True)]
    image = [n + more for n, more in zip(least, extra, strict=True)]
    c, m, N = draw(small), draw(small), draw(small)
    shapes = [(N, *image, groups * c), (*size, c, groups * m), (groups * m,)]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    return arrays, {"stride": draw(pairs), "padding": padding, "dilation": dilation, "groups": groups}


def by_definition(x, W, b, *, stride, padding, dilation, groups):
    """Every number of the output by itself."""
    (s, t), (p, q), (d, e) = stride, padding, dilation
    (N, H, width, _), (kh, kw, c, m) = x.shape, W.shape
    shape = (N, (H + 2 * p - (kh - 1) * d - 1) // s + 1, (width + 2 * q - (kw - 1) * e - 1) // t + 1, m)
    y = np.zeros(shape, x.dtype)
    for n, i, j, o in np.ndindex(shape):
        y[n, i, j, o] = b[o]
        part = o // (m // groups)
        for u, v in product(range(kh), range(kw)):
            row, column = i * s + u * d - p, j * t + v * e - q
            if 0 <= row < H and 0 <= column < width:
                y[n, i, j, o] += x[n, row, column, part * c : (part + 1) * c] @ W[u, v, :, o]
    return y


def image(rows):
    return np.array(rows, float)[None, :, :, None]


def test_by_hand():
    x, W = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), np.array([[1.0, 0.0], [0.0, 10.0]]).reshape(2, 2, 1, 1)
    y, vjp = conv2d(x, W, np.array([0.5]))
    assert y[0, :, :, 0].tolist() == [[51.5, 62.5], [84.5, 95.5]]  # tap by tap, the kernel not flipped
    x_bar, W_bar, b_bar = vjp(image([[1, 0], [0, 2]]))
    assert x_bar[0, :, :, 0].tolist() == [[1, 0, 0], [0, 12, 0], [0, 0, 20]]
    assert W_bar[:, :, 0, 0].tolist() == [[1 + 2 * 5, 2 + 2 * 6], [4 + 2 * 8, 5 + 2 * 9]]
    assert b_bar.tolist() == [3]


def test_pools_by_hand():
    x = image([[1, 5, 5], [2, 5, 0]])
    y, vjp = avg_pool2d(x, size=2, stride=1)
    assert y.ravel().tolist() == [13 / 4, 15 / 4]
    assert vjp(np.array([4.0, 8.0]).reshape(y.shape))[0][0, :, :, 0].tolist() == [[1, 3, 2], [1, 3, 2]]
    y, vjp = max_pool2d(x, size=2, stride=1)
    assert y.ravel().tolist() == [5, 5]
    assert vjp(np.array([4.0, 8.0]).reshape(y.shape))[0][0, :, :, 0].tolist() == [[0, 12, 0], [0, 0, 0]]


def test_global_average_by_hand():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    y, vjp = global_avg_pool2d(x)
    assert y.tolist() == [[5, 6]]
    (x_bar,) = vjp(np.array([[6.0, 12.0]]))
    assert x_bar.reshape(-1, 2).tolist() == [[1, 2]] * 6
    x_bar[0, 0, 0] = 0  # the caller's own
    assert vjp(np.array([[6.0, 12.0]]))[0].reshape(-1, 2).tolist() == [[1, 2]] * 6


@given(convolutions(np.float64))
def test_the_value_is_that_of_the_definition(case):
    arrays, settings = case
    assert agree(conv2d(*arrays, **settings)[0], by_definition(*arrays, **settings))


@given(convolutions())
def test_the_vjp_is_that_of_the_value(case):
    arrays, settings = case
    check_vjp(conv2d, *arrays, rng=np.random.default_rng(0), **settings)


@given(convolutions(np.float64))
def test_how_many_images_are_taken_at_a_time_changes_nothing(case):
    arrays, settings = case
    results = []
    for size in (1, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_rows, "SLAB", size)
            y, vjp = conv2d(*arrays, **settings)
            results.append((y, *vjp(y)))
    assert all(agree(one, all_) for one, all_ in zip(*results, strict=True))


def whole_numbers(seed, *shapes):
    """Products and sums of these are exact, so that results can be compared bit by bit."""
    rng = np.random.default_rng(seed)
    return [rng.integers(-8, 9, shape).astype(np.float32) for shape in shapes]


@given(seeds, small, small, small, small, small)
def test_one_by_one_is_linear_at_every_pixel(seed, N, H, width, c, m):
    x, W, b, y_bar = whole_numbers(seed, (N, H, width, c), (1, 1, c, m), (m,), (N, H, width, m))
    y, vjp = conv2d(x, W, b)
    pixels, linear_vjp = linear(x.reshape(-1, c), W[0, 0], b)
    assert np.array_equal(y, pixels.reshape(y.shape))
    for ours, theirs in zip(vjp(y_bar), linear_vjp(y_bar.reshape(-1, m)), strict=True):
        assert np.array_equal(ours.ravel(), theirs.ravel())


@pytest.mark.parametrize(("H", "zero"), [(8, 3 / 4), (7, 1 - 16 / 49)])
def test_a_one_by_one_kernel_of_stride_two_leaves_most_pixels_without_a_gradient(H, zero):
    x = np.ones((1, H, H, 2))
    y, vjp = conv2d(x, np.ones((1, 1, 2, 3)), np.zeros(3), stride=2)
    assert (vjp(np.ones_like(y))[0] == 0).mean() == pytest.approx(zero)


def test_groups_are_separate_convolutions():
    x, W, b, y_bar = whole_numbers(1, (2, 5, 4, 6), (3, 2, 2, 9), (9,), (2, 3, 3, 9))
    y, vjp = conv2d(x, W, b, groups=3)
    x_bar, W_bar, b_bar = vjp(y_bar)
    for g in range(3):
        seen, made = slice(2 * g, 2 * g + 2), slice(3 * g, 3 * g + 3)
        part, part_vjp = conv2d(x[..., seen], W[..., made], b[made])
        assert np.array_equal(y[..., made], part)
        bars = part_vjp(y_bar[..., made])
        expected = x_bar[..., seen], W_bar[..., made], b_bar[made]
        assert all(map(np.array_equal, bars, expected))


def test_one_number_stands_for_both_axes():
    x, W, b = whole_numbers(2, (1, 9, 8, 2), (3, 2, 2, 2), (2,))
    one = conv2d(x, W, b, stride=2, padding=1, dilation=2)[0]
    two = conv2d(x, W, b, stride=[2, 2], padding=(np.int64(1), 1), dilation=(2, 2))[0]
    assert np.array_equal(one, two)


def test_no_image_and_arrays_that_are_views():
    x, W, b = whole_numbers(3, (4, 6, 5, 3), (3, 2, 3, 4), (4,))
    y, vjp = conv2d(x[:0], W, b)
    x_bar, W_bar, b_bar = vjp(y)
    assert (y.shape, x_bar.shape) == ((0, 4, 4, 4), (0, 6, 5, 3))
    assert not W_bar.any()
    assert not b_bar.any()
    turned = [np.asfortranarray(x)[::-1], W[::-1, :, :, ::-1], b[::-1]]
    y, vjp = conv2d(*turned)
    straight, straight_vjp = conv2d(*map(np.ascontiguousarray, turned))
    assert np.array_equal(y, straight)
    assert all(map(np.array_equal, vjp(y[:, ::-1]), straight_vjp(y[:, ::-1].copy())))


def test_the_vjp_keeps_x_itself():
    x, W, b = whole_numbers(4, (2, 5, 5, 3), (3, 3, 3, 2), (2,))
    _, vjp = conv2d(x, W, b, padding=1)
    kept = [cell.cell_contents for cell in vjp.__closure__ if isinstance(cell.cell_contents, np.ndarray)]
    assert all(array is x or np.shares_memory(array, W) for array in kept)


@pytest.mark.parametrize("name", ["stride", "padding", "dilation", "groups"])
@pytest.mark.parametrize("value", [True, 1.0, "1", None, (1.0, 1)])
def test_a_setting_that_is_no_whole_number(name, value):
    with pytest.raises(TypeError, match=f"{name}: expected (a )?whole number"):
        conv2d(np.ones((1, 4, 4, 2)), np.ones((2, 2, 2, 2)), np.ones(2), **{name: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 0}, "stride: expected a whole number >= 1 or a pair of them, got 0"),
        ({"stride": (1, -1)}, r"stride: expected .* got \(1, -1\)"),
        ({"stride": (1, 1, 1)}, r"stride: expected .* got \(1, 1, 1\)"),
        ({"dilation": 0}, "dilation: expected a whole number >= 1"),
        ({"padding": -1}, "padding: expected a whole number >= 0"),
        ({"groups": 0}, "groups: expected a whole number >= 1, got 0"),
        ({"groups": 3}, r"C_in of x = 3 times that of W, .* got x \(1, 4, 5, 2\), W \(2, 3, 2, 2\)"),
        (
            {"dilation": (4, 1)},
            r"W that fits: it reaches over 5 x 3 pixels of 4 x 5; got x \(1, 4, 5, 2\), W",
        ),
        ({"dilation": (1, 3), "padding": (1, 0)}, "it reaches over 2 x 7 pixels of 6 x 5"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        conv2d(np.ones((1, 4, 5, 2)), np.ones((2, 3, 2, 2)), np.ones(2), **settings)


@pytest.mark.parametrize(
    ("x", "W", "b", "groups"),
    [
        ((4, 4, 2), (2, 2, 2, 2), (2,), 1),
        ((1, 4, 4, 2), (2, 2, 2), (2,), 1),
        ((1, 4, 4, 2), (2, 2, 2, 2), (2, 1), 1),
        ((1, 4, 4, 2), (2, 2, 2, 2), (3,), 1),
        ((1, 4, 4, 2), (0, 2, 2, 2), (2,), 1),
        ((1, 4, 4, 3), (2, 2, 2, 2), (2,), 1),
        ((1, 4, 4, 4), (2, 2, 2, 3), (3,), 2),
    ],
    ids=["x of 3 axes", "W of 3 axes", "b of 2 axes", "b of another width", "no tap", "channels", "groups"],
)
def test_shapes_that_do_not_fit(x, W, b, groups):
    with pytest.raises(ValueError, match=r"expected .*; got x \(.*\), W \("):
        conv2d(np.ones(x), np.ones(W), np.ones(b), groups=groups)


def test_dtypes_that_do_not_fit():
    x, W, b = np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1)), np.ones(1)
    with pytest.raises(TypeError, match="W: expected the dtype of x, float64, got float32"):
        conv2d(x, W.astype(np.float32), b)
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        conv2d(x.astype(np.int64), W, b)
    for pool in (avg_pool2d, max_pool2d):
        with pytest.raises(TypeError, match=r"x: expected a .*floating dtype, got int64"):
            pool(x.astype(np.int64), size=2)
    with pytest.raises(TypeError, match="x: expected a real floating dtype, got complex128"):
        max_pool2d(x + 0j, size=2)
    with pytest.raises(TypeError, match="x: expected a numpy array, got list"):
        global_avg_pool2d([1.0])


RULES = {
    "conv2d": (conv2d, (np.ones((2, 2, 3, 1)), np.ones(1)), {}),
    "avg": (avg_pool2d, (), {"size": 2, "stride": 1}),
    "max": (max_pool2d, (), {"size": 2, "stride": 1}),
    "global": (global_avg_pool2d, (), {}),
}


@pytest.mark.parametrize(("rule", "parameters", "settings"), RULES.values(), ids=RULES)
def test_a_gradient_that_does_not_fit(rule, parameters, settings):
    y, vjp = rule(np.ones((2, 4, 4, 3)), *parameters, **settings)
    with pytest.raises(ValueError, match="y_bar: expected shape"):
        vjp(np.ones(y.shape[1:]))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.ones(y.shape, np.float32))


@st.composite
def poolings(draw):
    size = draw(pairs)
    padding = tuple(draw(st.integers(0, k - 1)) for k in size)
    image = [draw(st.integers(max(1, k - 2 * p), k + 4)) for k, p in zip(size, padding, strict=True)]
    settings = {"size": size, "padding": padding}
    if draw(st.booleans()):
        settings["stride"] = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return (draw(small), *image, draw(small)), settings


def windows(x, *, size, padding, stride=None):
    """For each output its place, and the pixels of its window that lie in the image."""
    stride = stride or size
    counts = [
        (n + 2 * p - k) // s + 1 for n, p, k, s in zip(x.shape[1:3], padding, size, stride, strict=True)
    ]
    for n, i, j, c in np.ndindex(len(x), *counts, x.shape[3]):
        rows, columns = (
            [a for a in range(at * s - p, at * s - p + k) if 0 <= a < length]
            for at, s, p, k, length in zip((i, j), stride, padding, size, x.shape[1:3], strict=True)
        )
        yield (n, i, j, c), [(n, a, b, c) for a, b in product(rows, columns)]


@given(seeds, poolings())
def test_pools_by_definition(seed, case):
    shape, settings = case
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, shape).astype(float)  # many ties
    (mean, mean_vjp), (largest, largest_vjp) = avg_pool2d(x, **settings), max_pool2d(x, **settings)
    y_bar, count = rng.standard_normal(mean.shape), settings["size"][0] * settings["size"][1]
    mean_bar, largest_bar = np.zeros(shape), np.zeros(shape)
    for place, pixels in windows(x, **settings):
        first = max(pixels, key=lambda pixel: x[pixel])  # `max` gives the first of equals
        assert largest[place] == x[first]
        assert mean[place] == sum(x[pixel] for pixel in pixels) / count
        largest_bar[first] += y_bar[place]
        for pixel in pixels:
            mean_bar[pixel] += y_bar[place] / count
    assert agree(mean_vjp(y_bar)[0], mean_bar)
    assert agree(largest_vjp(y_bar)[0], largest_bar)


@given(seeds, poolings(), st.sampled_from([np.float32, np.float64]))
def test_the_vjps_of_the_pools_are_those_of_the_values(seed, case, dtype):
    shape, settings = case
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.prod(shape)).reshape(shape).astype(dtype) / 8  # no ties within a step
    check_vjp(avg_pool2d, x, rng=rng, **settings)
    check_vjp(max_pool2d, x, rng=rng, **settings)
    check_vjp(global_avg_pool2d, x, rng=rng)
    check_vjp(avg_pool2d, (x + 1j * x).astype(np.complex128), rng=rng, **settings)


def test_an_average_is_a_convolution_of_each_channel_by_itself():
    (x,) = whole_numbers(5, (2, 7, 6, 3))
    W = np.full((2, 2, 1, 3), 0.25, np.float32)
    settings = {"stride": 2, "padding": 1}
    y, vjp = avg_pool2d(x, size=2, **settings)
    same, conv_vjp = conv2d(x, W, np.zeros(3, np.float32), groups=3, **settings)
    assert np.array_equal(y, same)
    assert np.array_equal(vjp(y)[0], conv_vjp(y)[0])


def test_padding_is_not_chosen_and_nan_is_not_hidden():
    low = image([[-np.inf, -np.inf], [-np.inf, -np.inf]])
    y, vjp = max_pool2d(low, size=2, padding=1)
    assert np.isneginf(y).all()
    assert vjp(np.ones_like(y))[0].tolist() == np.ones_like(low).tolist()
    y, _ = max_pool2d(image([[1, np.nan], [3, 2]]), size=2)
    assert np.isnan(y).all()


@pytest.mark.parametrize("pool", [avg_pool2d, max_pool2d])
def test_pooling_that_does_not_fit(pool):
    x = np.ones((1, 4, 5, 2))
    with pytest.raises(
        ValueError, match=r"size that fits: it reaches over 5 x 5 pixels of 4 x 5; got x \(1, 4"
    ):
        pool(x, size=5)
    with pytest.raises(ValueError, match=r"padding: expected less than size \(2, 3\), got 2"):
        pool(x, size=(2, 3), padding=2)
    with pytest.raises(ValueError, match=r"expected x \(N, H, W, C\); got x \(4, 5, 2\)"):
        pool(x[0], size=2)
    with pytest.raises(ValueError, match="size: expected a whole number >= 1"):
        pool(x, size=0)
    with pytest.raises(ValueError, match="stride: expected a whole number >= 1"):
        pool(x, size=2, stride=0)
    with pytest.raises(ValueError, match="padding: expected a whole number >= 0"):
        pool(x, size=2, padding=-1)
    with pytest.raises(TypeError, match="size: expected a whole number or a pair of them, got True"):
        pool(x, size=True)


def test_a_global_average_needs_a_pixel():
    for shape in [(1, 0, 3, 2), (4, 5, 2)]:
        with pytest.raises(ValueError, match=r"expected x \(N, H, W, C\) with a pixel; got x"):
            global_avg_pool2d(np.ones(shape))
