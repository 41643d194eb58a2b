"""The five orders: by hand, against the definition, and what each does to the gradient of the skip."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.order import (
    activation_before_addition,
    activation_only_preactivation,
    full_preactivation,
    norm_after_addition,
    original,
)
from resgrad.blocks.stack import stack
from resgrad.measure.check import agree, check_vjp
from resgrad.rules.activation import relu, tanh
from resgrad.rules.convolution import conv2d
from resgrad.rules.linear import linear
from resgrad.rules.normalization import batch_norm, layer_norm

ORDERS = {
    "original": original,
    "norm after": norm_after_addition,
    "activation before": activation_before_addition,
    "activation only": activation_only_preactivation,
    "full": full_preactivation,
}
orders = pytest.mark.parametrize("order", ORDERS)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)


def sequence(order, weight, norm):
    """The same entries, for layers or for parameters, in the order in which they are computed."""
    one = {"activation only": [(), weight, norm], "full": [norm, (), weight]}
    return one.get(order, [weight, norm, ()])


def parameters(order, rng, shapes, n, dtype=np.float64):
    """One tuple for each layer, of so many weight layers with these shapes."""

    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)

    thetas = []
    for shape in shapes:
        weight = draw(*shape), draw(shape[-1])
        width = shape[-2] if order == "full" else shape[-1]
        thetas += sequence(order, weight, (draw(width), draw(width)))
    return thetas


def theirs(order, x, weights, norms, eps):
    """The block of the paper, by hand: two weight layers W, their normalisations and ReLUs."""

    def B(x, gain, shift):
        return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) * gain + shift

    def phi(x):
        return np.maximum(x, 0)

    (W1, b1), (W2, b2) = weights
    one, two = norms
    if order == "full":
        return x + phi(B(phi(B(x, *one)) @ W1 + b1, *two)) @ W2 + b2
    if order == "activation only":
        return x + B(phi(B(phi(x) @ W1 + b1, *one)) @ W2 + b2, *two)
    inner = phi(B(x @ W1 + b1, *one)) @ W2 + b2
    return {
        "original": lambda: phi(x + B(inner, *two)),
        "norm after": lambda: phi(B(x + inner, *two)),
        "activation before": lambda: x + phi(B(inner, *two)),
    }[order]()


@orders
@given(seeds, st.integers(2, 5), sizes, sizes)
def test_the_value_is_that_of_the_paper(order, seed, N, n, h):
    rng = np.random.default_rng(seed)
    thetas = parameters(order, rng, [(n, h), (h, n)], n)
    x, eps = rng.standard_normal((N, n)), 0.1
    block = ORDERS[order](linear, linear, norm=partial(batch_norm, eps=eps), activation=relu)
    weights = [theta for theta in thetas if theta and theta[0].ndim == 2]
    norms = [theta for theta in thetas if theta and theta[0].ndim == 1]
    assert agree(block(x, *thetas)[0], theirs(order, x, weights, norms, eps))


@orders
@given(seeds, st.integers(2, 4), sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(order, seed, N, n, h, dtype):
    rng = np.random.default_rng(seed)
    block = ORDERS[order](linear, linear, norm=partial(batch_norm, eps=0.5), activation=tanh)
    x = rng.standard_normal((N, n)).astype(dtype)
    # A real part alone: the variance of complex numbers can come near to minus eps.
    thetas = [
        tuple(p.real.astype(dtype) for p in t) for t in parameters(order, rng, [(n, h), (h, n)], n, dtype)
    ]
    check_vjp(block, x.real.astype(dtype), *thetas, rng=rng)


@orders
def test_any_weight_layer_will_do_and_any_number_of_them(order):
    rng = np.random.default_rng(3)
    weights = linear, linear, linear
    norm = partial(layer_norm, eps=0.5)
    thetas = parameters(order, rng, [(4, 2), (2, 3), (3, 4)], 4)
    block = ORDERS[order](*weights, norm=norm, activation=tanh)
    check_vjp(block, rng.standard_normal((2, 4)), *thetas, rng=rng)
    # a bottleneck of convolutions
    kernels = partial(conv2d, padding=0), partial(conv2d, padding=1), partial(conv2d, padding=0)
    thetas = parameters(order, rng, [(1, 1, 3, 2), (3, 3, 2, 2), (1, 1, 2, 3)], 3)
    block = ORDERS[order](*kernels, norm=partial(batch_norm, eps=0.5), activation=tanh)
    check_vjp(block, rng.standard_normal((2, 3, 4, 3)), *thetas, rng=rng)


SKIPS = {
    "original": [0, 6, 6],
    "norm after": [0, -1, 1],
    "activation before": [6, 6, 6],
    "activation only": [6, 6, 6],
    "full": [6, 6, 6],
}


@orders
def test_what_the_skip_brings_back_by_hand(order):
    """Branches that write zero, and the numbers of the page's diagram."""
    x, y_bar = np.array([[-1.0], [1.0], [3.0]]), np.full((3, 1), 6.0)
    block = ORDERS[order](linear, linear, norm=partial(batch_norm, eps=4 / 3), activation=relu)
    zero, one, off = (np.zeros((1, 1)), np.zeros(1)), (np.ones(1), np.zeros(1)), (np.zeros(1), np.zeros(1))
    last = one if order in ("norm after", "full") else off
    y, vjp = block(x, *sequence(order, zero, one), *sequence(order, zero, last))
    written = {"original": [0, 1, 3], "norm after": [0, 0, 1]}
    np.testing.assert_allclose(y.ravel(), written.get(order, [-1, 1, 3]), atol=1e-15)
    np.testing.assert_allclose(vjp(y_bar)[0].ravel(), SKIPS[order], atol=1e-14)


def test_the_first_three_take_the_same_parameters():
    rng = np.random.default_rng(5)
    thetas, x = parameters("original", rng, [(3, 3), (3, 3)], 3), rng.standard_normal((4, 3))
    values = [
        ORDERS[order](linear, linear, norm=partial(batch_norm, eps=0.1), activation=relu)(x, *thetas)[0]
        for order in ("original", "norm after", "activation before")
    ]
    assert not any(agree(values[i], values[j], rtol=1e-3) for i, j in [(0, 1), (0, 2), (1, 2)])


@orders
def test_no_normalisation_is_an_empty_stack(order):
    rng = np.random.default_rng(2)
    x, theta = rng.standard_normal((3, 4)), (rng.standard_normal((4, 4)), rng.standard_normal(4))
    y, _ = ORDERS[order](linear, norm=stack(), activation=relu)(x, *sequence(order, theta, ()))
    W, b = theta
    expected = {
        "original": lambda: np.maximum(x + x @ W + b, 0),  # a plain layer with weights W + I
        "norm after": lambda: np.maximum(x + x @ W + b, 0),
        "activation before": lambda: x + np.maximum(x @ W + b, 0),
    }.get(order, lambda: x + np.maximum(x, 0) @ W + b)()
    assert agree(y, expected)


@orders
def test_bad_layers(order):
    make = partial(ORDERS[order], norm=partial(batch_norm, eps=0.1), activation=relu)
    with pytest.raises(ValueError, match="weights: expected one weight layer or more, got none"):
        make()
    with pytest.raises(TypeError, match=r"layer \d: expected a rule, got list"):
        make([linear, linear])
    with pytest.raises(TypeError, match=r"layer \d: expected a rule, got NoneType"):
        ORDERS[order](linear, norm=None, activation=relu)


@orders
def test_bad_input(order):
    rng = np.random.default_rng(0)
    block = ORDERS[order](linear, linear, norm=partial(batch_norm, eps=0.1), activation=relu)
    x, thetas = rng.standard_normal((4, 3)), parameters(order, rng, [(3, 2), (2, 3)], 3)
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 6 layers, got 5"):
        block(x, *thetas[:5])
    with pytest.raises(TypeError, match=r"thetas\[5\]: expected a tuple of parameters, got ndarray"):
        block(x, *thetas[:5], np.ones(3))
    with pytest.raises(TypeError, match="expected the dtype of x, float32, got float64"):
        block(x.astype(np.float32), *thetas)
    with pytest.raises(ValueError, match=r"expected F\(x\) of x's shape; got x \(4, 3\), Fx \(4, 2\)"):
        block(x, *parameters(order, rng, [(3, 2), (2, 2)], 3))
    y, vjp = block(x, *thetas)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(4, 3\), got \(3,\)"):
        vjp(y[0])
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(y.astype(np.float32))
