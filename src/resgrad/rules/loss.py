"""Losses: one number for a batch, the mean over its rows; the vjp takes a number."""

from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp


def squared_error(y: Array, *, target: Array) -> tuple[Any, Vjp]:
    """Half the squared distance of each row from its target, the mean over the rows.

    Parameters
    ----------
    y : (N, n) array
        One sample in each row; floating or complex (then the square is ``y²``, which is analytic, and not its modulus).
    target : (N, n) array
        Of y's dtype; a setting, without a gradient.

    Returns
    -------
    loss : scalar
        Of y's dtype.
    vjp : function
        Maps a number (``vjp(1.0)``) to ``(y_bar,)``, see :eq:`eq-loss-squared`.
        It holds on to ``y - target``.

    Raises
    ------
    TypeError
        If a dtype is not floating, or the two differ.
    ValueError
        If the shapes differ, are no (N, n), or there is no row.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> target = np.array([[1.0, 0.0], [3.0, 2.0]])
    >>> loss, vjp = squared_error(y, target=target)
    >>> (y_bar,) = vjp(1.0)
    >>> float(loss), y_bar.tolist()
    (2.0, [[0.0, 1.0], [0.0, 1.0]])
    """
    require.floating(y=y, target=target)
    if y.ndim != 2 or y.shape != target.shape or len(y) == 0:
        raise require.misfit("y (N, n) with N >= 1, target (N, n)", y=y, target=target)
    N, error = len(y), y - target

    def vjp(loss_bar: complex) -> tuple[Array]:
        return (error * (require.scalar("loss_bar", loss_bar, error.dtype) / N),)

    return (error * error).sum() / (2 * N), vjp


def cross_entropy(z: Array, *, labels: Array) -> tuple[Any, Vjp]:
    """Minus the logarithm of the softmax of z at the label, the mean over the rows.

    Parameters
    ----------
    z : (N, K) array
        Scores (logits) of K classes, one sample in each row; real floating.
    labels : (N,) array of integers
        The right class of each row, 0 to K - 1; a setting, without a gradient.

    Returns
    -------
    loss : scalar
        Of z's dtype.
    vjp : function
        Maps a number (``vjp(1.0)``) to ``(z_bar,)``, see :eq:`eq-loss-softmax`.
        It holds on to the softmax, (N, K), and to the labels themselves: do not change those in place
        before the last call.

    Raises
    ------
    TypeError
        If z's dtype is not real floating, or that of the labels no integer.
    ValueError
        If the shapes do not fit, there is no row, or a label is no class.

    Examples
    --------
    >>> z = np.array([[0.0, 0.0], [0.0, 1000.0]])
    >>> loss, vjp = cross_entropy(z, labels=np.array([0, 1]))
    >>> (z_bar,) = vjp(1.0)
    >>> round(float(loss), 6), z_bar.tolist()
    (0.346574, [[-0.25, 0.25], [0.0, 0.0]])
    """
    require.real(z=z)
    _require_labels(z, labels)
    rows = np.arange(len(z))
    shifted = z - z.max(axis=1, keepdims=True)  # the largest exponent is 0: nothing overflows
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    softmax = np.exp(log_softmax)

    def vjp(loss_bar: float) -> tuple[Array]:
        z_bar = softmax.copy()
        z_bar[rows, labels] -= 1
        return (z_bar * (require.scalar("loss_bar", loss_bar, softmax.dtype) / len(rows)),)

    return -log_softmax[rows, labels].mean(), vjp


def _require_labels(z: Array, labels: Any) -> None:
    kind = labels.dtype if isinstance(labels, np.ndarray) else type(labels).__name__
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise TypeError(f"labels: expected an array of integers, got {kind}")
    if z.ndim != 2 or labels.shape != z.shape[:1] or len(z) == 0:
        raise require.misfit("z (N, K) with N >= 1, labels (N,)", z=z, labels=labels)
    low, high = labels.min(), labels.max()
    if low < 0 or high >= z.shape[1]:
        raise ValueError(f"labels: expected 0 to K - 1 for z (N, K) = {z.shape}, got {low} to {high}")
