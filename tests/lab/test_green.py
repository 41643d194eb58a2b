import cmath
import math

import numpy as np
import pytest

from resgrad.lab.green import MASKS, edge, green, law, moment, s_transform, spread
from resgrad.measure.check import agree

GAINS = (0.1, 0.25, 1.0, 2.0, 4.0)


@pytest.mark.parametrize("c", GAINS)
def test_the_density_has_the_mass_and_the_moments_of_the_law(c):
    log_s, density, weights = law(c)
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    assert weights @ log_s == pytest.approx(0, abs=1e-9)
    assert weights @ np.exp(2 * log_s) == pytest.approx(math.exp(c), rel=1e-9)
    assert weights @ np.exp(4 * log_s) == pytest.approx((1 + 2 * c) * math.exp(2 * c), rel=1e-9)
    assert (np.diff(log_s) > 0).all()
    assert agree(log_s, -log_s[::-1], rtol=1e-9)
    # the trapezoid rule, so that density and weights belong together
    assert np.trapezoid(density, log_s) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("c", GAINS[:-1])  # nearer to the cut the quadrature needs more nodes
@pytest.mark.parametrize("z", [1.5 + 0.8j, -2 + 0.5j, 0.3 - 1j])
def test_it_solves_the_equation_of_the_green_function(c, z):
    G = green(c, z)
    off = abs(G - (z * G - 1) * cmath.exp(c * (1 - 2 * z * G)))
    assert off < 1e-8 * abs(G)
    assert abs(G - (z * G - 1) * cmath.exp(c * (1 - z * G))) > 1e-2 * abs(G)  # planted


@pytest.mark.parametrize("c", GAINS)
def test_the_ends_are_those_of_the_formula_and_of_the_density(c):
    u = (math.sqrt(1 + 2 / c) - 1) / 2
    expected = math.sqrt((1 + u) / u * math.exp(c * (1 + 2 * u)))
    upper, lower = edge(c), edge(c, upper=False)
    assert upper.s == pytest.approx(expected, rel=1e-12)
    assert upper.u == pytest.approx(u, rel=1e-6)
    assert lower.s * upper.s == pytest.approx(1, rel=1e-12)
    inside = math.exp(law(c).log_s[-1])
    assert 0.999 * upper.s < inside < upper.s


def test_known_values():
    assert edge(1.0).s == pytest.approx(4.5928666, abs=1e-7)
    assert edge(1.0, upper=False).s == pytest.approx(0.2177289, abs=1e-7)


@pytest.mark.parametrize(("c", "blocks"), [(0.5, 1), (1.0, 4), (2.0, 64)])
def test_moments_at_a_finite_depth(c, blocks):
    first = (1 + c / blocks) ** blocks
    ratio = 1 + blocks * (1 - (1 + c / blocks) ** -2)
    assert moment(c, blocks, 1) == pytest.approx(first, rel=1e-10)
    assert moment(c, blocks, 2) == pytest.approx(ratio * first**2, rel=1e-9)


def test_the_block_has_the_transform_of_its_expansion():
    u = 0.3
    assert (s_transform(1e-6, u) - 1) / 1e-6 == pytest.approx(-(1 + 2 * u), rel=1e-4)


def test_the_stack_tends_to_the_exponential_as_one_over_the_depth():
    off = [abs(s_transform(1 / L, 0.3) ** L - math.exp(-1.6)) * L for L in (200, 2000)]
    assert off[0] == pytest.approx(off[1], rel=0.02)


@pytest.mark.parametrize(("c", "blocks"), [(0.5, 4), (0.7, 1)])
def test_a_wide_random_network_has_these_ends(c, blocks):
    n, rng = 400, np.random.default_rng(2)
    J = np.eye(n)
    for _ in range(blocks):
        J = J + J @ rng.standard_normal((n, n)) * math.sqrt(c / blocks / n)
    s = np.linalg.svd(J, compute_uv=False)
    # The ends of a matrix of width n are off by some n^(-2/3), 0.02 here.
    assert s[0] == pytest.approx(edge(c, blocks).s, rel=0.06)
    assert s[-1] == pytest.approx(edge(c, blocks, upper=False).s, rel=0.12)


@pytest.mark.parametrize("c", [0.25, 1.0])
def test_the_spread_of_masks_by_hand(c):
    fresh, stream, frozen = (spread(c, masks) for masks in MASKS)
    assert fresh == pytest.approx(1 + 2 * c, rel=5e-5)
    assert frozen == pytest.approx(4 * c - 1 + 2 * math.exp(-c), rel=5e-5)
    assert fresh < stream < frozen


@pytest.mark.parametrize("masks", MASKS)
def test_the_spread_is_that_of_wide_random_products(masks):
    """At L = 64 and n = 200; a finite depth takes 1.5 % off, the seeds leave 3 %."""
    rng, n, L, c = np.random.default_rng(5), 200, 64, 0.5
    ratios = []
    for _ in range(3):
        x, J, frozen = rng.standard_normal(n), np.eye(n), rng.random(n) < 0.5
        for _ in range(L):
            D = {"fresh": rng.random(n) < 0.5, "stream": x > 0, "frozen": frozen}[masks]
            W = rng.standard_normal((n, n)) * math.sqrt(2 * c / n / L) * D[:, None]
            x, J = x + x @ W, J + J @ W
        squares = np.linalg.svd(J, compute_uv=False) ** 2
        ratios.append((squares**2).mean() / squares.mean() ** 2)
    assert np.mean(ratios) == pytest.approx(spread(c, masks), rel=0.07)


def test_bad_input():
    with pytest.raises(ValueError, match="green: c is 0, expected a number above 0"):
        law(0)
    with pytest.raises(ValueError, match="green: nodes is 3"):
        law(1.0, nodes=3)
    with pytest.raises(ValueError, match=r"green: blocks is 1, expected more than c = 2\.0"):
        edge(2.0, 1)
    with pytest.raises(ValueError, match="green: masks is 'relu'"):
        spread(1.0, "relu")
