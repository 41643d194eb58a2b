"""Several residual streams: hyper-connections, their constraint, and attention over earlier outputs.

The k streams, or sources, lie along the first axis: each ``X[i]`` is an array as any branch takes it, and
mixing is one product over that axis, whatever the others mean.
"""

from collections import deque
from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp


def hyper_connection(F: Rule) -> Rule:
    """Mix k streams and give them a branch: ``Y = H X + h_post ⊗ F(h_pre X)``.

    Parameters
    ----------
    F : rule
        ``Fu, vjp = F(u, *theta, **settings)`` with Fu of u's shape and dtype; u is one stream, (N, n).

    Returns
    -------
    block : rule
        ``Y, vjp = block(X, H, h_pre, h_post, *theta, **settings)`` with X and Y (k, N, n), or k arrays of any
        other shape; H (k, k), h_pre (k,), h_post (k,). Stream i of Y is ``sum_j H[i, j] X[j] + h_post[i] Fu``
        with ``u = sum_j h_pre[j] X[j]``.
        Its vjp maps Y_bar to ``(X_bar, H_bar, h_pre_bar, h_post_bar, *theta_bar)``, see
        :eq:`eq-streams-vjp`. It holds on to X, the three mixers, Fu and what F's vjp holds.

    Raises
    ------
    TypeError
        By the block, if a dtype is not floating, or two of them differ.
    ValueError
        By the block, if there is no stream, the mixers do not fit k streams, or ``F(u)`` is of another shape
        than u.

    Notes
    -----
    Zhu et al. 2025, Hyper-Connections (arXiv 2409.19606), equation 2 (whose A_r is H transposed), written as in
    Xie et al. 2025, mHC (arXiv 2512.24880), equation 3. With one stream and the mixers 1 it is `residual`.

    Examples
    --------
    >>> X, H = np.array([[[2.0]], [[4.0]]]), np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> read, write = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    >>> W, b = np.array([[-0.5]]), np.zeros(1)
    >>> Y, vjp = hyper_connection(linear)(X, H, read, write, W, b)
    >>> X_bar, H_bar, *_ = vjp(np.array([[[1.0]], [[2.0]]]))
    >>> Y.ravel().tolist(), X_bar.ravel().tolist(), H_bar.tolist()
    ([3.0, 3.0], [-0.5, 2.5], [[2.0, 4.0], [4.0, 8.0]])
    """

    def block(
        X: Array, H: Array, h_pre: Array, h_post: Array, *theta: Any, **settings: Any
    ) -> tuple[Array, Vjp]:
        _require_mixers(X, H, h_pre, h_post)
        u = np.tensordot(h_pre, X, 1)
        Fu, F_vjp = F(u, *theta, **settings)
        require.floating(X=X, Fu=Fu)
        if Fu.shape != u.shape:
            raise require.misfit("F(u) of the shape of u", u=u, Fu=Fu)

        def vjp(Y_bar: Array) -> tuple[Any, ...]:
            require.like("Y_bar", Y_bar, X.shape, X.dtype)
            u_bar, *theta_bar = F_vjp(np.tensordot(h_post, Y_bar, 1))
            require.like("u_bar from F", u_bar, u.shape, u.dtype)
            X_bar = np.tensordot(H.T, Y_bar, 1) + np.multiply.outer(h_pre, u_bar)
            H_bar = _rows(Y_bar) @ _rows(X).T
            return X_bar, H_bar, _rows(X) @ u_bar.ravel(), _rows(Y_bar) @ Fu.ravel(), *theta_bar

        return np.tensordot(H, X, 1) + np.multiply.outer(h_post, Fu), vjp

    return block


def sinkhorn(logits: Array, *, iterations: int) -> tuple[Array, Vjp]:
    """Make a matrix nearly doubly stochastic: exp, then columns and rows to sum 1 in turn, rows last.

    Parameters
    ----------
    logits : (..., k, k) array
        Finite; floating or complex (then its real part leads). One matrix, or many.
    iterations : int
        How often, at least 1; one iteration is the columns and then the rows.

    Returns
    -------
    H : array
        Of the same shape and dtype; positive where an entry is not below the smallest number. Its rows sum to 1 but for
        rounding after any number of iterations, its columns in the limit alone, see :eq:`eq-streams-sums`.
    vjp : function
        Maps H_bar to ``(logits_bar,)``, exact for the iterations that were made and not for their limit, see
        :eq:`eq-streams-sinkhorn-vjp`. It holds on to the logits and to H and makes the iterations again: do
        not change the logits in place before the last call.

    Raises
    ------
    TypeError
        If the dtype of the logits is not floating, or iterations is no whole number.
    ValueError
        If the matrices are not square or empty, the logits or their range are not finite, or there are fewer
        than 1 iterations.

    Notes
    -----
    Xie et al. 2025, mHC (arXiv 2512.24880), equation 9, with 20 iterations there. Worked in logarithms, so
    that logits far apart do not become a column of zeros.

    Examples
    --------
    >>> H, vjp = sinkhorn(np.log(np.array([[1.0, 1.0], [1.0, 3.0]])), iterations=1)
    >>> H.sum(axis=1).round(12).tolist(), H.sum(axis=0).round(3).tolist()
    ([1.0, 1.0], [1.067, 0.933])
    >>> (logits_bar,) = vjp(np.array([[1.0, 0.0], [0.0, 0.0]]))
    >>> logits_bar.round(4).tolist()
    [[0.1111, -0.1667], [-0.1111, 0.1667]]
    """
    _require_logits(logits)
    (iterations,) = require.whole("iterations", [iterations])
    if iterations < 1:
        raise ValueError(f"iterations: expected at least 1 for logits {logits.shape}, got {iterations}")
    ((_, H),) = deque(_normalised(logits, iterations), maxlen=1)

    def vjp(H_bar: Array) -> tuple[Array]:
        require.like("H_bar", H_bar, H.shape, H.dtype)
        log_bar = H_bar * H
        for axis, M in reversed(list(_normalised(logits, iterations))):
            log_bar = log_bar - M * log_bar.sum(axis=axis, keepdims=True)
        return (log_bar,)

    return H, vjp


def attention_residual(V: Array, q: Array, *, eps: float = 1e-6) -> tuple[Array, Vjp]:
    """Weigh k earlier outputs by a softmax over depth: ``y = sum_i softmax_i(q · RMSNorm(v_i)) v_i``.

    Parameters
    ----------
    V : (k, N, n) array
        The k sources, such as a network's input and the outputs of the layers below; floating or complex.
    q : (n,) array
        The query of the layer that reads, of V's dtype. A gain in the norm is a factor in q, entry by entry.
    eps : float
        Added to the mean square of a source before its root is taken; positive.

    Returns
    -------
    y : (N, n) array
        Of V's dtype: for each sample a convex combination of its k sources. For ``q = 0`` it is their mean.
    vjp : function
        Maps y_bar to ``(V_bar, q_bar)``, see :eq:`eq-streams-attention-vjp`. It holds on to V, q, y and
        the (k, N) weights, scores and norms.

    Raises
    ------
    TypeError
        If a dtype is not floating, the two differ, or eps is no number.
    ValueError
        If the shapes do not fit, there is no source or no feature, or eps is not positive and finite.

    Notes
    -----
    Kimi Team 2026, Attention Residuals (arXiv 2603.15031), equations 2 to 4; they ask for ``q = 0`` at the start.

    Examples
    --------
    >>> V = np.array([[[3.0, 4.0]], [[1.0, 0.0]]])
    >>> y, vjp = attention_residual(V, np.zeros(2))
    >>> V_bar, q_bar = vjp(np.array([[1.0, 1.0]]))
    >>> y.tolist(), V_bar.tolist(), q_bar.round(4).tolist()
    ([[2.0, 2.0]], [[[0.5, 0.5]], [[0.5, 0.5]]], [-0.8485, 1.6971])
    """
    require.floating(V=V, q=q)
    if V.ndim != 3 or not len(V) or q.shape != V.shape[2:] or not q.size:
        raise require.misfit("V (k, N, n), q (n,) with k, n >= 1", V=V, q=q)
    n, norm = q.size, np.sqrt((V * V).mean(axis=2) + _positive("eps", eps))
    scores = V @ q / norm
    weights = np.exp(scores - _log_sum(scores, axis=0))
    y = (weights[..., None] * V).sum(axis=0)

    def vjp(y_bar: Array) -> tuple[Array, Array]:
        require.like("y_bar", y_bar, y.shape, y.dtype)
        score_bar = weights * ((V - y) * y_bar).sum(axis=2)
        share = score_bar / norm
        towards = q - (scores / norm / n)[..., None] * V
        V_bar = weights[..., None] * y_bar + share[..., None] * towards
        return V_bar, np.tensordot(share, V, 2)

    return y, vjp


def _rows(X: Array) -> Array:
    return X.reshape(len(X), -1)


def _require_mixers(X: Array, H: Array, h_pre: Array, h_post: Array) -> None:
    require.floating(X=X, H=H, h_pre=h_pre, h_post=h_post)
    k = X.shape[:1]
    if k in ((), (0,)) or H.shape != k * 2 or h_pre.shape != k or h_post.shape != k:
        expected = "X (k, N, n) with k >= 1, H (k, k), h_pre (k,), h_post (k,)"
        raise require.misfit(expected, X=X, H=H, h_pre=h_pre, h_post=h_post)


def _require_logits(logits: Array) -> None:
    require.floating(logits=logits)
    if logits.ndim < 2 or logits.shape[-1] != logits.shape[-2] or not logits.size:
        raise require.misfit("logits (..., k, k), not empty", logits=logits)
    if not (np.isfinite(logits).all() and np.isfinite(np.ptp(logits.real))):
        raise ValueError(f"logits: expected finite entries and a finite range (shape {logits.shape})")


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not (value > 0 and isfinite(value)):
        raise ValueError(f"{name}: expected a positive, finite number, got {value}")
    return float(value)  # a numpy float64 would promote float32


def _normalised(logits: Array, iterations: int) -> Iterator[tuple[int, Array]]:
    """Yield the axis and the matrix after each normalisation: over axis -2 the columns, over -1 the rows."""
    log_M = logits
    for axis in (-2, -1) * iterations:
        log_M = log_M - _log_sum(log_M, axis)
        yield axis, np.exp(log_M)


def _log_sum(logs: Array, axis: int) -> Array:
    """Logarithm of the sum of exponentials; the largest is taken out first, so that none overflows."""
    top = logs.real.max(axis=axis, keepdims=True)
    log_sum: Array = top + np.log(np.exp(logs - top).sum(axis=axis, keepdims=True))
    return log_sum
