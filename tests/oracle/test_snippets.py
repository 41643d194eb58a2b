"""The lines of JAX that pages show and the build does not run: run here, and compared with the numbers of the page."""

import os

import numpy as np
import pytest

from pages import DOCS
from reader import fences
from resgrad.blocks.residual import residual
from resgrad.rules.linear import linear

if os.environ.get("RESGRAD_REQUIRE_ORACLE") != "1":
    pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")


def snippet(page: str) -> str:
    [code] = [
        fence.body
        for fence in fences((DOCS / page).read_text("utf-8"))
        if fence.kind == "not-run" and "import jax" in fence.body
    ]
    return code


def test_the_residual_block_in_jax() -> None:
    namespace: dict[str, object] = {}
    exec(snippet("derivations/residual.md"), namespace)
    x, y_bar, W = (np.asarray(namespace[name], dtype=float) for name in ("x", "y_bar", "W"))
    y, vjp = residual(linear)(x, W, np.zeros(2))
    np.testing.assert_allclose(np.asarray(namespace["y"]), y, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(namespace["x_bar"]), vjp(y_bar)[0], rtol=1e-6)
    np.testing.assert_allclose(vjp(y_bar)[0], [[5.5, 1.6]], rtol=1e-6)


def test_the_snippet_of_the_thread_in_jax() -> None:
    namespace: dict[str, object] = {}
    exec(snippet("thread.md"), namespace)
    expected = {"x1_bar": 1.0, "x2_bar": 1.0, "x_bar": [[5.5, 1.6]], "W_bar": [[1.0, 2.0], [-1.0, -2.0]]}
    for name, value in expected.items():  # the page's own cell asserts the same of resgrad
        np.testing.assert_allclose(np.asarray(namespace[name]), value, rtol=1e-6, err_msg=name)


def test_the_slopes_at_zero_in_jax() -> None:
    first, *lines = snippet("derivations/activation.md").splitlines()
    namespace: dict[str, object] = {}
    exec(first, namespace)
    for line in lines:
        expression, _, shown = line.partition("  # ")
        assert float(eval(expression, namespace)) == float(shown.split(",")[0]), line
