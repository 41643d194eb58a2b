import numpy as np
import pytest

from resgrad.blocks.stack import stack
from resgrad.lab.failure import KINDS, Setting, aligned, extremes, network, nudge, trained, way_back
from resgrad.measure.check import agree, jacobian


@pytest.mark.parametrize("kind", KINDS)
def test_the_extremes_are_the_singular_values_of_the_stack(kind):
    setting = Setting(kind, 3, 5)
    found = extremes(setting, 4)
    weights_rng, x_rng, g_rng = np.random.default_rng(4).spawn(3)
    blocks, thetas = network(setting, rng=weights_rng)
    J = jacobian(stack(*blocks), x_rng.standard_normal((1, 5)), *thetas)
    values = np.linalg.svd(J, compute_uv=False)
    assert found.longest[0] == pytest.approx(values[0])
    assert found.shortest[0] == pytest.approx(values[-1])
    g = g_rng.standard_normal((1, 5))
    assert found.random[0] == pytest.approx(np.linalg.norm(g @ J) / np.linalg.norm(g))
    assert all(lengths[-1] == pytest.approx(1) for lengths in found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_is_the_one_of_its_kind(kind):
    (block,), (theta,) = network(Setting(kind, 1, 6), rng=np.random.default_rng(2))
    W = np.sqrt(2 / 6) * np.random.default_rng(2).standard_normal((6, 6))
    x = np.random.default_rng(3).standard_normal((2, 6))
    y, _ = block(x, *theta)
    F = np.maximum(x @ W, 0) if kind == "relu-last" else np.maximum(x, 0) @ W
    assert agree(y, F + x)


def test_the_scaled_kinds_are_divided():
    whole, divided = (
        network(Setting(kind, 9, 4), rng=np.random.default_rng(2))[1][0][1][0] for kind in KINDS[:2]
    )
    assert agree(whole, 3 * divided)


def test_branches_with_the_relu_last_pull_the_same_way():
    last, first = (
        np.mean([aligned(Setting(kind, 32), s).cosine for s in range(50, 54)])
        for kind in ("relu-last", "scaled")
    )
    assert last > 0.3
    assert abs(first) < 0.05


def test_the_derivative_of_the_way_back_is_that_of_differences():
    rng = np.random.default_rng(5)
    W, y_bar = rng.standard_normal((3, 4, 4)) / 2, rng.standard_normal((1, 4))
    x_bar, W_bar = way_back(W, y_bar)
    by_hand = y_bar
    for W_l in W[::-1]:
        by_hand = by_hand + by_hand @ W_l.T
    assert agree(x_bar, by_hand)
    for index in np.ndindex(W.shape):
        moved = W.astype(complex)
        moved[index] += 1e-30j
        back = way_back(moved, y_bar + 0j)[0]
        assert (back**2).sum().imag / 2e-30 == pytest.approx(W_bar[index], rel=1e-10)


def test_a_nudge_shortens_the_one_gradient_alone():
    found = nudge(60)
    assert found.before[-1] == found.after[-1] == pytest.approx(1)
    assert found.before[0] > 0.8
    assert found.after[0] < 0.1
    assert found.others > 0.8
    assert 0.01 < found.moved < 0.15


def test_no_step_leaves_the_network_as_it_is():
    found = nudge(60, steps=0, blocks=3, width=4)
    assert found.moved == 0
    assert np.array_equal(found.before, found.after)


def test_training_turns_the_branches_with_the_skip():
    before, after = trained("residual", 70)
    assert abs(before.cosine.mean()) < 0.1
    assert after.cosine.mean() > 0.055
    assert len(after.lengths) == 9


@pytest.mark.parametrize("setting", [Setting("ring"), Setting("scaled", 0), Setting("scaled", 2, 1)])
def test_bad_settings_are_refused(setting):
    for run in (extremes, aligned):
        with pytest.raises(ValueError, match="failure: "):
            run(setting, 0)
