"""Many networks at once: each is the network of the library, with the same loss, gradients and end."""

import numpy as np
import pytest

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab.ensemble import RATE, STEPS, gradients, images, initial, trained
from resgrad.lab.optimizers import adam, linear_decay
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.loss import cross_entropy

SEEDS = (3, 8)


def network(blocks, skip):
    """The same network by the library's rules."""
    F = stack(relu, linear)
    return stack(linear, *[residual(F) if skip else F] * blocks, relu, linear)


def as_layers(theta):
    """Weights of one seed as the library takes them, with biases of zero."""
    stem, *Ws, head = ((W, np.zeros(W.shape[1], W.dtype)) for W in theta)
    return stem, *(((), W) for W in Ws), (), head


def weights_of(layers):
    stem, *blocks, _, head = layers
    return stem[0], *(block[1][0] for block in blocks), head[0]


@pytest.mark.parametrize("skip", [False, True])
def test_losses_and_gradients_are_those_of_the_library(skip):
    data, theta = images(SEEDS), tuple(W.astype(np.float64) for W in initial(3, SEEDS, skip=skip))
    data = data._replace(x=data.x.astype(np.float64))
    losses, bars = gradients(theta, data, skip=skip)
    for k in range(len(SEEDS)):
        z, vjp = network(3, skip)(data.x[k], *as_layers([W[k] for W in theta]))
        loss, loss_vjp = cross_entropy(z, labels=data.labels[k])
        assert losses[k] == pytest.approx(loss, rel=1e-12)
        _, *theta_bar = vjp(loss_vjp(1.0)[0])
        for ours, theirs in zip(bars, weights_of(theta_bar), strict=True):
            np.testing.assert_allclose(ours[k], theirs, rtol=1e-9, atol=1e-13)


def test_a_seed_alone_ends_where_it_does_among_others():
    both = trained(2, SEEDS, skip=True)
    alone = [trained(2, (seed,), skip=True)[0] for seed in SEEDS]
    np.testing.assert_allclose(both, alone, rtol=1e-3)  # thirty steps in single precision


def test_training_takes_the_steps_that_it_says():
    data, theta = images(SEEDS), initial(2, SEEDS, skip=False)
    before, _ = gradients(theta, data, skip=False)
    optimizer = adam(rate=linear_decay(RATE, steps=STEPS))
    state = optimizer.init(theta)
    for _ in range(STEPS):
        theta, state = optimizer.step(theta, gradients(theta, data, skip=False)[1], state)
    after = trained(2, SEEDS, skip=False)
    np.testing.assert_array_equal(after, gradients(theta, data, skip=False)[0])
    assert (after < before).all()


def test_plain_and_residual_start_from_the_same_weights():
    plain, residual_ = (initial(4, SEEDS, skip=skip) for skip in (False, True))
    for k, (a, b) in enumerate(zip(plain, residual_, strict=True)):
        np.testing.assert_allclose(a, b * (2 if 0 < k < 5 else 1), rtol=1e-6)


def test_no_block_is_refused():
    with pytest.raises(ValueError, match="blocks is 0"):
        trained(0, SEEDS, skip=True)
