"""Evidence: the Hessian of linear residual networks at zero weights, by how many layers a skip passes.

A block is y = x W_1 ... W_m + x, without biases and activations, and the loss half the squared distance of the
network's output from X R, for inputs with X.T X = I (whitened). The target R has independent entries from N(0, 1/n).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.rules._types import Rule
from resgrad.rules.linear import linear

# Eight targets for the page.
SEEDS = tuple(range(1, 9))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    layers : int
        m, how many layers a skip passes, at least 1.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    layers: int
    blocks: int
    width: int = 2


class Curvature(NamedTuple):
    """What `run` measured.

    Attributes
    ----------
    eigenvalues : ndarray, shape (L m n n,)
        Of the Hessian at zero weights, the smallest first.
    targets : ndarray, shape (n,)
        Singular values of R - I, the largest first.
    """

    eigenvalues: Array
    targets: Array


def network(setting: Setting) -> Rule:
    """Stack the blocks.

    Parameters
    ----------
    setting : Setting
        Layers in a block, blocks.

    Returns
    -------
    rule
        ``y, vjp = f(x, *thetas)`` with m tuples ``(W, b)`` for each block.

    Raises
    ------
    ValueError
        A number below 1.
    """
    if min(setting) < 1:
        raise ValueError(f"pairs: {setting}, expected numbers of 1 or more")
    return stack(*[residual(stack(*[linear] * setting.layers))] * setting.blocks)


def target(setting: Setting, seed: int) -> Array:
    """Draw R.

    Parameters
    ----------
    setting : Setting
        Its width counts.
    seed : int

    Returns
    -------
    ndarray, shape (n, n)
        Independent entries from N(0, 1/n).
    """
    n = setting.width
    R: Array = np.random.default_rng(seed).standard_normal((n, n)) / math.sqrt(n)
    return R


def gradient(setting: Setting, R: Array, weights: NDArray[np.inexact]) -> NDArray[np.inexact]:
    """Gradient of the loss by all weights, from the vjps of the library.

    Parameters
    ----------
    setting : Setting
        Which network.
    R : ndarray, shape (n, n)
        The target.
    weights : ndarray, shape (L, m, n, n)
        Real, or complex for a complex step.

    Returns
    -------
    ndarray, shape (L, m, n, n)
        Of the dtype of the weights.

    Raises
    ------
    ValueError
        R or the weights are of another shape.
    """
    n, dtype = setting.width, weights.dtype
    if R.shape != (n, n) or weights.shape != (*setting[1::-1], n, n):
        raise ValueError(
            f"pairs: R {R.shape} and weights {weights.shape}, expected (n, n) and (L, m, n, n) of {setting}"
        )
    b = np.zeros(n, dtype)
    # The rows of I are the inputs: X.T X = I.
    y, vjp = network(setting)(np.eye(n, dtype=dtype), *(tuple((W, b) for W in block) for block in weights))
    _, *bars = vjp(y - R.astype(dtype))
    return np.array([[W_bar for W_bar, _ in block] for block in bars])


def hessian(setting: Setting, R: Array, weights: Array | None = None) -> Array:
    """Hessian of the loss, by a complex step in each weight.

    Parameters
    ----------
    setting : Setting
        Which network.
    R : ndarray, shape (n, n)
        The target.
    weights : ndarray, shape (L, m, n, n), optional
        Where; at zero if not given.

    Returns
    -------
    ndarray, shape (L m n n, L m n n)
        But for rounding exact, since the loss is a polynomial of the weights.
    """
    shape = (setting.blocks, setting.layers, setting.width, setting.width)
    at = np.zeros(shape) if weights is None else weights
    step, columns = 1e-30, []
    for e in np.eye(at.size):
        moved = gradient(setting, R, at + 1j * step * e.reshape(shape))
        columns.append(moved.imag.ravel() / step)
    return np.array(columns).T


def condition(eigenvalues: Array) -> float:
    """Largest over smallest absolute value.

    Parameters
    ----------
    eigenvalues : ndarray, shape (p,)
        Of a symmetric matrix, none of them zero to rounding.

    Returns
    -------
    float
        The condition number in the spectral norm.

    Raises
    ------
    ValueError
        The matrix is singular to working precision, or zero: it has no condition number.
    """
    size = np.abs(eigenvalues)
    if not size.min() > len(size) * np.finfo(float).eps * size.max():
        raise ValueError(f"pairs: a singular Hessian of order {len(size)} has no condition number")
    return float(size.max() / size.min())


def run(setting: Setting, seed: int) -> Curvature:
    """Draw a target, and find the eigenvalues of the Hessian at zero weights.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the target.

    Returns
    -------
    Curvature
        Eigenvalues, and the singular values of R - I.

    Raises
    ------
    ValueError
        A number below 1.
    """
    R = target(setting, seed)
    found = np.linalg.eigvalsh(hessian(setting, R))
    targets = np.linalg.svd(R - np.eye(setting.width), compute_uv=False)
    return Curvature(found.astype(float), targets.astype(float))
