"""The same work for each contender: value and all gradients of a residual MLP, and of a convolution.

Each function takes the arrays and returns what to time: a function without arguments that gives the gradients,
the arrays in numpy's layout, or None where the library is not installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.rules.activation import relu
from resgrad.rules.convolution import conv2d

Run = Callable[[], Any]


class Mlp(NamedTuple):
    """L blocks ``x + relu(x W1 + b1) W2 + b2`` of width n, on N rows."""

    L: int
    N: int
    n: int


class Conv(NamedTuple):
    """One convolution 3 x 3 of N images of H x H pixels and C channels, padded to keep its size."""

    N: int
    H: int
    C: int


def installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def draw(setting: Mlp | Conv) -> list[np.ndarray]:
    """x, y_bar and the parameters one after the other, float32."""
    rng = np.random.default_rng(0)
    if isinstance(setting, Mlp):
        L, N, n = setting
        shapes = [(N, n), (N, n), *[(n, n), (n,), (n, n), (n,)] * L]
        scale = 1 / (n * L) ** 0.5
    else:
        N, H, C = setting
        shapes = [(N, H, H, C), (N, H, H, C), (3, 3, C, C), (C,)]
        scale = 1 / (9 * C) ** 0.5
    x, y_bar, *theta = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    return [x, y_bar, *(np.float32(scale) * parameter for parameter in theta)]


def blocks_of(theta: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [tuple(theta[i : i + 4]) for i in range(0, len(theta), 4)]


def resgrad(setting: Mlp | Conv) -> Run:
    x, y_bar, *theta = draw(setting)
    if isinstance(setting, Conv):
        return lambda: conv2d(x, *theta, padding=1)[1](y_bar)
    network, thetas = stack(*[residual(branch(relu))] * setting.L), blocks_of(theta)

    def run() -> Any:
        x_bar, *theta_bars = network(x, *thetas)[1](y_bar)
        return x_bar, *(bar for bars in theta_bars for bar in bars)

    return run


def products(setting: Mlp | Conv) -> Run:
    """The matrix products alone, on arrays of the right shapes: what no implementation with this BLAS avoids."""
    x, y_bar, *theta = draw(setting)
    if isinstance(setting, Mlp):
        W = theta[0]
        pairs = [(x, W), (y_bar, W.T), (x.T, y_bar)] * (2 * setting.L)
    else:
        # A kernel unrolled, image by image: one product for the value, one for each of the two gradients.
        rows = np.ones((setting.H**2, 9 * setting.C), np.float32)
        W, bar = theta[0].reshape(-1, setting.C), y_bar[0].reshape(-1, setting.C)
        pairs = [(rows, W), (bar, W.T), (rows.T, bar)] * setting.N
    out = {(a.shape, b.shape): np.empty((len(a), b.shape[1]), np.float32) for a, b in pairs}
    work = [(a, b, out[a.shape, b.shape]) for a, b in pairs]

    def run() -> None:
        for a, b, result in work:
            np.matmul(a, b, out=result)

    return run


def jax_jit(setting: Mlp | Conv) -> Run | None:
    if not installed("jax"):
        return None
    import jax

    def value(x: Any, *theta: Any) -> Any:
        if isinstance(setting, Conv):
            layout = ("NHWC", "HWIO", "NHWC")
            return (
                jax.lax.conv_general_dilated(x, theta[0], (1, 1), "SAME", dimension_numbers=layout) + theta[1]
            )
        for W1, b1, W2, b2 in blocks_of(theta):
            x = x + jax.nn.relu(x @ W1 + b1) @ W2 + b2
        return x

    x, y_bar, *theta = map(jax.numpy.asarray, draw(setting))
    gradients = jax.jit(lambda y_bar, *args: jax.vjp(value, *args)[1](y_bar))
    return lambda: jax.block_until_ready(gradients(y_bar, x, *theta))


def torch_eager(setting: Mlp | Conv, *, channels_last: bool = True) -> Run | None:
    if not installed("torch"):
        return None
    import torch

    torch.set_num_threads(1)
    x, y_bar, *theta = map(torch.from_numpy, draw(setting))
    if isinstance(setting, Conv):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        x, y_bar = (v.permute(0, 3, 1, 2).contiguous(memory_format=layout) for v in (x, y_bar))
        theta[0] = theta[0].permute(3, 2, 0, 1).contiguous(memory_format=layout)
    args = [v.requires_grad_() for v in (x, *theta)]

    def value() -> Any:
        if isinstance(setting, Conv):
            return torch.nn.functional.conv2d(*args, padding=1)
        x, *theta = args
        for W1, b1, W2, b2 in blocks_of(theta):
            x = x + torch.relu(x @ W1 + b1) @ W2 + b2
        return x

    def run() -> Any:
        bars = torch.autograd.grad(value(), args, y_bar)
        if isinstance(setting, Conv):
            return bars[0].permute(0, 2, 3, 1), bars[1].permute(2, 3, 1, 0), bars[2]
        return bars

    return run
