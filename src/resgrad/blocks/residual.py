"""The residual block."""

from typing import Any

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp


def residual(F: Rule) -> Rule:
    """Add a branch to its own input: ``y = F(x) + x``.

    Parameters
    ----------
    F : rule
        ``Fx, vjp = F(x, *theta, **settings)`` with Fx of x's shape and dtype.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *theta, **settings)``. Its vjp maps y_bar to ``(x_bar, *theta_bar)``: F pulls y_bar
        back, and y_bar itself is added to F's share of x_bar, see :eq:`eq-residual-vjp`.
        It holds on to what F's vjp holds and no array of its own.

    Raises
    ------
    TypeError
        By the block, if x's dtype is not floating or ``F(x)`` is of another dtype.
    ValueError
        By the block, if ``F(x)`` is of another shape than x: it is not broadcast.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Identity Mappings in Deep Residual Networks (arXiv 1603.05027), equations
    1 and 2, with the identity as shortcut and nothing after the addition.

    Examples
    --------
    >>> block = residual(linear)
    >>> x, b = np.array([[3.0, 4.0]]), np.zeros(2)
    >>> y, vjp = block(x, np.array([[0.5, 2.0], [-1.0, 0.3]]), b)
    >>> x_bar, W_bar, b_bar = vjp(np.array([[1.0, 2.0]]))
    >>> x_bar.tolist()
    [[5.5, 1.6]]
    """

    def block(x: Array, *theta: Any, **settings: Any) -> tuple[Array, Vjp]:
        Fx, F_vjp = F(x, *theta, **settings)
        require.floating(x=x, Fx=Fx)
        if Fx.shape != x.shape:
            raise require.misfit("F(x) of x's shape", x=x, Fx=Fx)
        shape, dtype = x.shape, x.dtype

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            x_bar, *theta_bar = F_vjp(y_bar)
            require.like("x_bar from F", x_bar, shape, dtype)
            return x_bar + y_bar, *theta_bar

        return Fx + x, vjp

    return block
