"""The transformer's sublayers, and the three places where its normalisations stand."""

import math
from functools import partial
from typing import Any

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.add import split
from resgrad.rules.attention import multi_head_attention
from resgrad.rules.linear import linear
from resgrad.rules.normalization import layer_norm


def self_attention(
    x: Array, W: Array, b: Array, W_out: Array, b_out: Array, *, heads: int, mask: Array | None = None
) -> tuple[Array, Vjp]:
    """Attention of the tokens of a sequence to one another, between two linear layers.

    Parameters
    ----------
    x : (T, n) or (..., T, n) array
        One token in each row.
    W : (n, 3 n) array
        Its columns make the queries, the keys and the values, in this order, each for all heads.
    b : (3 n,) array
        The bias of that layer; the n entries of the keys have the gradient 0, see :eq:`eq-attention-shift`.
    W_out : (n, n) array
        Mixes what the heads return.
    b_out : (n,) array
        The bias of that layer.
    heads : int
        A divisor of n.
    mask : bool array, optional
        True where a token sees another; broadcast to (..., T, T).

    Returns
    -------
    y : array
        Of x's shape and dtype.
    vjp : function
        Maps y_bar to ``(x_bar, W_bar, b_bar, W_out_bar, b_out_bar)``, see :eq:`eq-attention-self`. It holds on to what
        its rules hold: x, the weights of both layers, queries, keys, values and the weights of the attention.

    Raises
    ------
    TypeError, ValueError
        Where `linear`, `split` or `multi_head_attention` refuses a dtype or a shape.

    Notes
    -----
    Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762), section 3.2.2.

    Examples
    --------
    >>> x, W = np.array([[1.0, 2.0], [3.0, 4.0]]), np.hstack([np.zeros((2, 4)), np.eye(2)])
    >>> y, vjp = self_attention(x, W, np.zeros(6), np.eye(2), np.zeros(2), heads=2)
    >>> y.tolist()  # without queries and keys, the mean of the tokens
    [[2.0, 3.0], [2.0, 3.0]]
    """
    projected, x_vjp = linear(x, W, b)
    (q, k, v), split_vjp = split(projected, sizes=(x.shape[-1],) * 3)
    h, h_vjp = multi_head_attention(q, k, v, heads=heads, mask=mask)
    y, y_vjp = linear(h, W_out, b_out)

    def vjp(y_bar: Array) -> tuple[Array, ...]:
        h_bar, W_out_bar, b_out_bar = y_vjp(y_bar)
        (projected_bar,) = split_vjp(h_vjp(h_bar))
        return *x_vjp(projected_bar), W_out_bar, b_out_bar

    return y, vjp


def pre_ln(*sublayers: Rule, eps: float) -> Rule:
    """Normalise at the entry of each branch: ``u = x + F(LN(x))`` for one sublayer F after the other.

    Parameters
    ----------
    *sublayers : rules
        ``y, vjp = F(x, *theta)`` with y of x's shape, such as ``partial(self_attention, heads=8)`` and
        ``branch(gelu)``.
    eps : float
        Of every normalisation, see `layer_norm`.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with ``((gamma, beta), theta)`` for each sublayer. Its vjp maps y_bar to
        ``(x_bar, *theta_bars)``, see :eq:`eq-transformer-vjp`: one skip for each sublayer. It holds on to what
        `layer_norm` and the sublayers hold.

    Raises
    ------
    TypeError, ValueError
        As `stack`, `residual` and `layer_norm` do.

    Notes
    -----
    Xiong et al. 2020, On Layer Normalization in the Transformer Architecture (arXiv 2002.04745). A network of these
    blocks has one more normalisation after the last.

    Examples
    --------
    >>> block = pre_ln(linear, eps=1e-5)
    >>> x, one, zero = np.array([[1.0, 2.0, 4.0]]), np.ones(3), np.zeros(3)
    >>> y, vjp = block(x, ((one, zero), (np.zeros((3, 3)), one)))
    >>> y.tolist(), vjp(x)[0].tolist()
    ([[2.0, 3.0, 5.0]], [[1.0, 2.0, 4.0]])
    """
    norm = partial(layer_norm, eps=eps)
    return stack(*(residual(stack(norm, F)) for F in sublayers))


def post_ln(*sublayers: Rule, eps: float) -> Rule:
    """Normalise after each addition: ``u = LN(x + F(x))`` for one sublayer F after the other.

    Parameters
    ----------
    *sublayers : rules
        ``y, vjp = F(x, *theta)`` with y of x's shape.
    eps : float
        Of every normalisation, see `layer_norm`.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with ``(theta, (gamma, beta))`` for each sublayer. Its vjp maps y_bar to
        ``(x_bar, *theta_bars)``, see :eq:`eq-transformer-post`: the skips, too, go through the normalisations.
        It holds on to what `layer_norm` and the sublayers hold.

    Raises
    ------
    TypeError, ValueError
        As `stack` and `layer_norm` do, and where a sublayer's output has another shape or dtype than its input.

    Notes
    -----
    Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762), section 3.1.

    Examples
    --------
    >>> block = post_ln(linear, eps=1e-5)
    >>> x, one, zero = np.array([[1.0, 2.0, 6.0]]), np.ones(3), np.zeros(3)
    >>> y, vjp = block(x, ((np.zeros((3, 3)), one), (one, zero)))
    >>> bool(abs(y.sum()) < 1e-12), bool(abs(vjp(x)[0].sum()) < 1e-12)
    (True, True)
    """
    norm = partial(layer_norm, eps=eps)
    return stack(*(stack(residual(F), norm) for F in sublayers))


def deep_norm(*sublayers: Rule, alpha: float, eps: float) -> Rule:
    """Normalise after each addition, with the skip times a number: ``u = LN(alpha x + F(x))``.

    Parameters
    ----------
    *sublayers : rules
        ``y, vjp = F(x, *theta)`` with y of x's shape.
    alpha : float
        Factor on the skip, positive; see `deep_norm_constants`. With 1 this is `post_ln`.
    eps : float
        Of every normalisation, see `layer_norm`.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with ``(theta, (gamma, beta))`` for each sublayer. Its vjp maps y_bar to
        ``(x_bar, *theta_bars)``, see :eq:`eq-transformer-deep`. It holds on to what `layer_norm` and the sublayers
        hold.

    Raises
    ------
    TypeError
        If alpha is no number; and as `post_ln` does.
    ValueError
        If alpha is not positive or not finite; and as `post_ln` does.

    Notes
    -----
    Wang et al. 2024, DeepNet: Scaling Transformers to 1,000 Layers (arXiv 2203.00555).

    Examples
    --------
    >>> block = deep_norm(linear, alpha=3.0, eps=0.0)
    >>> x, one, zero = np.array([[-1.0, 1.0]]), np.ones(2), np.zeros(2)
    >>> y, vjp = block(x, ((np.eye(2), zero), (one, zero)))
    >>> y.tolist()
    [[-1.0, 1.0]]
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise TypeError(f"alpha: expected a number, got {type(alpha).__name__}")
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha: expected a positive number, got {alpha}")
    norm = partial(layer_norm, eps=eps)
    return stack(*(stack(_weighted(float(alpha), F), norm) for F in sublayers))


def deep_norm_constants(layers: int) -> tuple[float, float]:
    """Return the factor on the skips and the one on the branches' initial weights, for a network of one kind of layer.

    Parameters
    ----------
    layers : int
        How many blocks, each of two sublayers, the network has; at least 1.

    Returns
    -------
    alpha, beta : float
        ``(2 layers)^(1/4)`` and ``(8 layers)^(-1/4)``, see :eq:`eq-transformer-constants`.

    Raises
    ------
    TypeError
        If layers is no whole number.
    ValueError
        If it is less than 1.

    Notes
    -----
    Wang et al. 2024 (arXiv 2203.00555), for networks that are encoder or decoder alone; beta multiplies the weights of
    the MLP, of the values and of the output, not those of queries and keys.

    Examples
    --------
    >>> [round(constant, 6) for constant in deep_norm_constants(100)]
    [3.760603, 0.18803]
    """
    (layers,) = require.whole("layers", [layers])
    if layers < 1:
        raise ValueError(f"layers: expected at least 1, got {layers}")
    return float((2 * layers) ** 0.25), float((8 * layers) ** -0.25)


def _weighted(alpha: float, F: Rule) -> Rule:
    """Return ``y = alpha x + F(x)`` as a rule."""
    block, more = residual(F), alpha - 1  # the block's own skip is one of the alpha

    def weighted(x: Array, *theta: Any) -> tuple[Array, Vjp]:
        y, block_vjp = block(x, *theta)

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            x_bar, *theta_bar = block_vjp(y_bar)
            return x_bar + more * y_bar, *theta_bar

        return y + more * x, vjp

    return weighted
