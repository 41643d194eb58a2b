import math
from functools import partial

import numpy as np
import pytest

from resgrad import agree, jacobian
from resgrad.blocks.order import norm_after_addition
from resgrad.lab.order import (
    ORDERS,
    SEEDS,
    Placed,
    Setting,
    detached,
    initial,
    network,
    outlier,
    outlier_law,
    run,
)
from resgrad.lab.sweep import sweep
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.normalization import batch_norm

SMALL = {order: Setting(order, False, 3, 4, 6) for order in ORDERS}
orders = pytest.mark.parametrize("order", ORDERS)


def normal(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def by_hand(order, seed):
    """The stream of the small network, from the definition."""
    weights_rng, x_rng, _ = np.random.default_rng(seed).spawn(3)
    W = math.sqrt(2 / 4) * weights_rng.standard_normal((3, 2, 4, 4))
    xs = [np.abs(x_rng.standard_normal((6, 4)))]
    phi = partial(np.maximum, 0)
    for one, two in W:

        def F(x, one=one, two=two):
            return phi(normal(x @ one)) @ two

        x = xs[-1]
        values = {
            "original": lambda x=x, F=F: phi(x + normal(F(x))),
            "norm_after_addition": lambda x=x, F=F: phi(normal(x + F(x))),
            "activation_before_addition": lambda x=x, F=F: x + phi(normal(F(x))),
            "activation_only_preactivation": lambda x=x, F=F: x + normal(F(phi(x))),
            "full_preactivation": lambda x=x, F=F: x + F(phi(normal(x))),
        }
        xs.append(values[order]())
    return xs


@orders
def test_the_stream_is_that_of_the_definition(order):
    found = run(SMALL[order], 3)
    assert np.allclose(found.mean, [x.mean() for x in by_hand(order, 3)], rtol=1e-12)
    assert found.energy[-1] == 1
    assert found.energy.shape == (4,)


@orders
def test_the_skip_alone(order):
    found = run(SMALL[order]._replace(skip_alone=True), 3)
    assert np.array_equal(found.mean, run(SMALL[order], 3).mean)  # the values are the same
    g = np.random.default_rng(3).spawn(3)[2].standard_normal((6, 4))
    if order == "original":
        kept = g.copy()
        energy = [(g * g).sum()]
        for x in by_hand(order, 3)[:0:-1]:
            kept = kept * (x > 0)
            energy.append((kept * kept).sum())
        assert np.allclose(found.energy, np.array(energy[::-1]) / energy[0])
    elif order != "norm_after_addition":
        assert found.energy.tolist() == [1, 1, 1, 1]
    else:
        assert 0 < found.energy[0] < found.energy[1] < found.energy[2] < 1


def test_detached_keeps_the_value_and_pulls_back_zeros():
    x, W, b = np.ones((2, 3)), np.ones((3, 3)), np.ones(3)
    y, vjp = detached(linear)(x, W, b)
    assert np.array_equal(y, linear(x, W, b)[0])
    assert [bar.tolist() for bar in vjp(y)] == [np.zeros_like(v).tolist() for v in (x, W, b)]
    block = norm_after_addition(detached(linear), norm=partial(batch_norm, eps=0.1), activation=relu)
    value, _ = block(x + np.eye(2, 3), (W, b), (b, b), ())
    assert value.shape == (2, 3)


def test_every_order_draws_the_same_matrices():
    drawn = {
        order: [
            p[0] for p in initial(SMALL[order], rng=np.random.default_rng(0))[1] if p and p[0].shape == (4, 4)
        ]
        for order in ORDERS
    }
    assert all(np.array_equal(drawn[order], drawn["original"]) for order in ORDERS)
    assert len(drawn["original"]) == 2


def test_the_orders_differ_as_the_page_says():
    """Half the blocks: the skip of (b) closes and its gradient grows exponentially; margins as on the page."""
    whole = {order: run(Setting(order, False, 27), 300).energy[0] for order in ORDERS}
    alone = {order: run(Setting(order, True, 27), 300).energy[0] for order in ORDERS}
    assert whole["norm_after_addition"] > 100 * max(
        whole[order] for order in ORDERS if order != "norm_after_addition"
    )
    assert alone["norm_after_addition"] < 1e-2 < 0.1 < alone["original"] < 0.4
    assert [alone[order] for order in ORDERS[2:]] == [1, 1, 1]


@pytest.mark.parametrize("last", [True, False])
def test_the_outlier_is_the_largest_singular_value_of_the_stack(last):
    found = outlier(Placed(last, 3, 5), 7)
    weights_rng, x_rng = np.random.default_rng(7).spawn(2)
    W = math.sqrt(2 / 5 / 3) * weights_rng.standard_normal((3, 5, 5))
    x = start = x_rng.standard_normal((1, 5))
    J = np.eye(5)
    for w in W:
        slope = ((x @ w if last else x) > 0) * 1.0
        J = (np.eye(5) + (np.diag(slope[0]) @ w.T if last else w.T @ np.diag(slope[0]))) @ J
        x = x + (np.maximum(x @ w, 0) if last else np.maximum(x, 0) @ w)
    s = np.linalg.svd(J, compute_uv=False)
    assert np.allclose(found[:2], s[:2])
    assert found.stretch == pytest.approx(np.linalg.norm(x) / np.linalg.norm(start))
    assert found.stretch <= found.top


def test_the_jacobian_is_that_of_the_library():
    setting = Setting("original", False, 1, 3, 4)
    (block,), (theta,) = network(setting), initial(setting, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((4, 3))
    g = np.random.default_rng(3).standard_normal((4, 3))
    assert agree(block(x, *theta)[1](g)[0].ravel(), g.ravel() @ jacobian(block, x, *theta))


def test_the_outlier_follows_its_law_and_only_with_the_relu_last():
    """Five seeds at width 64: the logarithm is short of the law by 0.07, its mean has a standard error of 0.06."""
    last, first = sweep(outlier, [Placed(True, 50), Placed(False, 50)], [100 + seed for seed in SEEDS])
    assert abs(np.mean([math.log(found.top / outlier_law(50)) for found in last]) + 0.07) < 4 * 0.06
    assert max(found.second for found in last) < 6
    assert max(found.top for found in first) < 8


def test_the_law_by_hand():
    assert outlier_law(1) == pytest.approx(1 + 1 / math.sqrt(math.pi))
    assert outlier_law(100) == pytest.approx(241.890, abs=1e-3)


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    first, again, other = (repr(run(SMALL["original"], seed)) for seed in (1, 1, 2))
    assert first == again != other
    one, same, another = (outlier(Placed(True, 3, 4), seed) for seed in (1, 1, 2))
    assert one == same != another


@pytest.mark.parametrize(
    "setting", [Setting("ring"), Setting("original", False, 0), Setting("original", False, 1, 1, 1)]
)
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="order: expected one of"):
        run(setting, 0)


@pytest.mark.parametrize("setting", [Placed(True, 0), Placed(True, 1, 1)])
def test_bad_sizes_are_refused(setting):
    with pytest.raises(ValueError, match="order: expected a block and a width of two"):
        outlier(setting, 0)
