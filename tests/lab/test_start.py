import math

import numpy as np
import pytest

from resgrad import agree, jacobian
from resgrad.blocks.stack import stack
from resgrad.lab import start
from resgrad.lab.start import (
    KINDS,
    Setting,
    band,
    expected_norm,
    initial,
    network,
    run,
)
from resgrad.lab.sweep import sweep
from resgrad.measure.spectrum import effective_rank, unresolved


def by_hand(kind, seed, blocks, n):
    """Activations x_0, ..., x_L and Jacobians of x_L with respect to each, from the definition."""
    weights_rng, x_rng, _ = np.random.default_rng(seed).spawn(3)
    Ws = [math.sqrt(2 / n) * weights_rng.standard_normal((n, n)) for _ in range(blocks)]
    xs = [x_rng.standard_normal(n)]
    Js = []
    for W in Ws:
        W = W / math.sqrt(blocks) if kind == "scaled" else W
        skip = 0 if kind == "plain" else 1
        Js.append(((xs[-1] > 0)[:, None] * W).T + skip * np.eye(n))
        xs.append(np.maximum(xs[-1], 0) @ W + skip * xs[-1])
    products = [np.eye(n)]
    for J in reversed(Js):
        products.append(products[-1] @ J)
    return xs, products[::-1]


@pytest.mark.parametrize("kind", KINDS)
def test_norms_and_singular_values_are_those_of_the_definition(kind):
    found = run(Setting(kind, 5, 6), 3)
    xs, products = by_hand(kind, 3, 5, 6)
    expected = np.linalg.svd(products[0], compute_uv=False)
    assert np.allclose(found.singular_values, expected, rtol=1e-10, atol=1e-12)
    g = np.random.default_rng(3).spawn(3)[2].standard_normal(6)
    assert np.allclose(found.norms, [np.linalg.norm(g @ J) / np.linalg.norm(g) for J in products])
    assert found.norms[-1] == 1
    if kind == "plain":
        open_units = [int((x > 0).sum()) for x in xs[:-1]]
        fewest = [min(open_units[i:]) for i in range(5)]
        assert np.allclose(found.dead, [*(1 - np.array(fewest) / 6), 0])
    else:
        assert not found.dead.any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_jacobian_is_that_of_the_library(kind):
    setting = Setting(kind, 4, 5)
    weights_rng, x_rng, _ = np.random.default_rng(1).spawn(3)
    theta = initial(setting, rng=weights_rng)
    J = jacobian(stack(*network(setting)), x_rng.standard_normal((1, 5)), *theta)
    assert agree(J, by_hand(kind, 1, 4, 5)[1][0])


def test_a_rank_that_the_relus_cut_is_counted_as_dead():
    setting = Setting("plain", 6, 24)
    for seed in range(5):
        found = run(setting, seed)
        rank = (found.singular_values > 1e-9).sum()
        assert rank == round(24 * (1 - found.dead[0]))


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    setting = Setting("scaled", 3, 4)
    first, again, other = (run(setting, seed) for seed in (1, 1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.norms, other.norms)


def test_band_by_hand():
    assert band(np.arange(11.0)).tolist() == [1, 5, 9]
    assert band(np.zeros((5, 3))).shape == (3, 3)


def test_expected_norm_by_hand():
    assert expected_norm(Setting("plain", 10)) == 1
    assert expected_norm(Setting("residual", 10)) == 32
    assert expected_norm(Setting("scaled", 2)) == 1.5


@pytest.mark.parametrize("setting", [Setting("ring"), Setting("plain", 0), Setting("plain", 1, 0)])
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="start: "):
        run(setting, 0)


SMALL = {kind: Setting(kind, 16, 48) for kind in KINDS}


def logs(kind, seeds=range(40)):
    return np.log([found.norms[0] for found in sweep(run, [SMALL[kind]], seeds)[0]])


def follows_its_law(kind):
    """Whether the mean of log|g_0|/|g_L| is within four standard errors of the law for large width.

    Plain: -5L/(4n) with the lognormal spread sqrt(5L/n)/2. With a skip the law is for the mean square; the
    allowance, 0.2, covers the spread below it at this width.
    """
    found = logs(kind)
    law = -5 * 16 / (4 * 48) if kind == "plain" else math.log(expected_norm(SMALL[kind])) - 0.1
    spread = math.sqrt(5 * 16 / 48) / 2 if kind == "plain" else found.std()
    return abs(found.mean() - law) < 4 * spread / math.sqrt(40) + (0 if kind == "plain" else 0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_norms_follow_their_laws(kind):
    assert follows_its_law(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_variance_breaks_the_laws(kind, monkeypatch):
    def glorot(setting, *, rng):
        return tuple((empty, (W / math.sqrt(2), b)) for empty, (W, b) in initial(setting, rng=rng))

    def he(setting, *, rng):  # forgets the factor 1/sqrt(L)
        return initial(setting._replace(kind="residual"), rng=rng)

    monkeypatch.setattr(start, "initial", he if kind == "scaled" else glorot)
    assert not follows_its_law(kind)


def test_only_the_scaled_residual_network_keeps_both_norm_and_spectrum():
    plain, residual, scaled = (rows[0] for rows in sweep(run, [Setting(kind) for kind in KINDS], [200]))
    assert 0.01 < plain.norms[0] < 20
    assert effective_rank(plain.singular_values) < 10
    assert unresolved(plain.singular_values) > plain.dead[0] > 0.5
    assert residual.norms[0] > 1e8
    assert effective_rank(residual.singular_values) < 12
    assert 1 < scaled.norms[0] < 3
    assert effective_rank(scaled.singular_values) > 90
    assert unresolved(scaled.singular_values) == 0
