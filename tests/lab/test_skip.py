import numpy as np
import pytest

from resgrad.lab.skip import Setting, expected_norms, run, skips


def by_hand(every, seed, L, n):
    """The lengths from matrices alone."""
    rng = np.random.default_rng(seed)
    x, y_bar = rng.standard_normal((2, n))
    Ws = [rng.standard_normal((n, n)) / np.sqrt(n) for _ in range(L)]
    xs, Js = [x], []
    for k, W in enumerate(Ws):
        Js.append(((xs[-1] > 0)[:, None] * W).T)
        ends = bool(every) and (k + 1) % every == 0
        xs.append(np.maximum(xs[-1], 0) @ W + (xs[k + 1 - every] if ends else 0))
    bars = {L: y_bar}
    for k in reversed(range(L)):
        begins = bool(every) and k % every == 0
        bars[k] = bars[k + 1] @ Js[k] + (bars[k + every] if begins else 0)
    return np.array([np.linalg.norm(bars[k]) for k in range(L + 1)]) / np.linalg.norm(y_bar)


@pytest.mark.parametrize("every", [0, 1, 2, 3, 6])
def test_the_lengths_are_those_of_the_definition(every):
    assert np.allclose(run(Setting(every, 6, 5), 3), by_hand(every, 3, 6, 5), rtol=1e-12, atol=0)


def test_skips_follow_one_another_from_the_input_to_the_output():
    assert skips(Setting(2, 6)) == [(0, 2), (2, 4), (4, 6)]
    assert skips(Setting(6, 6)) == [(0, 6)]
    assert skips(Setting(0, 6)) == []


@pytest.mark.parametrize(
    "setting", [Setting(5, 6), Setting(-1, 6), Setting(7, 6), Setting(0, 0), Setting(1, 1, 0)]
)
def test_bad_settings_are_refused(setting):
    for f in (skips, expected_norms, lambda setting: run(setting, 0)):
        with pytest.raises(ValueError, match="skip: expected layers and a width"):
            f(setting)


def test_the_law_by_hand():
    assert np.allclose(expected_norms(Setting(0, 4)) ** 2, [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1])
    assert np.allclose(expected_norms(Setting(1, 4)) ** 2, 1.5 ** np.arange(4, -1, -1))
    assert np.allclose(expected_norms(Setting(2, 4)) ** 2, [1.25**2, 1.25 / 2, 1.25, 1 / 2, 1])
    assert np.allclose(expected_norms(Setting(4, 4)) ** 2, [1 + 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1])


@pytest.mark.parametrize("every", [0, 1, 2, 4])
def test_the_mean_square_follows_the_law(every):
    setting = Setting(every, 4, 96)
    squares = np.array([run(setting, seed) for seed in range(100, 200)]) ** 2
    error = squares.std(axis=0, ddof=1)[:-1] / np.sqrt(len(squares))
    law = expected_norms(setting)[:-1] ** 2
    # Four standard errors, and as much again of the first order in layers over width for the law itself.
    assert (np.abs(squares.mean(axis=0)[:-1] - law) < 4 * error + 4 / 96 * law).all()


def test_a_run_depends_on_its_seed_alone_and_a_long_skip_on_the_first_gradient_alone():
    first, again, other = (run(Setting(2, 4, 8), seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)
    plain, long = run(Setting(0, 4, 8), 1), run(Setting(4, 4, 8), 1)
    assert np.array_equal(plain[1:], long[1:])
    assert plain[0] != long[0]
