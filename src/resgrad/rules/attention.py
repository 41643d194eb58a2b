"""Attention: each query takes a mean of the values, with weights that its products with the keys decide."""

import math

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Vjp


def attention(q: Array, k: Array, v: Array, *, mask: Array | None = None) -> tuple[Array, Vjp]:
    """Scaled dot-product attention: ``y = p v`` with ``p = softmax(q kᵀ / sqrt(d))`` over the keys.

    Parameters
    ----------
    q : (..., T, d) array
        Queries, one in each row; floating or complex (then the softmax is continued analytically).
    k : (..., S, d) array
        Keys, of q's dtype and leading axes; at least one.
    v : (..., S, m) array
        Values, one for each key, of q's dtype and leading axes.
    mask : bool array, optional
        True where a query sees a key; broadcast to (..., T, S). ``np.tri(T, dtype=bool)`` hides later tokens from
        earlier ones. Without it every query sees every key.

    Returns
    -------
    y : (..., T, m) array
        Of q's dtype.
    vjp : function
        Maps y_bar to ``(q_bar, k_bar, v_bar)``, see :eq:`eq-attention-vjp`.
        It holds on to q, k and v themselves and to the weights p, (..., T, S).

    Raises
    ------
    TypeError
        If a dtype is not floating or differs from q's, or the mask is no array of bools.
    ValueError
        If the shapes do not fit, there is no key or no feature, the mask hides every key from a query, or a score is
        not finite.

    Notes
    -----
    Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762), equation 1.

    Examples
    --------
    >>> q, k, v = np.array([[1.0]]), np.array([[0.0], [np.log(3)]]), np.array([[0.0], [4.0]])
    >>> y, vjp = attention(q, k, v)
    >>> q_bar, k_bar, v_bar = vjp(np.array([[1.0]]))
    >>> y.round(12).tolist(), k_bar.round(12).tolist(), v_bar.round(12).tolist()
    ([[3.0]], [[-0.75], [0.75]], [[0.25], [0.75]])
    """
    _require_arrays(q, k, v)
    scale = 1 / math.sqrt(q.shape[-1])
    p = _softmax(_scores(q, k, scale), mask)
    y = p @ v
    shape, dtype = y.shape, y.dtype

    def vjp(y_bar: Array) -> tuple[Array, Array, Array]:
        require.like("y_bar", y_bar, shape, dtype)
        p_bar = y_bar @ _transposed(v)
        s_bar = p * (p_bar - (p * p_bar).sum(axis=-1, keepdims=True))
        return s_bar @ k * scale, _transposed(s_bar) @ q * scale, _transposed(p) @ y_bar

    return y, vjp


def multi_head_attention(
    q: Array, k: Array, v: Array, *, heads: int, mask: Array | None = None
) -> tuple[Array, Vjp]:
    """Attention by several heads, each on its own columns of q, k and v; their outputs stand side by side.

    Parameters
    ----------
    q : (..., T, n) array
        Queries; head i has columns ``i n / heads`` to ``(i + 1) n / heads - 1``.
    k : (..., S, n) array
        Keys, of q's dtype and leading axes.
    v : (..., S, m) array
        Values, of q's dtype and leading axes.
    heads : int
        How many; a divisor of n and of m.
    mask : bool array, optional
        As for `attention`, the same for every head.

    Returns
    -------
    y : (..., T, m) array
        Of q's dtype.
    vjp : function
        Maps y_bar to ``(q_bar, k_bar, v_bar)``, see :eq:`eq-attention-heads-vjp`.
        It holds on to what that of `attention` does, with weights (..., heads, T, S).

    Raises
    ------
    TypeError
        As `attention` does, and if heads is no whole number.
    ValueError
        As `attention` does, and if heads does not divide the widths.

    Notes
    -----
    Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762), section 3.2.2; the projections of q, k, v and
    of the output are layers of their own, see `resgrad.blocks.transformer.self_attention`.

    Examples
    --------
    >>> q, k, v = np.zeros((1, 2)), np.zeros((3, 2)), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> y, vjp = multi_head_attention(q, k, v, heads=2)
    >>> y.round(12).tolist()
    [[3.0, 4.0]]
    """
    _require_arrays(q, k, v)
    (heads,) = require.whole("heads", [heads])
    if heads < 1 or q.shape[-1] % heads or v.shape[-1] % heads:
        raise ValueError(
            f"heads: expected a divisor of the widths of q {q.shape} and v {v.shape}, got {heads}"
        )
    if mask is not None:
        _require_mask(mask)
        mask = mask[..., None, :, :] if mask.ndim > 2 else mask  # an axis for the heads
    y, pull = attention(*(_apart(x, heads) for x in (q, k, v)), mask=mask)
    together = _together(y)
    shape, dtype = together.shape, together.dtype

    def vjp(y_bar: Array) -> tuple[Array, ...]:
        require.like("y_bar", y_bar, shape, dtype)
        return tuple(_together(bar) for bar in pull(_apart(y_bar, heads)))

    return together, vjp


def _apart(x: Array, heads: int) -> Array:
    """Return (..., T, n) as (..., heads, T, n / heads)."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).swapaxes(-3, -2)


def _together(x: Array) -> Array:
    """Return (..., heads, T, d) as (..., T, heads d)."""
    return x.swapaxes(-3, -2).reshape(*x.shape[:-3], x.shape[-2], x.shape[-3] * x.shape[-1])


def _transposed(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def _scores(q: Array, k: Array, scale: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        s: Array = q @ _transposed(k) * scale
    if not np.isfinite(s).all():
        raise ValueError(f"q, k: their products are not finite in {q.dtype} (q {q.shape}, k {k.shape})")
    return s


def _softmax(s: Array, mask: Array | None) -> Array:
    """Return the weights of each row; a hidden key gets 0, and the others are divided by their own sum."""
    if mask is not None:
        _require_visible(mask, s.shape)
    visible = True if mask is None else mask
    top = s.real.max(axis=-1, keepdims=True, where=visible, initial=-np.inf)
    p = np.exp(np.where(visible, s - top, -np.inf))
    weights: Array = p / p.sum(axis=-1, keepdims=True)
    return weights


def _require_arrays(q: Array, k: Array, v: Array) -> None:
    require.floating(q=q, k=k, v=v)
    fits = q.ndim == k.ndim == v.ndim >= 2 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2] or not k.shape[-2] * k.shape[-1]:
        raise require.misfit("q (..., T, d), k (..., S, d), v (..., S, m), S and d >= 1", q=q, k=k, v=v)


def _require_mask(mask: Array) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        raise TypeError(
            f"mask: expected an array of bools, got {getattr(mask, 'dtype', type(mask).__name__)}"
        )


def _require_visible(mask: Array, shape: tuple[int, ...]) -> None:
    _require_mask(mask)
    try:
        seen = np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"mask: expected a shape that broadcasts to {shape}, got {mask.shape}") from None
    if not seen.any(axis=-1).all():
        raise ValueError(f"mask: a query sees no key (mask {mask.shape}, scores {shape})")
