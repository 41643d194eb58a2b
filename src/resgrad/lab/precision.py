"""A pre-LN network in bfloat16, against the same weights in double precision: what is lost by depth.

Block l is x + F_l(LN(x)) with F_l(x) = x W, W from N(0, 1/n) and rounded to the format beforehand, so that every
arithmetic has the same weights. A normalised row and a product are rounded in the branch; whether the sum is
rounded, too, is what the settings differ in.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.stack import stack, trace
from resgrad.lab.rounding import UNIT, Rounding, bfloat16, float16, float32, rounded, stochastic
from resgrad.rules import _require as require
from resgrad.rules._types import Rule, Vjp
from resgrad.rules.linear import linear
from resgrad.rules.normalization import layer_norm

# Ten seeds for the page.
SEEDS = tuple(range(1, 11))
ROUNDINGS: dict[str, Rounding] = {"bfloat16": bfloat16, "float16": float16, "float32": float32}
#: The mean square of a rounding error, over u² and over the square of the number: 1 / (8 log 2).
MEAN_SQUARE = 1 / (8 * math.log(2))

Array = NDArray[Any]
Sum = Callable[[Array, Array], Array]


class Setting(NamedTuple):
    """Which arithmetic.

    Attributes
    ----------
    branch : {"bfloat16", "float16", "float32"}
        The format of what the branches compute, forwards and backwards.
    stream : {"bfloat16", "float16", "float32", "stochastic"}
        The format to which the sums x + F(x) and the sums of gradients are rounded; the fourth rounds to bfloat16
        by chance.
    blocks, width : int
        L and n.
    """

    branch: str = "bfloat16"
    stream: str = "bfloat16"
    blocks: int = 64
    width: int = 128


class Errors(NamedTuple):
    """What is lost, relative to the same network in double precision.

    Attributes
    ----------
    stream : ndarray, shape (L + 1,)
        The length of the error of x_l over that of x_l.
    gradient : ndarray, shape (L + 1,)
        The same of the gradient at x_l, for one gradient at x_L.
    weight : ndarray, shape (L,)
        The same of the gradient of W_l.
    lost : ndarray, shape (L,)
        The share of the entries of a branch's output that leave the entry of the stream as it was.
    """

    stream: Array
    gradient: Array
    weight: Array
    lost: Array


def run(setting: Setting, seed: int) -> Errors:
    """Run a network in the setting's arithmetic and in double precision.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights, of the input from N(0, 1), of the gradient at the output, and of stochastic rounding.

    Returns
    -------
    Errors

    Raises
    ------
    ValueError
        For another format, or sizes below 1.
    """
    if setting.branch not in ROUNDINGS or setting.stream not in (*ROUNDINGS, "stochastic"):
        raise ValueError(f"precision: expected a format of {sorted(ROUNDINGS)}, got {setting}")
    if min(setting.blocks, setting.width) < 1:
        raise ValueError(f"precision: expected sizes of 1 or more, got {setting}")
    short, n = ROUNDINGS[setting.branch], setting.width
    rng, chance = np.random.default_rng(seed).spawn(2)
    into = stochastic(chance) if setting.stream == "stochastic" else ROUNDINGS[setting.stream]
    x, y_bar = (short(rng.standard_normal((1, n)).astype(np.float32)) for _ in range(2))
    weights = [
        short((rng.standard_normal((n, n)) / math.sqrt(n)).astype(np.float32)) for _ in range(setting.blocks)
    ]
    found = _gradients(_block(short, into), x, weights, y_bar)
    true = _gradients(
        _block(None, None), x.astype(float), [W.astype(float) for W in weights], y_bar.astype(float)
    )
    stream, gradient, weight = (
        np.array([_distance(a, b) for a, b in zip(*both, strict=True)])
        for both in zip(found, true, strict=True)
    )
    unchanged = [float(np.mean(a == b)) for a, b in zip(found[0][:-1], found[0][1:], strict=True)]
    return Errors(stream, gradient, weight, np.array(unchanged))


def expected(setting: Setting) -> tuple[Array, Array]:
    """Return the laws for the errors of stream and gradient, from the rounding model.

    Parameters
    ----------
    setting : Setting
        With formats that round to nearest.

    Returns
    -------
    stream, gradient : ndarrays, shape (L + 1,)
        The root of the mean square, relative to the length of x_l and of the gradient at x_l.
    """
    L, sums = setting.blocks, np.arange(setting.blocks + 1.0)
    # Two roundings in the branch of block i, whose energy is one part of the i + 2 that the stream has behind it.
    shares = 2 / (np.arange(L) + 2)
    into, short = (MEAN_SQUARE * UNIT[name] ** 2 for name in (setting.stream, setting.branch))
    below, above = (np.concatenate([[0.0], np.cumsum(part)]) for part in (shares, shares[::-1]))
    return np.sqrt(into * sums + short * below), np.sqrt(into * sums + short * above)[::-1]


def accumulate(terms: Array, method: str, *, rng: np.random.Generator | None = None) -> Array:
    """Add branches to a stream in bfloat16, one after the other, in one of four ways.

    Parameters
    ----------
    terms : (L, n) float32 array
        What each block adds.
    method : {"nearest", "stochastic", "compensated", "float32"}
        How a sum is rounded: to the nearest bfloat16, to one of two by chance, to the nearest with what was lost kept
        in a second bfloat16 and added next time, or not below single precision.
    rng : numpy.random.Generator, optional
        For stochastic rounding.

    Returns
    -------
    (L + 1, n) float32 array
        The stream, from zero.

    Raises
    ------
    ValueError
        For another method, or chance without rng.
    """
    add: dict[str, Callable[[Array, Array, Array], tuple[Array, Array]]] = {
        "nearest": lambda x, lost, f: (bfloat16(x + f), lost),
        "float32": lambda x, lost, f: (x + f, lost),
        "compensated": lambda x, lost, f: compensated_add(x, bfloat16(f + lost)),
    }
    if rng is not None:
        by_chance = stochastic(rng)
        add["stochastic"] = lambda x, lost, f: (by_chance(x + f), lost)
    if method not in add:
        raise ValueError(f"accumulate: expected one of {sorted(add)} (stochastic with rng), got {method!r}")
    x = lost = np.zeros_like(terms[0])
    xs = [x]
    for f in terms:
        x, lost = add[method](x, lost, f)
        xs.append(x)
    return np.array(xs)


def compensated_add(x: Array, f: Array) -> tuple[Array, Array]:
    """Add in bfloat16, and find what the rounding has lost.

    Parameters
    ----------
    x, f : float32 arrays of bfloat16
        Where an entry of x is not zero, that of f is no larger in size.

    Returns
    -------
    s : float32 array
        x + f, rounded to the nearest bfloat16.
    lost : float32 array
        x + f - s, exactly: it is a bfloat16 itself.

    Notes
    -----
    Dekker 1971, A Floating-Point Technique for Extending the Available Precision.

    Examples
    --------
    >>> s, lost = compensated_add(np.float32([256.0]), np.float32([1.0]))
    >>> s.item(), lost.item()
    (256.0, 1.0)
    """
    s = bfloat16(x + f)
    return s, bfloat16(f - bfloat16(s - x))


def _block(short: Rounding | None, into: Rounding | None) -> Rule:
    """Build x + LN(x) W; with roundings, in the arithmetic that they make."""

    def normalise(x: Array) -> tuple[Array, Vjp]:
        ones = np.ones(x.shape[-1], x.dtype)
        y, vjp = layer_norm(x, ones, 0 * ones, eps=0.0)
        return y, lambda y_bar: vjp(y_bar)[:1]

    def product(x: Array, W: Array) -> tuple[Array, Vjp]:
        y, vjp = linear(x, W, np.zeros(W.shape[1], W.dtype))
        return y, lambda y_bar: vjp(y_bar)[:2]

    F = stack(*(f if short is None else rounded(f, short) for f in (normalise, product)))

    def block(x: Array, W: Array) -> tuple[Array, Vjp]:
        Fx, F_vjp = F(x, (), (W,))
        require.like("F(x)", Fx, x.shape, x.dtype)
        end = into or (lambda v: v)

        def vjp(y_bar: Array) -> tuple[Array, Array]:
            x_bar, _, (W_bar,) = F_vjp(y_bar)
            return end(x_bar + y_bar), W_bar

        return end(x + Fx), vjp

    return block


def _gradients(block: Rule, x: Array, weights: list[Array], y_bar: Array) -> tuple[list[Array], ...]:
    thetas = [(W,) for W in weights]
    xs, pull = trace(*[block] * len(weights))(x, *thetas)
    x_bars, theta_bars = pull(y_bar)
    return list(xs), list(x_bars), [W_bar for (W_bar,) in theta_bars]


def _distance(found: Array, true: Array) -> float:
    return float(np.linalg.norm(found.astype(float) - true) / np.linalg.norm(true))
