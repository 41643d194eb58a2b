"""Activations: each acts on every element by itself and takes an array of any shape."""

import math

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp

# Python numbers, not numpy's: these do not promote float32.
_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


def relu(a: Array) -> tuple[Array, Vjp]:
    """Cut off below zero: ``y = max(a, 0)``, with ``relu'(0) = 0`` as in JAX.

    Parameters
    ----------
    a : array of any shape
        Real floating.

    Returns
    -------
    y : array
        Of a's shape and dtype.
    vjp : function
        Maps y_bar to ``(a_bar,)``, see :eq:`eq-activation-relu`.
        It holds on to a mask of one byte per element.

    Raises
    ------
    TypeError
        If a's dtype is not real floating.

    Examples
    --------
    >>> y, vjp = relu(np.array([-1.0, 0.0, 2.0]))
    >>> (a_bar,) = vjp(np.array([5.0, 5.0, 5.0]))
    >>> y.tolist(), a_bar.tolist()
    ([0.0, 0.0, 2.0], [0.0, 0.0, 5.0])
    """
    require.real(a=a)
    shape, dtype, positive = a.shape, a.dtype, a > 0

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return (y_bar * positive,)

    return np.maximum(a, 0), vjp


def leaky_relu(a: Array, *, slope: float = 0.01) -> tuple[Array, Vjp]:
    """Scale down below zero: ``y = a`` where ``a >= 0``, else ``slope a``; the derivative at 0 is 1 as in JAX.

    Parameters
    ----------
    a : array of any shape
        Real floating.
    slope : float
        The derivative below zero.

    Returns
    -------
    y : array
        Of a's shape and dtype.
    vjp : function
        Maps y_bar to ``(a_bar,)``, see :eq:`eq-activation-leaky`.
        It holds on to a mask of one byte per element.

    Raises
    ------
    TypeError
        If a's dtype is not real floating, or the slope is no number.

    Examples
    --------
    >>> y, vjp = leaky_relu(np.array([-1.0, 0.0, 2.0]), slope=0.5)
    >>> (a_bar,) = vjp(np.array([4.0, 4.0, 4.0]))
    >>> y.tolist(), a_bar.tolist()
    ([-0.5, 0.0, 2.0], [2.0, 4.0, 4.0])
    """
    require.real(a=a)
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise TypeError(f"slope: expected a number, got {type(slope).__name__}")
    slope = float(slope)  # a numpy float64 would promote float32
    shape, dtype, above = a.shape, a.dtype, a >= 0

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return (np.where(above, y_bar, slope * y_bar),)

    return np.where(above, a, slope * a), vjp


def tanh(a: Array) -> tuple[Array, Vjp]:
    """Hyperbolic tangent: ``y = tanh(a)``, whose derivative ``1 - y²`` needs only y.

    Parameters
    ----------
    a : array of any shape
        Floating or complex.

    Returns
    -------
    y : array
        Of a's shape and dtype.
    vjp : function
        Maps y_bar to ``(a_bar,)``, see :eq:`eq-activation-tanh`.
        It holds on to y itself: do not change y in place before the last call.

    Raises
    ------
    TypeError
        If a's dtype is not floating.

    Examples
    --------
    >>> y, vjp = tanh(np.array([0.0, 50.0]))
    >>> (a_bar,) = vjp(np.array([3.0, 3.0]))
    >>> y.tolist(), a_bar.tolist()
    ([0.0, 1.0], [3.0, 0.0])
    """
    require.floating(a=a)
    y = np.tanh(a)

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, y.shape, y.dtype)
        return (y_bar * (1 - y * y),)

    return y, vjp


def sigmoid(a: Array) -> tuple[Array, Vjp]:
    """Logistic function: ``y = 1 / (1 + exp(-a))``, whose derivative ``y (1 - y)`` needs only y.

    Parameters
    ----------
    a : array of any shape
        Floating or complex.

    Returns
    -------
    y : array
        Of a's shape and dtype.
    vjp : function
        Maps y_bar to ``(a_bar,)``, see :eq:`eq-activation-sigmoid`.
        It holds on to y itself: do not change y in place before the last call.

    Raises
    ------
    TypeError
        If a's dtype is not floating.

    Examples
    --------
    >>> y, vjp = sigmoid(np.array([0.0, -1000.0, 1000.0]))
    >>> (a_bar,) = vjp(np.array([8.0, 8.0, 8.0]))
    >>> y.tolist(), a_bar.tolist()
    ([0.5, 0.0, 1.0], [2.0, 0.0, 0.0])
    """
    require.floating(a=a)
    below = a.real < 0
    e = np.exp(np.where(below, a, -a))  # |e| <= 1 on both sides: nothing overflows
    y = np.where(below, e, 1) / (1 + e)

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, y.shape, y.dtype)
        return (y_bar * y * (1 - y),)

    return y, vjp


def gelu(a: Array) -> tuple[Array, Vjp]:
    """Gaussian error linear unit in its tanh form: ``y = a (1 + tanh u) / 2``.

    Here ``u = √(2/π) (a + 0.044715 a³)``.

    Parameters
    ----------
    a : array of any shape
        Floating or complex.

    Returns
    -------
    y : array
        Of a's shape and dtype.
    vjp : function
        Maps y_bar to ``(a_bar,)``, see :eq:`eq-activation-gelu`.
        It holds on to a itself and to ``tanh u``: do not change a in place before the last call.

    Raises
    ------
    TypeError
        If a's dtype is not floating.

    Notes
    -----
    Hendrycks and Gimpel 2016 (arXiv 1606.08415), section 2, give this form as an approximation of ``a Φ(a)``.
    The vjp is the exact derivative of the approximation.

    Examples
    --------
    >>> y, vjp = gelu(np.array([0.0, 9.0]))
    >>> (a_bar,) = vjp(np.array([2.0, 2.0]))
    >>> y.tolist(), a_bar.tolist()
    ([0.0, 9.0], [1.0, 2.0])
    """
    require.floating(a=a)
    t = np.tanh(_GELU_SCALE * (a + _GELU_CUBIC * a * a * a))

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, t.shape, t.dtype)
        u_prime = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * a * a)
        return (y_bar * (0.5 * (1 + t) + 0.5 * a * (1 - t * t) * u_prime),)

    return 0.5 * a * (1 + t), vjp
