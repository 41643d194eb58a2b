"""Evidence: ever more blocks, and what the stream and the gradient tend to.

One branch, f(x) = phi(x) W, in blocks ``y = x + f(x) / L^beta``. The weights of block l are those of a curve at
t = l/L, ``W(t) = cos(pi t/2) A + sin(pi t/2) B``, or drawn anew for each block. A, B and the new ones are from
N(0, 1/n), so that a block by itself has the same law in both networks: what differs is what neighbours share.
The limit of the smooth network is ``u' = f(u, W(t))`` on 0 <= t <= 1. Here rows are samples, and phi is tanh, or
the identity where a law is to be exact.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.shortcut import scaled
from resgrad.blocks.stack import stack, trace
from resgrad.rules._types import Rule, Vjp
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

KINDS = ("smooth", "independent")

# Eight seeds for the page.
SEEDS = tuple(range(1, 9))

#: Steps of the Runge-Kutta method that stands for the limit, with a relative error of about 1e-9 here.
STEPS = 64

Array = NDArray[Any]
Arrays = tuple[Array, ...]
Field = Callable[[float, Array], tuple[Array, Vjp]]


class Setting(NamedTuple):
    """A network.

    Attributes
    ----------
    kind : {"smooth", "independent"}
        Weights on a curve, or drawn anew for each block.
    beta : float
        The branch is divided by L^beta.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    activated : bool
        Whether phi is tanh; else the identity.
    """

    kind: str = "smooth"
    beta: float = 1.0
    blocks: int = 64
    width: int = 8
    activated: bool = True


class Draw(NamedTuple):
    """What a seed draws: the ends of the curve of weights (n, n), an input and a gradient at the end (1, n)."""

    A: Array
    B: Array
    x: Array
    g: Array


class Values(NamedTuple):
    """What a network, or its limit, computes.

    Attributes
    ----------
    state : ndarray, shape (1, n)
        x_L, or u(1).
    input_bar : ndarray, shape (1, n)
        The gradient of ``<g, state>`` at x_0, or u(0).
    curve_bar : ndarray, shape (2, n, n)
        That of A and of B.
    """

    state: Array
    input_bar: Array
    curve_bar: Array


class Path(NamedTuple):
    """How a gradient goes from the end of a network to its input, relative to its length at the end.

    Attributes
    ----------
    length : float
        ``|x_bar_0| / |x_bar_L|``.
    shift : float
        ``|x_bar_0 - x_bar_L| / |x_bar_L|``.
    roughness : float
        The sum of the squares of the steps, ``|x_bar_l - x_bar_{l+1}|²``, over ``|x_bar_L|²``.
    """

    length: float
    shift: float
    roughness: float


def draw(width: int, seed: int) -> Draw:
    """Draw a curve of weights, an input and a gradient.

    Parameters
    ----------
    width : int
        n, at least 1.
    seed : int

    Returns
    -------
    Draw
        A, B from N(0, 1/n), x and g from N(0, 1).

    Raises
    ------
    ValueError
        For no width.
    """
    if width < 1:
        raise ValueError(f"limit: width {width}, expected at least 1")
    rng = np.random.default_rng(seed)
    A, B = rng.standard_normal((2, width, width)) / math.sqrt(width)
    return Draw(A, B, *rng.standard_normal((2, 1, width)))


def curve(t: Any, A: Array, B: Array) -> Array:
    """Weights at the depth t, ``cos(pi t/2) A + sin(pi t/2) B``.

    Parameters
    ----------
    t : float or complex
    A, B : ndarray
        Of one shape.

    Returns
    -------
    ndarray
        Of that shape: A for t = 0, B for t = 1.
    """
    W: Array = np.cos(math.pi / 2 * t) * A + np.sin(math.pi / 2 * t) * B
    return W


def network(setting: Setting) -> tuple[Rule, ...]:
    """Blocks of the network, for `stack` or `trace`.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    tuple of rules
        L times the same block; each takes the parameters ``(W, b)``, or ``((), (W, b))`` with an activation.

    Raises
    ------
    ValueError
        An unknown kind, no block, or no width.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"limit: kind is {setting.kind!r}, expected one of {KINDS}")
    if setting.blocks < 1 or setting.width < 1:
        raise ValueError(
            f"limit: blocks {setting.blocks} and width {setting.width}, expected at least 1 of both"
        )
    F = stack(tanh, linear) if setting.activated else linear
    return (scaled(F, lam=1.0, alpha=setting.blocks**-setting.beta),) * setting.blocks


def weights(setting: Setting, drawn: Draw, *, rng: np.random.Generator) -> tuple[Array, ...]:
    """Matrices of the L blocks.

    Parameters
    ----------
    setting : Setting
    drawn : Draw
        Gives the curve of the smooth network.
    rng : numpy.random.Generator
        Gives the weights of the independent one.

    Returns
    -------
    tuple of ndarrays, shape (n, n)
    """
    n, L = setting.width, setting.blocks
    if setting.kind == "smooth":
        return tuple(curve(place / L, drawn.A, drawn.B) for place in range(L))
    return tuple(rng.standard_normal((L, n, n)) / math.sqrt(n))


def run(setting: Setting, seed: int) -> Path:
    """Draw a network and pull a gradient back through it.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights, the input and the gradient.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        A setting that `network` refuses, and a gradient that is too long for double precision.
    """
    blocks, drawn = network(setting), draw(setting.width, seed)
    Ws = weights(setting, drawn, rng=np.random.default_rng((seed, 1)))
    _, pull = trace(*blocks)(drawn.x, *_parameters(setting, Ws))
    x_bars = np.concatenate(pull(drawn.g)[0])
    if not np.isfinite(x_bars).all():
        raise ValueError(f"limit: the gradient overflows with {setting}: take fewer blocks or a larger beta")
    size, steps = float(np.linalg.norm(drawn.g)), np.diff(x_bars, axis=0)
    ends = x_bars[0], x_bars[0] - x_bars[-1]
    length, shift = (float(np.linalg.norm(v)) / size for v in ends)
    return Path(length, shift, float((steps**2).sum()) / size**2)


def expected_path(setting: Setting, seed: int) -> Path:
    """Return the limits and laws that `run` follows, without an activation.

    Parameters
    ----------
    setting : Setting
        Smooth with beta = 1, or independent.
    seed : int
        Draws the curve; without a say in the independent network.

    Returns
    -------
    Path
        Smooth: of the limit with this seed's weights, the roughness divided by L. Independent: roots of means over
        the weights for the first two, the mean for the roughness, exact at every width and depth;
        :eq:`eq-limit-roughness`.

    Raises
    ------
    ValueError
        For a network with an activation, or smooth with another beta.
    """
    L = setting.blocks
    if setting.activated or (setting.kind == "smooth" and setting.beta != 1):
        raise ValueError(f"limit: there is no law here for {setting}")
    if setting.kind == "independent":
        square = (1 + L ** (-2 * setting.beta)) ** L
        return Path(math.sqrt(square), math.sqrt(square - 1), square - 1)
    A, B, _, g = draw(setting.width, seed)

    def back(t: float, y: Array) -> Array:
        """The gradient, and the integral of the square of its slope."""
        slope = -y[:, :-1] @ curve(t, A, B).T
        return np.append(slope, -(slope**2).sum(keepdims=True)[:, :1], axis=1)

    end = runge_kutta(back, np.append(g, [[0.0]], axis=1), 1.0, 0.0)
    ends = end[:, :-1], end[:, :-1] - g
    length, shift = (float(np.linalg.norm(v) / np.linalg.norm(g)) for v in ends)
    return Path(length, shift, float(end[0, -1]) / float((g**2).sum()) / L)


def of_network(setting: Setting, drawn: Draw) -> Values:
    """What backpropagation gives in the smooth network.

    Parameters
    ----------
    setting : Setting
        Smooth.
    drawn : Draw

    Returns
    -------
    Values
        Those of A and B by the chain rule from the gradients of the blocks' weights.
    """
    L, rng = setting.blocks, np.random.default_rng(0)
    state, vjp = stack(*network(setting))(drawn.x, *_parameters(setting, weights(setting, drawn, rng=rng)))
    input_bar, *theta_bars = vjp(drawn.g)
    W_bars = np.array([(theta[-1] if setting.activated else theta)[0] for theta in theta_bars])
    angles = math.pi / 2 * np.arange(L) / L
    return Values(state, input_bar, np.tensordot([np.cos(angles), np.sin(angles)], W_bars, 1))


def field(t: Any, u: Array, A: Array, B: Array) -> tuple[Array, Vjp]:
    """Right-hand side of the limit, ``u' = tanh(u) W(t)``, as a rule.

    Parameters
    ----------
    t : float or complex
    u : (N, n) array
    A, B : (n, n) arrays, or (N, n, n)
        The curve of weights, one for each row where there are N.

    Returns
    -------
    v : (N, n) array
    vjp : function
        Maps v_bar to ``(u_bar, W_bar)``, W_bar (n, n).
    """
    return _branch(u, curve(t, A, B))


def runge_kutta(
    f: Callable[[Any, Array], Array], y: Array, start: Any, end: Any, steps: int = STEPS
) -> Array:
    """Solve ``y' = f(t, y)`` from start to end by the classical method of order four.

    Parameters
    ----------
    f : function
    y : ndarray
        At the start.
    start, end : float or complex
    steps : int

    Returns
    -------
    ndarray
        At the end.
    """
    h = (end - start) / steps
    for i in range(steps):
        t = start + i * h
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(t + h, y + h * k3))
    return y


def flow(u: Array, start: Any, end: Any, A: Array, B: Array, steps: int = STEPS) -> Array:
    """Take the state of the limit from one depth to another.

    Parameters
    ----------
    u : (N, n) array
        At the depth `start`.
    start, end : float or complex
        Depths, from 0 to 1; the end may come first.
    A, B : (n, n) arrays, or (N, n, n)
    steps : int

    Returns
    -------
    (N, n) array
        At the depth `end`.
    """
    return runge_kutta(lambda t, u: field(t, u, A, B)[0], u, start, end, steps)


def of_limit(drawn: Draw, *, steps: int = STEPS) -> Values:
    """What the limit gives: the adjoint equation solved back from the end; :eq:`eq-limit-derivation`.

    Parameters
    ----------
    drawn : Draw
    steps : int
        Of the Runge-Kutta method, each way.

    Returns
    -------
    Values
    """
    A, B, x, g = drawn
    n, state = x.shape[1], flow(x, 0.0, 1.0, A, B, steps)

    def back(t: float, y: Array) -> Array:
        """The state, its gradient, and what the weights have gathered so far."""
        v, vjp = field(t, y[:1], A, B)
        u_bar, W_bar = vjp(y[1:2])
        cos, sin = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
        return np.concatenate([v, -u_bar, -cos * W_bar, -sin * W_bar])

    y = runge_kutta(back, np.concatenate([state, g, np.zeros((2 * n, n))]), 1.0, 0.0, steps)
    return Values(state, y[1:2], y[2:].reshape(2, n, n))


def leading_error(drawn: Draw, *, steps: int = 16) -> Values:
    """Limit of L times the network's error: ``e' = e J^T - u''/2``, and its derivatives; :eq:`eq-limit-error`.

    Parameters
    ----------
    drawn : Draw
    steps : int
        Sixteen give it to five digits.

    Returns
    -------
    Values
        ``e(1)``, and the gradient of ``<g, e(1)>`` at the input and at A and B, by complex steps.
    """
    A, B, x, g = drawn
    n, step = x.shape[1], 1e-30
    rows = 1 + n + 2 * n * n  # none moved, then one entry of x, A or B each
    moved = 1j * step * np.eye(rows)[:, 1:]
    u = x + moved[:, :n]
    As, Bs = (M + moved[:, i : i + n * n].reshape(rows, n, n) for i, M in ((n, A), (n + n * n, B)))

    def right(t: float, y: Array) -> Array:
        u, e = y[:, :n], y[:, n:]
        h, W, turn = np.tanh(u), curve(t, As, Bs), math.pi / 2 * curve(t + 1, As, Bs)
        v = h[:, None] @ W
        second = ((1 - h * h)[:, None] * v) @ W + h[:, None] @ turn
        return np.concatenate([v[:, 0], (((1 - h * h) * e)[:, None] @ W - second / 2)[:, 0]], axis=1)

    e = runge_kutta(right, np.concatenate([u, np.zeros((rows, n))], axis=1), 0.0, 1.0, steps)[:, n:]
    bars = (e @ g.T)[1:, 0].imag / step
    return Values(e[:1].real, bars[:n][None], bars[n:].reshape(2, n, n))


def on_own_grid(
    f: Field, state: Array, g: Array, *, blocks: int, stored: Any = None
) -> tuple[Arrays, Arrays, Arrays]:
    """Solve the adjoint equation by Euler's steps from the top, which is not backpropagation.

    Parameters
    ----------
    f : function
        ``v, vjp = f(t, u)`` with ``u_bar, W_bar = vjp(v_bar)``: the branch, undivided.
    state, g : (N, n) arrays
        x_L and the gradient there.
    blocks : int
        L: as many steps as the network has.
    stored : sequence of arrays, optional
        The stream x_0, ..., x_L; without it the stream is computed back from its end, by Euler's steps too.

    Returns
    -------
    xs, x_bars : tuples of L + 1 arrays, shape (N, n)
        The stream that was used, and the gradients; see :eq:`eq-limit-two-ways`.
    W_bars : tuple of L arrays, shape (n, n)
        What each step gives for the weights at its upper end, t = 1/L, ..., 1.
    """
    xs, x_bars, W_bars = [state], [g], []
    for place in range(blocks, 0, -1):
        v, vjp = f(place / blocks, xs[-1])
        u_bar, W_bar = vjp(x_bars[-1])
        xs.append(xs[-1] - v / blocks if stored is None else stored[place - 1])
        x_bars.append(x_bars[-1] + u_bar / blocks)
        W_bars.append(W_bar / blocks)
    return tuple(xs[::-1]), tuple(x_bars[::-1]), tuple(W_bars[::-1])


def mismatch(contraction: float, blocks: int, seed: int, *, width: int = 8) -> Array:
    """How far the gradient on its own grid is from the exact gradient of the same network.

    Parameters
    ----------
    contraction : float
        c: the weights are those of the curve minus c I.
    blocks, seed, width : int

    Returns
    -------
    ndarray, shape (2,)
        With the stream stored, and computed back: of the gradient of what is added to the weights of all blocks,
        the length of the difference over that of the exact one.
    """
    A, B, x, g = draw(width, seed)
    setting = Setting(blocks=blocks, width=width)
    towards = contraction * np.eye(width)
    Ws = tuple(curve(place / blocks, A, B) - towards for place in range(blocks + 1))
    xs, pull = trace(*network(setting))(x, *_parameters(setting, Ws[:-1]))
    exact = np.sum([theta[-1][0] for theta in pull(g)[1]], axis=0)

    def f(t: float, u: Array) -> tuple[Array, Vjp]:
        return _branch(u, Ws[round(t * blocks)])

    other = [np.sum(on_own_grid(f, xs[-1], g, blocks=blocks, stored=kept)[2], axis=0) for kept in (xs, None)]
    return np.array([np.linalg.norm(bar - exact) / np.linalg.norm(exact) for bar in other])


def errors(drawn: Draw, depths: Any) -> Array:
    """How far networks are from their limit.

    Parameters
    ----------
    drawn : Draw
    depths : sequence of int
        Numbers of blocks.

    Returns
    -------
    ndarray, shape (depths, 3)
        Of the state, the gradient at the input and that of A and B: length of the difference over that of the limit's.
    """
    limit, n = of_limit(drawn), drawn.x.shape[1]
    found = [of_network(Setting(blocks=int(L), width=n), drawn) for L in depths]
    apart = [[a - b for a, b in zip(values, limit, strict=True)] for values in found]
    return np.array([_relative(differences, limit) for differences in apart])


def expected_errors(drawn: Draw) -> Array:
    """Limit of L times `errors`, from the limit alone.

    Parameters
    ----------
    drawn : Draw

    Returns
    -------
    ndarray, shape (3,)
    """
    return np.array(_relative(leading_error(drawn), of_limit(drawn)))


def _branch(u: Array, W: Array) -> tuple[Array, Vjp]:
    h = np.tanh(u)

    def vjp(v_bar: Array) -> tuple[Array, Array]:
        return (v_bar @ W.T) * (1 - h * h), h.T @ v_bar

    return (h[:, None] @ W)[:, 0] if W.ndim == 3 else h @ W, vjp


def _relative(differences: Any, limit: Values) -> list[float]:
    return [float(np.linalg.norm(d) / np.linalg.norm(v)) for d, v in zip(differences, limit, strict=True)]


def _parameters(setting: Setting, Ws: tuple[Array, ...]) -> list[Any]:
    b = np.zeros(setting.width)
    return [((), (W, b)) if setting.activated else (W, b) for W in Ws]
