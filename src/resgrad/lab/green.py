"""Law: the singular values of a linear residual network in the limit of large width.

L blocks y = x W + x with the independent entries of W from N(0, c/(n L)): c is the mean square gain of all
branches together. With u = z G(z) - 1, where G is the Green function of the squares of the singular values,
the S-transform of one block is 1 - (c/L)(1 + 2u) to first order in 1/L. S-transforms of independent factors
multiply, and for large L their product is S = exp(-c (1 + 2u)), so that

    z = (1 + u)/u exp(c (1 + 2u)).

With u = -1/2 + a - iy, y > 0, z is real where the angle under which the point a - iy sees the segment from
-1/2 to 1/2 is 2cy; by the inscribed angle that is a^2 + y^2 - 1/4 = y cot(2cy), and the density of log s is
2y/pi there. So the whole curve is known with y as its parameter, and nothing has to be solved on the way.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MASKS = ("fresh", "stream", "frozen")


class Law(NamedTuple):
    """A density of the logarithms of singular values, at nodes of a quadrature.

    Attributes
    ----------
    log_s : ndarray, shape (k,)
        Increasing, from the lower edge to the upper one; neither is among them.
    density : ndarray, shape (k,)
        Of log s.
    weights : ndarray, shape (k,)
        Of the quadrature, the density included: the mean of f(log s) is ``weights @ f(log_s)``.
    """

    log_s: Array
    density: Array
    weights: Array


class Edge(NamedTuple):
    """An end of the spectrum.

    Attributes
    ----------
    s : float
        The singular value.
    u : float
        z G(z) - 1 there, with z = s^2.
    """

    s: float
    u: float


def law(c: float, nodes: int = 200) -> Law:
    """Density of log s for L to infinity.

    Parameters
    ----------
    c : float
        Above 0: the mean square gain of all branches together.
    nodes : int
        How many, even.

    Returns
    -------
    Law
        Symmetric about 0.

    Raises
    ------
    ValueError
        c is not above 0, or the nodes are odd in number or fewer than two.
    """
    _require_gain(c)
    if nodes < 2 or nodes % 2:
        raise ValueError(f"green: nodes is {nodes}, expected an even number of 2 or more")
    angle, weight = np.polynomial.legendre.leggauss(nodes)
    angle, weight = angle * math.pi / 2, weight * math.pi / 2
    top = _height(c)
    y = top * np.cos(angle)
    a = np.sign(angle) * np.sqrt(0.25 - y * y + y / np.tan(2 * c * y))
    v = a - 1j * y
    # log z = 2 log s is real along the curve: of its slope K the part along the curve is left.
    K = 2 * c - 1 / (v * v - 0.25)
    slope = np.abs(K) ** 2 / K.imag * (-top * np.sin(angle))
    log_s = (np.log(np.abs((v + 0.5) / (v - 0.5))) + 2 * c * a) / 2
    density = 2 * y / math.pi
    return Law(log_s, density, np.abs(slope) / 2 * density * weight)


def green(c: float, z: complex) -> complex:
    """Green function of the squares, as the mean of 1/(z - s^2) over the density.

    Parameters
    ----------
    c : float
        The mean square gain of all branches together.
    z : complex
        Not between the squares of the edges.

    Returns
    -------
    complex
        It satisfies :eq:`eq-spectrum-green`, which is not used to compute it.
    """
    log_s, _, weights = law(c)
    return complex(weights @ (1 / (z - np.exp(2 * log_s))))


def s_transform(gain: float, u: complex) -> complex:
    """S-transform of the square of one block, for large width.

    Parameters
    ----------
    gain : float
        Mean square gain of the branch, c/L.
    u : complex
        z G(z) - 1; not 0.

    Returns
    -------
    complex
        For (I + X)(I + X).T with the entries of X from N(0, gain/n).

    Notes
    -----
    With w^2 = z the matrix [[0, Y], [Y.T, 0]] of Y = I + X has for large width the resolvent
    [[w a, -1], [-1, w a]]^-1 in each pair of coordinates, ``a = 1 - gain G``, and its diagonal is w G. So
    ``z a^2 G = a + G``; with ``z G = 1 + u`` that is quadratic in G, and S = G/u.
    """
    t = gain * (1 + 2 * u)
    return complex(2 / (1 + t + np.sqrt(1 + gain * gain + 2 * t + 0j)))


def edge(c: float, blocks: float = math.inf, *, upper: bool = True) -> Edge:
    """Largest or smallest singular value, for large width.

    Parameters
    ----------
    c : float
        Above 0: the mean square gain of all branches together.
    blocks : float
        L, more than c, or infinity.
    upper : bool
        Which of the two.

    Returns
    -------
    Edge
        Where z has its least value over u > 0, or its greatest over u < -1, found by bracketing it.

    Raises
    ------
    ValueError
        c is not above 0, or not below the number of blocks: then the smallest singular value is 0.
    """
    _require_gain(c)
    if not blocks > c:
        raise ValueError(f"green: blocks is {blocks}, expected more than c = {c}")
    sign, p = (1 if upper else -1), blocks / c
    low, high = -12.0, 12.0 if upper or math.isinf(p) else min(12.0, math.log((1 - p) ** 2 / (4 * p)))
    for _ in range(100):  # a third of the bracket goes each time
        third = (high - low) / 3
        left, right = (sign * _log_z(c, blocks, _u(t, upper)) for t in (low + third, high - third))
        low, high = (low, high - third) if left < right else (low + third, high)
    u = _u((low + high) / 2, upper)
    return Edge(math.exp(_log_z(c, blocks, u) / 2), u)


def moment(c: float, blocks: int, k: int) -> float:
    """Mean of s^(2k) for large width and L blocks.

    Parameters
    ----------
    c : float
        The mean square gain of all branches together.
    blocks : int
        L.
    k : int
        1 or more.

    Returns
    -------
    float
        The coefficient of 1/u in z^k/k: a mean over a circle about 0.
    """
    u = 0.1 * np.exp(2j * np.pi * np.arange(64) / 64)
    z = np.array([(1 + p) / p * s_transform(c / blocks, p) ** -blocks for p in u])
    return float((z**k * u).mean().real / k)


def _u(t: float, upper: bool) -> float:
    return math.exp(t) if upper else -1 - math.exp(t)


def _log_z(c: float, blocks: float, u: float) -> float:
    if math.isinf(blocks):
        return math.log((1 + u) / u) + c * (1 + 2 * u)
    return math.log((1 + u) / u) - blocks * math.log(s_transform(c / blocks, u).real)


def spread(c: float, masks: str) -> float:
    """Mean of s^4 over the squared mean of s^2, for large width and depth, with a mask in front of each W.

    Parameters
    ----------
    c : float
        Above 0: the mean square gain of all branches together.
    masks : {"fresh", "stream", "frozen"}
        Half of the entries are open: drawn anew for each block, those of a relu in front of W, the same in all.

    Returns
    -------
    float
        1 + 2c, a number between the two, or 4c - 1 + 2 exp(-c), see :eq:`eq-spectrum-frozen`.

    Raises
    ------
    ValueError
        c is not above 0, or unknown masks.

    Notes
    -----
    A column is carried by ``x <- x + sqrt(2) dX D_t x`` with the entries of dX from N(0, dt/n), 0 <= t <= c, and D_t
    the mask. Let A_s be J J.T after the blocks up to s, tau the trace over n, and ``p(t, r) = tau(D_t D_r)``. Means
    over dX give ``tau(D A) = exp(s)/2`` for every mask, and

        M(t, r; s) = tau(D_t A D_r A):   dM/ds = 2 p(t, r) exp(2s) + M(s, r; s) + M(t, s; s)
        H(t; s)    = tau(D_t A A):       dH/ds = exp(2s) + H(s; s) + 2 M(t, s; s)
        f(s)       = tau(A A):           df/ds = 2 exp(2s) + 4 H(s; s).

    Two entries of the stream at t and r have the correlation ``exp(-|t - r|/2)``, hence ``p`` for its relu.
    """
    _require_gain(c)
    if masks not in MASKS:
        raise ValueError(f"green: masks is {masks!r}, expected one of {MASKS}")
    # Steps of first order; the two next terms of the error go when three step sizes are combined.
    coarse, middle, fine = (_spread(c, masks, steps) for steps in (40, 80, 160))
    return (8 * fine - 6 * middle + coarse) / 3


def _spread(c: float, masks: str, steps: int) -> float:
    ds, s = c / steps, np.arange(steps) * c / steps
    p = _both_open(s, masks)
    M, H, f = p.copy(), np.full(steps, 0.5), 1.0
    for k, e in enumerate(np.exp(2 * s)):
        row, column = M[k].copy(), M[:, k].copy()
        f += ds * (2 * e + 4 * H[k])
        H = H + ds * (e + H[k] + 2 * column)
        M = M + ds * (2 * p * e + row + column[:, None])
    return float(f / math.exp(2 * c))


def _both_open(s: Array, masks: str) -> Array:
    if masks == "stream":
        return 0.25 + np.arcsin(np.exp(-np.abs(s[:, None] - s) / 2)) / (2 * math.pi)
    return np.where(np.eye(len(s)) > 0, 0.5, 0.5 if masks == "frozen" else 0.25)


def _height(c: float) -> float:
    """Return y in the middle, where a = 0: pi - 2 arctan(2y) = 2cy, by halving."""
    low, high = 0.0, math.pi / (2 * c)
    for _ in range(100):
        y = (low + high) / 2
        low, high = (y, high) if math.pi - 2 * math.atan(2 * y) > 2 * c * y else (low, y)
    return (low + high) / 2


def _require_gain(c: float) -> None:
    if not c > 0:
        raise ValueError(f"green: c is {c}, expected a number above 0")
