"""Blocks one after the other."""

from typing import Any

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp


def trace(*blocks: Rule) -> Rule:
    """Run a stack of blocks and keep every activation, then every gradient.

    Parameters
    ----------
    *blocks : rules
        ``y, vjp = block(x, *theta)``, the first one first. Of no block, the stack is the identity.

    Returns
    -------
    f : function
        ``xs, pull = f(x, *thetas)`` with one tuple of parameters for each of the L blocks; xs is the tuple
        ``x_0, ..., x_L`` of the activations, ``x_0 = x``. ``x_bars, theta_bars = pull(y_bar)`` gives the L + 1
        gradients of xs, the last one y_bar itself, and one tuple of gradients for each block, see
        :eq:`eq-stack-telescope`.
        pull holds on to what the blocks' vjps hold.

    Raises
    ------
    TypeError
        If a block is no function; by f, if x's dtype is not floating, or a block's parameters are no tuple.
    ValueError
        By f, if there are more or fewer tuples than blocks.

    Notes
    -----
    The part of a residual block's gradient that came over the skip is ``x_bars[l + 1]``, the part from
    the branch ``x_bars[l] - x_bars[l + 1]``.

    Examples
    --------
    >>> f = trace(residual(linear), residual(linear))
    >>> theta = np.array([[1.0]]), np.array([0.0])
    >>> xs, pull = f(np.array([[3.0]]), theta, theta)
    >>> x_bars, theta_bars = pull(np.array([[1.0]]))
    >>> [x.item() for x in xs], [x_bar.item() for x_bar in x_bars]
    ([3.0, 6.0, 12.0], [4.0, 2.0, 1.0])
    """
    _require_blocks(blocks)

    def f(x: Array, *thetas: tuple[Any, ...]) -> tuple[tuple[Array, ...], Vjp]:
        _require_arguments(blocks, x, thetas)
        xs, vjps = [x], []
        for block, theta in zip(blocks, thetas, strict=True):
            x, vjp = block(x, *theta)
            xs.append(x)
            vjps.append(vjp)
        shape, dtype = x.shape, x.dtype

        def pull(y_bar: Array) -> tuple[tuple[Array, ...], tuple[tuple[Any, ...], ...]]:
            require.like("y_bar", y_bar, shape, dtype)
            x_bars, theta_bars = [y_bar], []
            for vjp in reversed(vjps):
                x_bar, *theta_bar = vjp(x_bars[-1])
                x_bars.append(x_bar)
                theta_bars.append(tuple(theta_bar))
            return tuple(reversed(x_bars)), tuple(reversed(theta_bars))

        return tuple(xs), pull

    return f


def stack(*blocks: Rule) -> Rule:
    """Put blocks one after the other: ``y = f_L(... f_1(x))``.

    Parameters
    ----------
    *blocks : rules
        ``y, vjp = block(x, *theta)``, the first one first. Of no block, the stack is the identity.

    Returns
    -------
    f : rule
        ``y, vjp = f(x, *thetas)`` with one tuple of parameters for each of the L blocks, ``()`` for a block
        without any. Its vjp maps y_bar to ``(x_bar, *theta_bars)``, one tuple of gradients for each block, the
        blocks' vjps applied from the last to the first: see :eq:`eq-stack-product`. It holds on to what
        those hold.

    Raises
    ------
    TypeError
        If a block is no function; by f, if x's dtype is not floating, or a block's parameters are no tuple.
    ValueError
        By f, if there are more or fewer tuples than blocks.

    Notes
    -----
    Of residual blocks, this is He, Zhang, Ren and Sun 2016 (arXiv 1603.05027), equations 3 to 5.

    Examples
    --------
    >>> f = stack(residual(linear), residual(linear))
    >>> theta = np.array([[1.0]]), np.array([0.0])
    >>> y, vjp = f(np.array([[3.0]]), theta, theta)
    >>> x_bar, theta1_bar, theta2_bar = vjp(np.array([[1.0]]))
    >>> y.item(), x_bar.item()
    (12.0, 4.0)
    """
    _require_blocks(blocks)

    def f(x: Array, *thetas: tuple[Any, ...]) -> tuple[Array, Vjp]:
        _require_arguments(blocks, x, thetas)
        vjps = []
        for block, theta in zip(blocks, thetas, strict=True):
            x, vjp = block(x, *theta)
            vjps.append(vjp)
        shape, dtype = x.shape, x.dtype

        # Not a use of `trace`: what that keeps, L activations and gradients, is measurably slower to hold.
        def pull(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            x_bar, theta_bars = y_bar, []
            for vjp in reversed(vjps):
                x_bar, *theta_bar = vjp(x_bar)
                theta_bars.append(tuple(theta_bar))
            return x_bar, *reversed(theta_bars)

        return x, pull

    return f


def _require_blocks(blocks: tuple[Any, ...], name: str = "blocks") -> None:
    for i, block in enumerate(blocks):
        if not callable(block):  # such as a list of blocks that was not unpacked
            raise TypeError(f"{name}[{i}]: expected a rule, got {type(block).__name__}")


def _require_arguments(
    blocks: tuple[Rule, ...], x: Array, thetas: tuple[Any, ...], name: str = "blocks"
) -> None:
    require.floating(x=x)
    if len(thetas) != len(blocks):
        raise ValueError(f"thetas: expected one tuple for each of {len(blocks)} {name}, got {len(thetas)}")
    for i, theta in enumerate(thetas):
        # An array would unpack into its rows.
        if not isinstance(theta, tuple):
            raise TypeError(f"thetas[{i}]: expected a tuple of parameters, got {type(theta).__name__}")
