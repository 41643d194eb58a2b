"""The notebook's program, written again with arrays alone, gives the same quotients from the same draws."""

import numpy as np
import pytest

from resgrad import agree
from resgrad.lab.claims import DEPTHS, WIDTH, Quotients, quotients


class Layer:
    def __init__(self, rng):
        self.W = rng.randn(WIDTH, WIDTH) * np.sqrt(2 / WIDTH)

    def forward(self, x):
        self.x, self.z = x, self.W @ x
        return np.maximum(self.z, 0)

    def backward(self, g):
        g = g * (self.z > 0)
        self.length = np.linalg.norm(g @ self.x.T)
        return self.W.T @ g


def of_plain(layers, rng):
    x = rng.randn(WIDTH, 1)
    for layer in layers:
        x = layer.forward(x)
    g = np.ones_like(x)
    for layer in reversed(layers):
        g = layer.backward(g)
    return layers[0].length / (layers[-1].length + 1e-10)


def of_residual(layers, rng):
    first, *inside, last = layers
    pairs = list(zip(inside[::2], inside[1::2], strict=True))
    x = first.forward(rng.randn(WIDTH, 1))
    for one, two in pairs:
        x = two.forward(one.forward(x)) + x
    g = last.backward(np.ones_like(last.forward(x)))
    for one, two in reversed(pairs):
        g = one.backward(two.backward(g)) + g
    first.backward(g)
    return first.length / (last.length + 1e-10)


def program(seed):
    """All that the notebook draws, in its order."""
    rng = np.random.RandomState(seed)
    networks = [Layer(rng) for _ in range(10)], [Layer(rng) for _ in range(22)]
    of_plain(networks[0], rng), of_residual(networks[1], rng)
    rng.randn(30, WIDTH), rng.randn(WIDTH, 1), Layer(rng), Layer(rng)
    found = {}
    for depth in DEPTHS:
        networks = [Layer(rng) for _ in range(depth)], [Layer(rng) for _ in range(2 * depth + 2)]
        found[depth] = Quotients(of_plain(networks[0], rng), of_residual(networks[1], rng))
    return found


@pytest.mark.parametrize("seed", [0, 42])
def test_it_is_the_notebook_program(seed):
    for depth, expected in program(seed).items():
        assert agree(np.array(quotients(depth, seed)), np.array(expected))


def test_the_factor_is_plain_over_residual():
    assert Quotients(3.0, 2.0).factor == 1.5


def test_another_depth_is_refused():
    with pytest.raises(ValueError, match="depth must be one of"):
        quotients(7, 0)
