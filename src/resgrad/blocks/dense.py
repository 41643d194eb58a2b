"""The dense block's layer: its output stands beside its input instead of being added to it."""

from typing import Any

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.add import concat


def dense(F: Rule) -> Rule:
    """Put a branch beside its own input: ``y = (x, F(x))`` along the last axis.

    Parameters
    ----------
    F : rule
        ``Fx, vjp = F(x, *theta, **settings)`` with Fx of x's dtype and, but for the last axis, of x's shape; its
        last axis is the growth, the features that the layer adds.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *theta, **settings)``, x's features first. Its vjp maps y_bar to
        ``(x_bar, *theta_bar)``: y_bar is cut, F pulls its own columns back, and the columns of x are added to
        F's share of x_bar, see :eq:`eq-dense-vjp`.
        It holds on to what F's vjp holds and no array of its own; y is a new array with a copy of x in it.

    Raises
    ------
    TypeError
        By the block, if x's dtype is not floating or ``F(x)`` is of another dtype.
    ValueError
        By the block, if ``F(x)`` and x differ in shape before the last axis.

    Notes
    -----
    Huang, Liu, van der Maaten and Weinberger 2017, Densely Connected Convolutional Networks (arXiv 1608.06993),
    equation 2: a stack of these layers gives each of them the features of all before it.

    Examples
    --------
    >>> y, vjp = dense(linear)(np.array([[3.0, 4.0]]), np.array([[2.0], [1.0]]), np.zeros(1))
    >>> x_bar, W_bar, b_bar = vjp(np.array([[1.0, 2.0, 10.0]]))
    >>> y.tolist(), x_bar.tolist()
    ([[3.0, 4.0, 10.0]], [[21.0, 12.0]])
    """

    def block(x: Array, *theta: Any, **settings: Any) -> tuple[Array, Vjp]:
        Fx, F_vjp = F(x, *theta, **settings)
        require.floating(x=x, Fx=Fx)
        if x.ndim == 0 or Fx.shape[:-1] != x.shape[:-1] or Fx.ndim != x.ndim:
            raise require.misfit("F(x) like x but for the last axis", x=x, Fx=Fx)
        y, cut = concat(x, Fx)
        shape, dtype = x.shape, x.dtype

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            over_skip, Fx_bar = cut(y_bar)
            x_bar, *theta_bar = F_vjp(Fx_bar)
            require.like("x_bar from F", x_bar, shape, dtype)
            return x_bar + over_skip, *theta_bar

        return y, vjp

    return block
