"""The benchmark runs, and its contenders compute what resgrad computes; how long they take is not asserted."""

import os

import numpy as np
import pytest

from benchmarks import run
from benchmarks.peers import Conv, Mlp, blocks_of, draw, installed, jax_jit, resgrad, torch_eager
from resgrad.rules.convolution import conv2d

SMALL = [Mlp(2, 3, 4), Conv(2, 5, 3)]


def test_it_prints_ratios_with_their_spread_and_the_kernels_that_ran(capsys, monkeypatch):
    monkeypatch.setattr(run, "one_core", lambda: "any core")
    monkeypatch.setattr(run, "CONTENDERS", {"products alone": run.products, "absent": lambda setting: None})
    run.main({"both": SMALL}, rounds=3)
    printed = capsys.readouterr().out
    assert "L 2, N 3, n 4" in printed
    assert "N 2, H 5, C 3" in printed
    assert printed.count("products alone") == 2
    assert "absent" not in printed
    assert "kernels" in printed
    assert ("PyTorch is not installed" in printed) != installed("torch")


def test_rounds_are_paired_and_the_first_are_left_out():
    seconds = run.compare(SMALL[0], rounds=4)
    assert list(seconds)[:2] == ["resgrad", "products alone"]
    assert {len(times) for times in seconds.values()} == {4}


@pytest.mark.parametrize("setting", SMALL, ids=["mlp", "convolution"])
@pytest.mark.parametrize("make", [jax_jit, torch_eager])
def test_the_contenders_compute_the_same(setting, make):
    theirs = make(setting)
    if theirs is None:
        # `make oracle` runs this file too, with JAX; PyTorch is in no lock.
        assert not (make is jax_jit and os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1")
        pytest.skip(f"{make.__name__}: the library is not installed here; see CONTRIBUTING.md")
    for ours, other in zip(resgrad(setting)(), theirs(), strict=True):
        np.testing.assert_allclose(ours, np.asarray(other), rtol=1e-3, atol=1e-4)


def test_resgrad_does_the_work_that_is_named():
    x, y_bar, *theta = draw(SMALL[1])
    assert np.array_equal(resgrad(SMALL[1])()[1], conv2d(x, *theta, padding=1)[1](y_bar)[1])
    x, y_bar, *theta = draw(SMALL[0])
    assert [bar.shape for bar in resgrad(SMALL[0])()] == [x.shape, *(parameter.shape for parameter in theta)]
    assert len(blocks_of(theta)) == SMALL[0].L
