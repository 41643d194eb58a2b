import numpy as np
import pytest

from resgrad.blocks.stack import trace
from resgrad.lab.paths import KINDS, Setting, binomial, distance, network, run
from resgrad.lab.sweep import sweep
from resgrad.measure.check import agree, jacobian
from resgrad.measure.paths import path_sums


@pytest.mark.parametrize("kind", KINDS)
def test_the_energies_are_those_of_the_jacobians(kind):
    setting = Setting(kind, 0.5, 4, 6)
    weights_rng, x_rng, g_rng = np.random.default_rng(3).spawn(3)
    blocks, thetas = network(setting, rng=weights_rng)
    xs, pull = trace(*blocks)(x_rng.standard_normal((1, 6)), *thetas)
    g = g_rng.standard_normal((1, 6))
    Js = [jacobian(blocks[i], xs[i], *thetas[i]) - np.eye(6) for i in range(4)]
    found, unit = run(setting, 3), (g**2).sum()
    assert agree(found.energies, ((g @ path_sums(Js)) ** 2).sum(axis=(1, 2)) / unit)
    assert agree(found.whole, (pull(g)[0][0] ** 2).sum() / unit)
    assert found.energies[0] == pytest.approx(1, rel=1e-15)


def test_the_branches_have_their_gain():
    """For the linear branch the mean of |u J|^2 is c^2 |u|^2; its n^2 squares have a relative spread of 2^(1/2)/n."""
    for kind, n in (("linear", 100), ("relu first", 100)):
        _, thetas = network(Setting(kind, 0.3, 1, n), rng=np.random.default_rng(0))
        W = thetas[0][0] if kind == "linear" else thetas[0][1][0]
        expected = 0.3 * n * (1 if kind == "linear" else 2)
        assert abs((W**2).sum() / expected - 1) < 6 * 2**0.5 / n


def test_the_three_kinds_draw_the_same_numbers():
    drawn = [network(Setting(kind, 1.0, 2, 3), rng=np.random.default_rng(5))[1] for kind in KINDS]
    (plain, _), (first, last) = drawn[0][1], (drawn[1][1][1][0], drawn[2][1][0][0])
    assert agree(first, 2**0.5 * plain)
    assert np.array_equal(first, last)


def test_a_run_is_reproduced_bit_for_bit_and_depends_on_its_seed():
    setting = Setting("relu first", 0.25, 3, 4)
    first, again, other = (run(setting, seed) for seed in (1, 1, 2))
    assert first.energies.tobytes() == again.energies.tobytes()
    assert first.whole == again.whole != other.whole


def law_is_met(kind, energy, pairs=400):
    """Whether the mean energies of many small linear networks are those of the law, within 4 standard errors."""
    splits = sweep(run, [Setting(kind, energy, 6, 8)], range(pairs))[0]
    energies = np.array([split.energies for split in splits])
    law = (1 + energy) ** 6 * binomial(6, energy / (1 + energy))
    error = energies.std(axis=0, ddof=1) / pairs**0.5
    return (np.abs(energies.mean(axis=0) - law)[1:] < 4 * error[1:]).all()


def test_the_law_holds_for_independent_branches_and_not_for_relu_last():
    assert law_is_met("linear", 0.5)
    assert not law_is_met("relu last", 0.5)


def test_binomial_by_hand():
    assert binomial(3, 0.5).tolist() == [0.125, 0.375, 0.375, 0.125]
    assert binomial(54, 11 / 54).sum() == pytest.approx(1, abs=1e-14)
    assert binomial(54, 11 / 54)[5:18].sum() == pytest.approx(0.973553, abs=1e-6)
    assert binomial(54, 0.5)[5:18].sum() == pytest.approx(0.00453667, abs=1e-8)


def test_distance_by_hand():
    assert distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    assert distance(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == 0.25


@pytest.mark.parametrize(
    "setting",
    [
        Setting("ring", 0.5, 2),
        Setting("linear", 0.0, 2),
        Setting("linear", float("nan"), 2),
        Setting("linear", 0.5, 0),
        Setting("linear", 0.5, 1, 0),
    ],
)
def test_bad_settings_are_refused(setting):
    with pytest.raises(ValueError, match="paths: Setting"):
        run(setting, 0)
