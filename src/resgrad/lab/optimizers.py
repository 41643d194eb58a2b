"""Two optimisers as pure functions of parameters, gradients and a state."""

import math
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Parameters as `stack` takes them: tuples of tuples, with arrays as the leaves. A recursive alias would
# say so, but `stack` hands back plain tuples.
Tree = Any
Vector = NDArray[np.floating[Any]]

# The learning rate of step t = 0, 1, ...
Schedule = Callable[[int], float]


class Optimizer(NamedTuple):
    """A pair of pure functions; neither changes what it is given.

    Attributes
    ----------
    init : callable
        ``state = init(theta)``.
    step : callable
        ``theta, state = step(theta, theta_bar, state)``, new arrays of the shapes and dtypes of `theta`.
    """

    init: Callable[[Tree], Any]
    step: Callable[[Tree, Tree, Any], tuple[Tree, Any]]


def pack(tree: Tree) -> Vector:
    """Put all leaves of a nested tuple into one vector, so that a step is a few operations in all.

    Parameters
    ----------
    tree : array or nested tuple of arrays
        The containers that `stack` uses; an empty tuple is a rule without parameters.

    Returns
    -------
    ndarray, shape (P,)
        A copy of the leaves, depth first.

    Raises
    ------
    ValueError
        There is no leaf.
    TypeError
        Two leaves differ in dtype, or one is no array.
    """
    return _join(_leaves(tree))


def unpack(vector: Vector, like: Tree) -> Tree:
    """Give the entries of a vector the nested form of a tree: the inverse of `pack`.

    Parameters
    ----------
    vector : ndarray, shape (P,)
        As `pack` made it.
    like : array or nested tuple of arrays
        With P entries in all.

    Returns
    -------
    array or nested tuple
        Views of `vector`, nested and shaped as `like` is.

    Raises
    ------
    ValueError
        `like` has another number of entries.
    """
    sizes = [leaf.size for leaf in _leaves(like)]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"unpack: vector has shape {vector.shape}, the parameters have {sum(sizes)} entries")
    pieces = iter([vector[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)])
    return _rebuild(pieces, like)


def _leaves(tree: Tree) -> list[Any]:
    if not isinstance(tree, tuple):
        return [tree]
    return [leaf for part in tree for leaf in _leaves(part)]


def _join(leaves: list[Any]) -> Vector:
    if not leaves:
        raise ValueError("pack: there is no parameter")
    for leaf in leaves:
        if not isinstance(leaf, np.ndarray):  # before its dtype: numpy takes a missing one for float64
            raise TypeError(f"pack: a leaf is {type(leaf).__name__}, expected a numpy array")
        if leaf.dtype != leaves[0].dtype:
            raise TypeError(f"pack: a leaf has dtype {leaf.dtype}, the first one {leaves[0].dtype}")
    return np.concatenate([leaf.ravel() for leaf in leaves])


def _rebuild(pieces: Iterator[Vector], like: Tree) -> Tree:
    if isinstance(like, tuple):
        return tuple([_rebuild(pieces, part) for part in like])
    return next(pieces).reshape(like.shape)


def _pack_both(where: str, theta: Tree, theta_bar: Tree) -> tuple[Vector, Vector]:
    leaves, bars = _leaves(theta), _leaves(theta_bar)
    vector, vector_bar = _join(leaves), _join(bars)
    if (shapes := [leaf.shape for leaf in leaves]) != (found := [bar.shape for bar in bars]):
        raise ValueError(f"{where}: theta_bar has leaves of shapes {found}, theta {shapes}")
    if vector.dtype != vector_bar.dtype:
        raise TypeError(f"{where}: theta_bar has dtype {vector_bar.dtype}, theta {vector.dtype}")
    return vector, vector_bar


def linear_decay(rate: float, *, steps: int) -> Schedule:
    """Let a learning rate fall on a straight line: `rate` at step 0, and 0 after the last of `steps`.

    Parameters
    ----------
    rate : float
        The first rate, positive.
    steps : int
        After how many steps it would be 0, at least 1.

    Returns
    -------
    callable
        The rate of step t = 0, 1, ..., ``rate * (1 - t / steps)``, and 0 from ``t = steps`` on.

    Raises
    ------
    ValueError
        A setting outside its range.
    """
    rate = _in_range("linear_decay", "rate", rate, 0 < rate < math.inf)
    _in_range("linear_decay", "steps", steps, steps >= 1)
    return lambda t: rate * max(0.0, 1 - t / steps)


def sgd(*, rate: float | Schedule, momentum: float = 0.9) -> Optimizer:
    r"""Gradient descent with heavy-ball momentum.

    With :math:`\mu` the momentum and :math:`\varepsilon` the rate, :math:`v \leftarrow \mu v -
    \varepsilon \bar\theta` and :math:`\theta \leftarrow \theta + v`, from :math:`v = 0`: the rate is
    inside the velocity (in PyTorch it is outside; for a constant rate the two give the same steps).

    Parameters
    ----------
    rate : float or callable
        Learning rate, positive, or a function that gives it for step t = 0, 1, ...
    momentum : float
        From 0 (plain gradient descent) to below 1.

    Returns
    -------
    Optimizer
        The state is ``(t, v)``: the steps done and the velocity, a vector as from `pack`.

    Raises
    ------
    ValueError
        A setting outside its range; in ``step``, gradients that do not fit the parameters.
    TypeError
        In ``step``, gradients of another dtype than the parameters.

    References
    ----------
    B. T. Polyak (1964), *Some methods of speeding up the convergence of iteration methods*; in the form
    of Sutskever, Martens, Dahl, Hinton (ICML 2013), equations 1 and 2.
    """
    rate_at = _schedule("sgd", rate)
    momentum = _in_range("sgd", "momentum", momentum, 0 <= momentum < 1)

    def init(theta: Tree) -> Any:
        return 0, np.zeros_like(pack(theta))

    def step(theta: Tree, theta_bar: Tree, state: Any) -> tuple[Tree, Any]:
        t, v = state
        vector, bar = _pack_both("sgd", theta, theta_bar)
        v = momentum * v - rate_at(t) * bar
        return unpack(vector + v, theta), (t + 1, v)

    return Optimizer(init, step)


def adam(*, rate: float | Schedule, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    r"""Adam: steps divided by a running root mean square of the gradient.

    :math:`m \leftarrow \beta_1 m + (1-\beta_1)\bar\theta`, :math:`v \leftarrow \beta_2 v +
    (1-\beta_2)\bar\theta^2`, and :math:`\theta \leftarrow \theta - \alpha\,\hat m/(\sqrt{\hat v} +
    \varepsilon)` with :math:`\hat m = m/(1-\beta_1^t)`, :math:`\hat v = v/(1-\beta_2^t)` in the
    :math:`t`-th step, :math:`t = 1, 2, \ldots`

    Parameters
    ----------
    rate : float or callable
        Step size, positive, or a function that gives it for step t = 0, 1, ...
    beta1, beta2 : float
        Decay of the two running means, from 0 to below 1.
    eps : float
        Added to the root, positive.

    Returns
    -------
    Optimizer
        The state is ``(t, m, v)``: the steps done and two vectors as from `pack`.

    Raises
    ------
    ValueError
        A setting outside its range; in ``step``, gradients that do not fit the parameters.
    TypeError
        In ``step``, gradients of another dtype than the parameters.

    References
    ----------
    D. P. Kingma, J. Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015, arXiv:1412.6980,
    algorithm 1.
    """
    rate_at = _schedule("adam", rate)
    beta1 = _in_range("adam", "beta1", beta1, 0 <= beta1 < 1)
    beta2 = _in_range("adam", "beta2", beta2, 0 <= beta2 < 1)
    eps = _in_range("adam", "eps", eps, 0 < eps < math.inf)

    def init(theta: Tree) -> Any:
        return 0, np.zeros_like(pack(theta)), np.zeros_like(pack(theta))

    def step(theta: Tree, theta_bar: Tree, state: Any) -> tuple[Tree, Any]:
        done, m, v = state
        t = done + 1
        vector, bar = _pack_both("adam", theta, theta_bar)
        m = beta1 * m + (1 - beta1) * bar
        v = beta2 * v + (1 - beta2) * bar * bar
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        vector -= rate_at(done) * m_hat / (np.sqrt(v_hat) + eps)  # pack has made a copy
        return unpack(vector, theta), (t, m, v)

    return Optimizer(init, step)


def _schedule(where: str, rate: float | Schedule) -> Schedule:
    if callable(rate):
        return lambda t: float(rate(t))  # a numpy float64 would turn float32 parameters into float64
    constant = _in_range(where, "rate", rate, 0 < rate < math.inf)
    return lambda t: constant


def _in_range(where: str, name: str, value: float, inside: bool) -> float:
    if not inside:
        raise ValueError(f"{where}: {name} is {value!r}, which is outside its range")
    return float(value)
