import math

import numpy as np
import pytest

from resgrad import agree, jacobian, linear, residual
from resgrad.blocks.stack import stack
from resgrad.lab import bounds
from resgrad.lab.bounds import (
    KINDS,
    Setting,
    expected_norm,
    expected_shrinking,
    gain,
    initial,
    run,
    shrinking,
)
from resgrad.lab.sweep import sweep


def by_hand(kind, seed, blocks, n):
    """Lengths of the gradients from the definition."""
    weights_rng, _, g_rng = np.random.default_rng(seed).spawn(3)
    scale = 1 / math.sqrt(n * (blocks if kind == "scaled" else 1))
    Ws = [scale * weights_rng.standard_normal((n, n)) for _ in range(blocks)]
    g = g_rng.standard_normal((1, n))[0]
    gradients = [g]
    for W in reversed(Ws):
        gradients.append(gradients[-1] + W @ gradients[-1])
    return np.array([np.linalg.norm(v) / np.linalg.norm(g) for v in gradients[::-1]])


@pytest.mark.parametrize("kind", KINDS)
def test_the_lengths_are_those_of_the_definition(kind):
    assert agree(run(Setting(kind, 5, 6), 3), by_hand(kind, 3, 5, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_the_lengths_lie_between_the_bounds(kind):
    setting = Setting(kind, 12, 5)
    theta = initial(setting, rng=np.random.default_rng(4).spawn(3)[0])
    c = [np.linalg.norm(W, 2) for W, _ in theta]
    found = run(setting, 4)[0]
    assert np.prod(np.maximum(1 - np.array(c), 0)) <= found <= np.prod(1 + np.array(c))
    J = jacobian(stack(*[residual(linear)] * 12), np.ones((1, 5)), *theta)
    s = np.linalg.svd(J, compute_uv=False)
    assert s[-1] <= found <= s[0]


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    first, again, other = (run(Setting("scaled", 3, 4), seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)


def test_the_kinds_draw_the_same_matrices():
    drawn = [initial(Setting(kind, 4, 3), rng=np.random.default_rng(0)) for kind in KINDS]
    for (W, b), (scaled, _) in zip(*drawn, strict=True):
        assert agree(W, 2 * scaled)
        assert not b.any()


def test_laws_by_hand():
    assert gain(Setting("unscaled", 9)) == 1
    assert gain(Setting("scaled", 9)) == 1 / 3
    assert expected_norm(Setting("unscaled", 10)) == 32
    assert expected_norm(Setting("scaled", 2)) == pytest.approx(1.5)
    # c^2 = 1/L against sqrt(n): half of the blocks shorten a gradient where L is much larger than n
    assert expected_shrinking(Setting("scaled", 10**8, 4)) == pytest.approx(0.5, abs=1e-4)
    assert expected_shrinking(Setting("unscaled", 3, 10_000)) == pytest.approx(0, abs=1e-12)


def test_shrinking_by_hand():
    assert shrinking(np.array([1.0, 2.0, 2.0, 3.0, 1.0])) == 0.5
    assert shrinking(np.array([[1.0, 2.0], [2.0, 1.0]])) == 0.5


@pytest.mark.parametrize(
    "setting", [Setting("ring", 2), Setting("scaled", 0), Setting("scaled", 1, 0), Setting("unscaled", -1)]
)
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="bounds: "):
        run(setting, 0)


def mean_square_follows_its_law(kind):
    """Whether the mean of |g_0|^2 is within four standard errors of its exact expectation.

    Few blocks: the distribution has a heavy tail, and its standard error is estimated.
    """
    setting = Setting(kind, 4, 32)
    squares = np.array([found[0] ** 2 for found in sweep(run, [setting], range(400))[0]])
    error = squares.std(ddof=1) / math.sqrt(len(squares))
    return abs(squares.mean() - expected_norm(setting) ** 2) < 4 * error


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_square_is_that_of_the_law(kind):
    assert mean_square_follows_its_law(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_variance_breaks_the_law(kind, monkeypatch):
    def he(setting, *, rng):
        return tuple((math.sqrt(2) * W, b) for W, b in initial(setting, rng=rng))

    monkeypatch.setattr(bounds, "initial", he)
    assert not mean_square_follows_its_law(kind)


def test_the_share_of_shrinking_blocks_is_that_of_the_law():
    setting = Setting("scaled", 40, 128)
    found = np.array(sweep(run, [setting], range(100, 120))[0])
    share = expected_shrinking(setting)
    # 800 blocks, nearly independent
    assert abs(shrinking(found) - share) < 4 * math.sqrt(share * (1 - share) / 800)
