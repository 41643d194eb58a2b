import numpy as np
import pytest

from resgrad.blocks.stack import stack, trace
from resgrad.lab.resnet import Setting, run
from resgrad.networks.resnet import cifar_resnet, initial
from resgrad.rules.loss import cross_entropy

SMALL = Setting(depth=14, images=2, side=9, width=2)


def by_hand(setting, seed):
    """The network's parts cut apart: each block run by itself, and its skip as sums over pixels."""
    rng = np.random.default_rng(seed)
    blocks, shapes = cifar_resnet(setting.depth, width=setting.width)
    x = rng.standard_normal((setting.images, setting.side, setting.side, 3))
    thetas = initial(shapes, rng=rng)
    xs, _ = trace(*blocks)(x, *thetas)
    labels = rng.integers(10, size=setting.images)
    for k in range(1, len(blocks)):
        rest = stack(*blocks[k:])
        scores, vjp = rest(xs[k], *thetas[k:])
        yield xs[k], vjp(cross_entropy(scores, labels=labels)[1](1.0)[0])[0]


def test_the_lengths_are_those_of_the_rest_of_the_network():
    start = run(SMALL, 3)
    _, x_bars = zip(*by_hand(SMALL, 3), strict=True)
    lengths = np.array([np.linalg.norm(x_bar) for x_bar in x_bars])
    assert np.allclose(start.norms, lengths / lengths[-1], rtol=1e-12, atol=0)


def test_the_parts_of_a_block_by_hand():
    start = run(SMALL, 3)
    xs, x_bars = zip(*by_hand(SMALL, 3), strict=True)
    end = np.linalg.norm(x_bars[-1])
    for k, (x, y, x_bar, y_bar) in enumerate(zip(xs, xs[1:], x_bars, x_bars[1:], strict=False)):
        z_bar = np.where(y > 0, y_bar, 0)
        skip = z_bar
        if x.shape != y.shape:
            skip = np.zeros_like(x)
            for i in range(y.shape[1]):
                for j in range(y.shape[2]):
                    skip[:, 2 * i, 2 * j] = z_bar[:, i, j, : x.shape[3]]
        expected = [np.linalg.norm(skip) / end, np.linalg.norm(x_bar - skip) / end]
        assert np.allclose([start.skip[k], start.branch[k]], expected, rtol=1e-12, atol=0)
        assert np.isclose(start.open[k], (z_bar**2).sum() / (y_bar**2).sum(), rtol=1e-12, atol=0)


def test_the_shapes_and_the_seed():
    start, again, other = run(SMALL, 1), run(SMALL, 1), run(SMALL, 2)
    assert [part.shape for part in start] == [(7,), (6,), (6,), (6,)]
    assert start.norms[-1] == 1
    assert all(map(np.array_equal, start, again))
    assert not np.array_equal(start.norms, other.norms)


def test_settings_that_fit_no_network():
    with pytest.raises(ValueError, match=r"depth: expected 6n \+ 2"):
        run(Setting(depth=21), 0)
    with pytest.raises(ValueError, match="two values or more to normalise together, got 0"):
        run(Setting(depth=8, images=0, side=8), 0)
