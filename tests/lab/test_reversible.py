import numpy as np
import pytest

from resgrad.lab.reversible import Setting, initial, run
from resgrad.lab.sweep import sweep

SMALL = Setting(couplings=4, width=3)


def test_stretch_is_that_of_the_inverse():
    """The Jacobian of the inverse is the inverse of the Jacobian, here from central differences forward."""
    weights_rng, x_rng, _ = np.random.default_rng(5).spawn(3)
    Ws = [[W for (W, _), _ in pair] for pair in initial(SMALL, rng=weights_rng)]
    x = x_rng.standard_normal(6)

    def forward(x):
        one, other = x[:3], x[3:]
        for V, W in Ws:
            one = one + np.tanh(other @ V)
            other = other + np.tanh(one @ W)
        return np.concatenate([one, other])

    h = 1e-5
    J = np.stack([(forward(x + h * e) - forward(x - h * e)) / (2 * h) for e in np.eye(6)], axis=1)
    found = run(SMALL, 5)
    assert found.stretch[-1] == pytest.approx(np.linalg.norm(np.linalg.inv(J), 2), rel=1e-7)
    assert (found.errors[0], found.stretch[0]) == (0, 1)
    assert len(found.errors) == len(found.stretch) == 5


def test_a_run_is_reproduced_and_depends_on_its_seed_and_precision():
    first, again, other = (run(SMALL, seed) for seed in (1, 1, 2))
    single = run(SMALL._replace(dtype="float32"), 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first.stretch[-1] != other.stretch[-1]
    assert single.stretch[-1] == pytest.approx(first.stretch[-1], rel=1e-4)
    assert 1e-9 < single.errors[-1] < 1e-4
    assert first.errors[-1] < 1e-13


def test_a_hundred_couplings_are_undone_in_double_precision_and_badly_in_single():
    """Bounds from thirty seeds other than these, four of their standard deviations or more from the mean."""
    double, single = sweep(run, [Setting(), Setting(dtype="float32")], [200])
    assert 1e-15 < double[0].errors[-1] < 1e-10
    assert 1e-6 < single[0].errors[-1] < 1e-2
    assert double[0].gradient < 1e-10
    assert 1e-6 < single[0].gradient < 1e-2
    for runs, eps in ((double, 2.0**-52), (single, 2.0**-23)):
        assert 0.05 < runs[0].errors[-1] / (eps * runs[0].stretch[-1]) < 200


@pytest.mark.parametrize("bad", [Setting(couplings=0), Setting(width=0), Setting(dtype="int64")])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match="reversible: expected one coupling or more"):
        run(bad, 0)
