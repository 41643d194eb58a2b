"""The branch of a residual block."""

from typing import Any

from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.linear import linear


def branch(activation: Rule) -> Rule:
    """Two layers with an activation between them: ``F(x) = φ(x W1 + b1) W2 + b2``.

    Parameters
    ----------
    activation : rule
        ``y, vjp = activation(a, **settings)``, such as ``relu``.

    Returns
    -------
    F : rule
        ``Fx, vjp = F(x, W1, b1, W2, b2, **settings)`` with x (N, n), W1 (n, h), b1 (h,), W2 (h, m), b2 (m,);
        in a residual block ``m = n``. The settings are those of the activation.
        Its vjp maps Fx_bar, (N, m), to the five gradients, see :eq:`eq-branch-vjp`. It holds on to what
        its three rules hold: x, W1, W2, the hidden values, and the activation's share.

    Raises
    ------
    TypeError, ValueError
        By F, where ``linear`` or the activation refuses a dtype or a shape.

    Examples
    --------
    >>> F = branch(relu)
    >>> one = np.ones((1, 1))
    >>> Fx, vjp = F(3 * one, 2 * one, one[0], 5 * one, one[0])
    >>> Fx.tolist(), [gradient.tolist() for gradient in vjp(one)]
    ([[36.0]], [[[10.0]], [[15.0]], [5.0], [[7.0]], [1.0]])
    """

    def F(x: Array, W1: Array, b1: Array, W2: Array, b2: Array, **settings: Any) -> tuple[Array, Vjp]:
        a, a_vjp = linear(x, W1, b1)
        h, h_vjp = activation(a, **settings)
        Fx, F_vjp = linear(h, W2, b2)

        def vjp(Fx_bar: Array) -> tuple[Array, ...]:
            h_bar, W2_bar, b2_bar = F_vjp(Fx_bar)
            (a_bar,) = h_vjp(h_bar)
            x_bar, W1_bar, b1_bar = a_vjp(a_bar)
            return x_bar, W1_bar, b1_bar, W2_bar, b2_bar

        return Fx, vjp

    return F
