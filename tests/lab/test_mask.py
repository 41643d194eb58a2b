import math

import numpy as np
import pytest

from resgrad import agree, jacobian
from resgrad.blocks.stack import stack
from resgrad.lab import mask
from resgrad.lab.mask import (
    KINDS,
    Setting,
    blocks_after,
    blocks_before,
    initial,
    open_share,
    run,
    spectrum,
    trained,
    walks,
)

SMALL = {kind: Setting(kind, 5, 6, 7) for kind in KINDS}


def by_hand(setting, seed):
    """Pre-activations of the blocks with the ReLU after the addition, from the definition."""
    dtype = np.float64 if setting.kind == "dominant" else np.float32
    x, theta = initial(setting, rng=np.random.default_rng(seed), dtype=dtype)
    found = []
    for W1, b1, W2, b2 in theta:
        found.append(x + np.maximum(x @ W1 + b1, 0) @ W2 + b2)
        x = np.maximum(found[-1], 0)
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shares_are_those_of_the_definition(kind):
    found, a = run(SMALL[kind], 3), by_hand(SMALL[kind], 3)
    assert np.allclose(found.blocks, (a > 0).mean(axis=(1, 2)))
    assert np.allclose(found.path, [(a[: k + 1] > 0).all(axis=0).mean() for k in range(5)])
    assert (found.positive == 1) == (kind != "gaussian")


def test_shares_by_hand():
    xs = [np.array([[1.0, 0.0, 2.0]]), np.array([[0.0, 1.0, 1.0]]), np.array([[3.0, 1.0, 0.0]])]
    found = open_share(xs)
    assert found.blocks.tolist() == [2 / 3, 2 / 3]
    assert found.path.tolist() == [2 / 3, 1 / 3]
    assert found.positive == 2 / 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_branch_has_the_mean_square_that_it_should(kind):
    setting = Setting(kind, 1, 400, 100)
    x, ((W1, b1, W2, b2),) = initial(setting, rng=np.random.default_rng(0))
    Fx = np.maximum(x @ W1 + b1, 0) @ W2 + b2
    expected = {"unscaled": (x * x).mean(), "dominant": 1e4 * (x * x).mean()}.get(kind, 1.0)
    # 400 weights an entry: four times sqrt(5 / 400), the spread of a mean square of two layers
    assert (Fx * Fx).mean() == pytest.approx(expected, rel=4 * math.sqrt(5 / 400))


def test_the_scale_falls_with_depth():
    (_, (shallow, *_)), (_, (deep, *_)) = (
        initial(Setting("scaled", L, 3, 2), rng=np.random.default_rng(0)) for L in (4, 16)
    )
    assert agree(shallow[2], 2 * deep[2])
    assert agree(shallow[0], deep[0])


def test_normalised_features_have_mean_zero_and_variance_one():
    setting = Setting("normalised", 3, 6, 9)
    x, theta = initial(setting, rng=np.random.default_rng(1))
    for W1, b1, W2, b2 in theta:
        Fx = np.maximum(x @ W1 + b1, 0) @ W2 + b2
        assert np.allclose(Fx.mean(axis=0), 0, atol=1e-12)
        assert np.allclose(Fx.std(axis=0), 1)
        x = np.maximum(x + Fx, 0)


def test_the_spectrum_is_that_of_the_library():
    setting = Setting("normalised", 4, 6, 5)
    found = spectrum(setting, 2)
    rng = np.random.default_rng(2)
    x, theta = initial(setting, rng=rng)
    g = rng.standard_normal(6)
    after = jacobian(stack(*blocks_after(setting)), x[:1], *((p, ()) for p in theta))
    before = jacobian(stack(*blocks_before(setting)), x[:1], *(((), p) for p in theta))
    for J, side in zip((after, before), found, strict=True):
        s = np.linalg.svd(J, compute_uv=False)
        assert side.ratio == pytest.approx(np.linalg.norm(g @ J) / np.linalg.norm(g))
        assert side.zero == (s < 1e-12 * s[0]).mean()
    assert found[0].zero >= found[0].closed > 0
    assert found[1].closed == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_wide_network_follows_the_walk(kind):
    """Shares over the depth, within what eight thousand entries and the spread of the weights allow."""
    setting = Setting(kind, 8, 256, 32)
    network, walk = run(setting, 5), walks(setting, 5)
    assert np.abs(network.blocks - walk.blocks).max() < 0.08
    assert np.abs(network.path - walk.path).max() < 0.08


@pytest.mark.parametrize("kind", ["scaled", "normalised"])
def test_a_step_of_another_size_breaks_the_walk(kind, monkeypatch):
    setting = Setting(kind, 8, 256, 32)
    network = run(setting, 5)
    monkeypatch.setattr(mask, "_gain", lambda setting: 0.3 if setting.kind == "normalised" else 1.0)
    assert np.abs(network.path - walks(setting, 5).path).max() > 0.15


def test_what_the_streams_leave_open():
    ends = {kind: walks(Setting(kind), 9, walkers=4000).path for kind in KINDS}
    assert 0.4 < ends["scaled"][-1] < 0.55
    assert 0.22 < ends["gaussian"][-1] < 0.36
    assert 0.1 < ends["normalised"][-1] < 0.21
    assert ends["unscaled"][-1] < 0.01
    # independent signs: a half a block; four standard errors of 4000 walkers
    assert ends["dominant"][:5] == pytest.approx(0.5 ** np.arange(1, 6), abs=4 * 0.5 / math.sqrt(4000))


@pytest.mark.parametrize("experiment", [run, spectrum, walks])
def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed(experiment):
    first, again, other = (experiment(SMALL["gaussian"], seed) for seed in (1, 1, 2))
    assert repr(first) == repr(again) != repr(other)


def test_training_counts_before_and_after():
    before, after = trained(2, 0)
    for found in (before, after):
        assert found.blocks.shape == found.path.shape == (2,)
        assert 0 < found.path[-1] <= found.path[0] == found.blocks[0] < 1
    assert not np.array_equal(before.blocks, after.blocks)


@pytest.mark.parametrize(
    "setting", [Setting("ring"), Setting("scaled", 0), Setting("scaled", 1, 0), Setting("scaled", 1, 1, 1)]
)
@pytest.mark.parametrize("experiment", [run, spectrum, walks])
def test_bad_settings_are_refused(experiment, setting):
    with pytest.raises(ValueError, match="mask: "):
        experiment(setting, 0)


def test_a_stream_that_overflows_says_so():
    with pytest.raises(ValueError, match="overflows, take fewer blocks"), np.errstate(all="ignore"):
        run(Setting("dominant", 200, 16, 2), 0)
