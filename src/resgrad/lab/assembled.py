"""The basic block of a ResNet with one bug at a time in its backward pass, and which gradients each bug spoils."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from resgrad.blocks.shortcut import shortcut
from resgrad.blocks.stack import stack
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.activation import relu
from resgrad.rules.convolution import conv2d
from resgrad.rules.normalization import batch_norm, batch_norm_inference, batch_statistics

# Ten seeds for the page.
SEEDS = tuple(range(1, 11))
#: In the order in which `run` gives their errors.
GRADIENTS = ("x", "W1", "gamma1", "beta1", "W2", "gamma2", "beta2", "W_S", "gamma_S", "beta_S")

_EPS = 1e-5


def run(bug: str, seed: int) -> tuple[float, ...]:
    """Draw a block, an input and a gradient at its output, and compare the gradients with and without a bug.

    Parameters
    ----------
    bug : str
        One of `BUGS`. None of them changes the block's value.
    seed : int
        Of the weights, He's N(0, 2 / fan-in), of gains from N(1, 0.1^2), of shifts from N(0, 0.1^2), of the input
        from N(0, 1) and of the gradient at the output, the same for every bug.

    Returns
    -------
    tuple of float
        For each of `GRADIENTS`, the length of what is wrong over the length of the right gradient.

    Raises
    ------
    ValueError
        For a bug that is none of them.

    Notes
    -----
    Four images of 8 by 8 pixels and 4 channels become 4 by 4 pixels and 8 channels.
    """
    if bug not in BUGS:
        raise ValueError(f"bug: expected one of {', '.join(BUGS)}; got {bug!r}")
    rng = np.random.default_rng(seed)
    x, theta = rng.standard_normal((4, 8, 8, 4)), _parameters(rng, 4, 8)
    (y, vjp), (same, wrong_vjp) = _basic()(x, theta, ()), _basic(**BUGS[bug])(x, theta, ())
    assert np.array_equal(y, same)
    y_bar = rng.standard_normal(y.shape)
    pairs = zip(_flat(wrong_vjp(y_bar)), _flat(vjp(y_bar)), strict=True)
    return tuple(float(np.linalg.norm(wrong - right) / np.linalg.norm(right)) for wrong, right in pairs)


def _parameters(rng: np.random.Generator, n: int, m: int) -> Any:
    def conv(size: int, width: int) -> tuple[Array]:
        return (math.sqrt(2 / (size**2 * width)) * rng.standard_normal((size, size, width, m)),)

    def norm() -> tuple[Array, Array]:
        gamma, beta = 0.1 * rng.standard_normal((2, m))
        return 1 + gamma, beta

    return (conv(3, n), norm(), (), conv(3, m), norm()), (conv(1, n), norm())


def _flat(bars: Any) -> list[Array]:
    return [bar for item in bars for bar in _flat(item)] if isinstance(bars, tuple) else [bars]


def _conv(x: Array, W: Array, *, stride: int = 1, padding: int = 0) -> tuple[Array, Vjp]:
    y, vjp = conv2d(x, W, np.zeros(W.shape[3]), stride=stride, padding=padding)
    return y, lambda y_bar: vjp(y_bar)[:2]


_norm = partial(batch_norm, eps=_EPS)


def _basic(
    norm: Rule = _norm,
    inner: Rule = relu,
    outer: Rule = relu,
    join: Callable[[Rule, Rule], Rule] = shortcut,
) -> Rule:
    F = stack(partial(_conv, stride=2, padding=1), norm, inner, partial(_conv, padding=1), norm)
    S = stack(partial(_conv, stride=2), norm)
    return stack(join(F, S), outer)


# The bugs: each has the right value and a wrong way back.


def _unmasked(a: Array) -> tuple[Array, Vjp]:
    return relu(a)[0], lambda y_bar: (y_bar,)


def _held(x: Array, gamma: Array, beta: Array) -> tuple[Array, Vjp]:
    mean, var = batch_statistics(x)
    return _norm(x, gamma, beta)[0], batch_norm_inference(x, gamma, beta, mean=mean, var=var, eps=_EPS)[1]


def _dropped(F: Rule, S: Rule) -> Rule:
    def block(x: Array, theta_F: Any, theta_S: Any) -> tuple[Array, Vjp]:
        y, vjp = shortcut(F, S)(x, theta_F, theta_S)
        from_S = S(x, *theta_S)[1]

        def wrong(y_bar: Array) -> tuple[Any, ...]:
            x_bar, *bars = vjp(y_bar)
            return x_bar - from_S(y_bar)[0], *bars

        return y, wrong

    return block


def _past_the_mask(F: Rule, S: Rule) -> Rule:
    def block(x: Array, theta_F: Any, theta_S: Any) -> tuple[Array, Vjp]:
        (z, _), F_vjp, S_vjp = shortcut(F, S)(x, theta_F, theta_S), F(x, *theta_F)[1], S(x, *theta_S)[1]
        y, mask = relu(z)

        def wrong(y_bar: Array) -> tuple[Any, ...]:
            (F_bar, *theta_F_bar), (S_bar, *theta_S_bar) = F_vjp(*mask(y_bar)), S_vjp(y_bar)
            return F_bar + S_bar, tuple(theta_F_bar), tuple(theta_S_bar)

        return y, wrong

    return block


#: What each bug puts in the place of a part of the block.
BUGS: dict[str, dict[str, Any]] = {
    "last mask forgotten": {"outer": _unmasked},
    "last mask on the branch alone": {"join": _past_the_mask, "outer": stack()},
    "statistics held constant": {"norm": _held},
    "inner mask forgotten": {"inner": _unmasked},
    "shortcut's gradient dropped": {"join": _dropped},
}
