"""Evidence for the page on initialisation: how a start scales the gradient, the first step, what learns when.

One branch, F(x) = relu(x W1) W2 with W1 from N(0, 1/n) and W2 from N(0, 2/n), which keeps the mean square of what
passes it, in both directions and at every width; the biases are 0. A setting multiplies every W2 by L^-beta.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import trace
from resgrad.lab.optimizers import Tree, sgd
from resgrad.measure._tree import leaves
from resgrad.rules import _require as require
from resgrad.rules._types import Rule, Vjp
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

# Twelve seeds for the page.
SEEDS = tuple(range(1, 13))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `growth` builds.

    Attributes
    ----------
    beta : float
        Every branch is multiplied by L^-beta; 0 leaves it as it is.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1; the hidden width is the same.
    """

    beta: float
    blocks: int
    width: int = 64


class Growth(NamedTuple):
    """What `growth` measured.

    Attributes
    ----------
    forward, backward : float
        ``|x_L| / |x_0|`` and ``|x_bar_0| / |x_bar_L|``.
    """

    forward: float
    backward: float


def scale(x: Any, alpha: Any) -> tuple[Any, Vjp]:
    """Multiply by one number that is learned: ``y = alpha x``, the last layer of a ReZero or SkipInit branch.

    Parameters
    ----------
    x : array of any shape
        Floating or complex.
    alpha : array of shape ()
        Of x's dtype.

    Returns
    -------
    y : array
        Of x's shape and dtype.
    vjp : function
        Maps y_bar to ``(x_bar, alpha_bar)``, see :eq:`eq-initialization-factors`.
        It holds on to x and alpha themselves.

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from x's.
    ValueError
        If alpha is not one number.

    Notes
    -----
    Bachlechner et al. 2021 (arXiv 2003.04887), equation 1; De and Smith 2020 (arXiv 2002.10444), SkipInit.

    Examples
    --------
    >>> y, vjp = scale(np.array([[3.0, 4.0]]), np.array(2.0))
    >>> x_bar, alpha_bar = vjp(np.array([[1.0, 2.0]]))
    >>> y.tolist(), x_bar.tolist(), alpha_bar.item()
    ([[6.0, 8.0]], [[2.0, 4.0]], 11.0)
    """
    require.floating(x=x, alpha=alpha)
    if alpha.shape != ():
        raise require.misfit("alpha of shape ()", x=x, alpha=alpha)

    def vjp(y_bar: Any) -> tuple[Any, Any]:
        require.like("y_bar", y_bar, x.shape, x.dtype)
        return alpha * y_bar, np.asarray((y_bar * x).sum())

    return alpha * x, vjp


def unbiased(x: Any, W: Any) -> tuple[Any, Vjp]:
    """Affine layer without a bias: ``y = x W``.

    Parameters
    ----------
    x : (N, n) array
        Floating or complex.
    W : (n, m) array
        Of x's dtype.

    Returns
    -------
    y : (N, m) array
        Of x's dtype.
    vjp : function
        Maps y_bar to ``(x_bar, W_bar)``, see :eq:`eq-linear-vjp`.

    Raises
    ------
    TypeError, ValueError
        As `linear`.

    Examples
    --------
    >>> y, vjp = unbiased(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [3.0, 1.0]]))
    >>> y.tolist(), len(vjp(y))
    ([[7.0, 2.0]], 2)
    """
    y, vjp = linear(x, W, np.zeros(W.shape[-1:], W.dtype))
    return y, lambda y_bar: vjp(y_bar)[:2]


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters.

    Parameters
    ----------
    setting : Setting
        Exponent, number of blocks and width.
    rng : numpy.random.Generator
        The same state gives all exponents the same draws.

    Returns
    -------
    nested tuple
        ``(W1, b1, W2, b2)`` for each block, float64, the biases 0.

    Raises
    ------
    ValueError
        No block, no width, or an exponent that is not finite.
    """
    n, L = setting.width, setting.blocks
    if n < 1 or L < 1 or not math.isfinite(setting.beta):
        raise ValueError(f"initialization: {setting}, expected at least 1 block, width 1 and a finite beta")
    first, last, none = math.sqrt(1 / n), math.sqrt(2 / n) * L**-setting.beta, np.zeros(n)
    draws = (rng.standard_normal((2, n, n)) for _ in range(L))
    return tuple((first * W1, none, last * W2, none) for W1, W2 in draws)


def growth(setting: Setting, seed: int) -> Growth:
    """Draw a network, an input and a gradient at the top, and see how long both are at the other end.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, the input and the gradient.

    Returns
    -------
    Growth
        Both lengths, relative.

    Raises
    ------
    ValueError
        A setting that `initial` refuses.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    thetas = initial(setting, rng=weights_rng)
    xs, pull = trace(*[residual(branch(relu))] * setting.blocks)(_row(setting.width, x_rng), *thetas)
    x_bars, _ = pull(_row(setting.width, g_rng))
    return Growth(_norm(xs[-1]) / _norm(xs[0]), _norm(x_bars[0]) / _norm(x_bars[-1]))


def expected(setting: Setting) -> float:
    """Root mean square of both lengths that `growth` measures, over the weights.

    Parameters
    ----------
    setting : Setting
        Which network.

    Returns
    -------
    float
        ``(1 + L^(-2 beta))^(L/2)``, exact at every width, see :eq:`eq-initialization-mean`.
    """
    return float((1 + setting.blocks ** (-2 * setting.beta)) ** (setting.blocks / 2))


class Step(NamedTuple):
    """What `first_step` builds.

    Attributes
    ----------
    blocks : int
        L, at least 1.
    fixup : bool
        Whether W1, from N(0, 2/n), is multiplied by L^-1/2; W2 is zero in both cases.
    width : int
        n, at least 1; the hidden width is the same.
    """

    blocks: int
    fixup: bool
    width: int = 32


def first_step(setting: Step, seed: int, *, rate: float = 1e-6) -> float:
    """Take one step of gradient descent from W2 = 0 and see how far the output moves.

    Parameters
    ----------
    setting : Step
        Depth, width and the scale of W1.
    seed : int
        Of W1, of the input and of the gradient at the output.
    rate : float
        Of the step; small, so that what is of second order is.

    Returns
    -------
    float
        The part of the output's move along the negative gradient, over ``rate |x|² |x_bar_L|``: the sum of
        :eq:`eq-initialization-first-step` over ``|x|²``, to first order in the rate.

    Raises
    ------
    ValueError
        No block or no width.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    n, L = setting.width, setting.blocks
    # A branch divided by sqrt(L) in its first layer instead of its last.
    drawn = initial(Setting(0.0, L, n), rng=weights_rng)
    size = math.sqrt(2 / (L if setting.fixup else 1))
    thetas: Tree = tuple((size * W1, b1, 0 * W2) for W1, b1, W2, _ in drawn)
    blocks = [residual(_without_last_bias)] * L
    x, g = _row(n, x_rng), _row(n, g_rng)
    xs, pull = trace(*blocks)(x, *thetas)
    _, theta_bars = pull(g)
    descent = sgd(rate=rate, momentum=0.0)
    moved, _ = descent.step(thetas, theta_bars, descent.init(thetas))
    after = trace(*blocks)(x, *moved)[0][-1]
    return -float(((after - xs[-1]) * g).sum()) / rate / _norm(x) ** 2 / _norm(g) ** 2


def signals(block: Rule, theta: Tree, *, width: int, seed: int, steps: int) -> list[list[float]]:
    """Train one block and keep the length of every parameter's gradient at every step.

    Parameters
    ----------
    block : rule
        ``y, vjp = block(x, *theta)`` with y of x's shape.
    theta : nested tuple of arrays
        The parameters at the start.
    width : int
        Entries of a row of x.
    seed : int
        Of eight samples and their targets.
    steps : int
        Steps of gradient descent with rate 0.1 on half the squared distance, mean over the rows.

    Returns
    -------
    list of lists of float
        ``lengths[k][t]`` for parameter k, in the order of theta, and step t = 0, 1, ...; a gradient that is zero
        gives exactly 0.
    """
    x, target = np.random.default_rng(seed).standard_normal((2, 8, width))
    descent = sgd(rate=0.1, momentum=0.0)
    state, found = descent.init(theta), []
    for _ in range(steps):
        y, vjp = block(x, *theta)
        _, *theta_bar = vjp((y - target) / len(x))
        found.append([_norm(bar) for bar in leaves(tuple(theta_bar))])
        theta, state = descent.step(theta, tuple(theta_bar), state)
    return [list(lengths) for lengths in zip(*found, strict=True)]


def _without_last_bias(x: Array, W1: Array, b1: Array, W2: Array) -> tuple[Array, Vjp]:
    y, vjp = branch(relu)(x, W1, b1, W2, np.zeros(W2.shape[1]))
    return y, lambda y_bar: vjp(y_bar)[:-1]


def _row(n: int, rng: np.random.Generator) -> Array:
    return rng.standard_normal((1, n))


def _norm(v: Any) -> float:
    return float(np.linalg.norm(v))
