"""Additive coupling: a block of two streams whose input is computed back from its output."""

from typing import Any, TypeAlias

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp

Theta: TypeAlias = tuple[Any, ...]
Pair: TypeAlias = tuple[Array, Array]


def coupling(F: Rule, G: Rule) -> Rule:
    """Add a branch of each stream to the other: ``y1 = x1 + F(x2)``, ``y2 = x2 + G(y1)``.

    Parameters
    ----------
    F : rule
        ``Fx2, vjp = F(x2, *theta_F)`` with Fx2 of x1's shape and dtype.
    G : rule
        ``Gy1, vjp = G(y1, *theta_G)`` with Gy1 of x2's shape and dtype.

    Returns
    -------
    block : rule
        ``(y1, y2), vjp = block(x1, x2, theta_F, theta_G)`` with one tuple of parameters for each branch. Its vjp
        maps the tuple ``(y1_bar, y2_bar)`` to ``(x1_bar, x2_bar, theta_F_bar, theta_G_bar)``: G pulls y2_bar
        back first, and what F pulls back is x1_bar, which holds G's share: see :eq:`eq-reversible-vjp`.
        It holds on to what the vjps of F and G hold and no array of its own.

    Raises
    ------
    TypeError
        By the block, if a dtype is not floating or differs from x1's, or parameters are no tuple.
    ValueError
        By the block, if what a branch returns has another shape than what it is added to.

    Notes
    -----
    Gomez, Ren, Urtasun and Grosse 2017, The Reversible Residual Network (arXiv 1707.04585); the additive coupling
    is that of Dinh, Krueger and Bengio 2015, NICE (arXiv 1410.8516).

    Examples
    --------
    >>> block = coupling(linear, linear)
    >>> double, half = (np.array([[2.0]]), np.zeros(1)), (np.array([[0.5]]), np.zeros(1))
    >>> (y1, y2), vjp = block(np.array([[1.0]]), np.array([[2.0]]), double, half)
    >>> x1_bar, x2_bar, *theta_bars = vjp((np.array([[1.0]]), np.array([[2.0]])))
    >>> y1.item(), y2.item(), x1_bar.item(), x2_bar.item()
    (5.0, 4.5, 2.0, 6.0)
    """

    def block(x1: Array, x2: Array, theta_F: Theta, theta_G: Theta) -> tuple[Pair, Vjp]:
        require.floating(x1=x1, x2=x2)
        Fx2, F_vjp = _branch("F", F, x2, theta_F, x1)
        y1 = x1 + Fx2
        Gy1, G_vjp = _branch("G", G, y1, theta_G, x2)
        y2 = x2 + Gy1
        like = [(y.shape, y.dtype) for y in (y1, y2)]

        def vjp(y_bars: Pair) -> tuple[Any, ...]:
            y1_bar, y2_bar = _pair("y", y_bars, like)
            return _pull(F_vjp, G_vjp, y1_bar, y2_bar)

        return (y1, y2), vjp

    return block


def uncouple(F: Rule, G: Rule) -> Rule:
    """Invert a coupling: ``x2 = y2 - G(y1)``, then ``x1 = y1 - F(x2)``.

    Parameters
    ----------
    F, G : rules
        Those of ``coupling``; neither has to have an inverse.

    Returns
    -------
    block : rule
        ``(x1, x2), vjp = block(y1, y2, theta_F, theta_G)``, the inverse of ``coupling(F, G)`` with the same
        parameters, up to rounding: see :eq:`eq-reversible-uncouple`. Its vjp maps ``(x1_bar, x2_bar)`` to
        ``(y1_bar, y2_bar, theta_F_bar, theta_G_bar)``, see :eq:`eq-reversible-uncouple-vjp`.
        It holds on to what the vjps of F and G hold.

    Raises
    ------
    TypeError, ValueError
        As for the block of ``coupling``.

    Notes
    -----
    Gomez, Ren, Urtasun and Grosse 2017, The Reversible Residual Network (arXiv 1707.04585).

    Examples
    --------
    >>> block = uncouple(linear, linear)
    >>> double, half = (np.array([[2.0]]), np.zeros(1)), (np.array([[0.5]]), np.zeros(1))
    >>> (x1, x2), vjp = block(np.array([[5.0]]), np.array([[4.5]]), double, half)
    >>> x1.item(), x2.item()
    (1.0, 2.0)
    """

    def block(y1: Array, y2: Array, theta_F: Theta, theta_G: Theta) -> tuple[Pair, Vjp]:
        require.floating(y1=y1, y2=y2)
        Gy1, G_vjp = _branch("G", G, y1, theta_G, y2)
        x2 = y2 - Gy1
        Fx2, F_vjp = _branch("F", F, x2, theta_F, y1)
        x1 = y1 - Fx2
        like = [(x.shape, x.dtype) for x in (x1, x2)]

        def vjp(x_bars: Pair) -> tuple[Any, ...]:
            x1_bar, x2_bar = _pair("x", x_bars, like)
            F_share, *theta_F_bar = F_vjp(-x1_bar)
            y2_bar = x2_bar + F_share
            G_share, *theta_G_bar = G_vjp(-y2_bar)
            return x1_bar + G_share, y2_bar, tuple(theta_F_bar), tuple(theta_G_bar)

        return (x1, x2), vjp

    return block


def reversible(*pairs: tuple[Rule, Rule]) -> Rule:
    """Stack couplings and keep only the last output: the vjp computes the activations again, from the end.

    Parameters
    ----------
    *pairs : tuples of two rules
        ``(F, G)`` of each coupling, the first one first. Of no coupling, the network is the identity.

    Returns
    -------
    f : rule
        ``(y1, y2), vjp = f(x1, x2, *thetas)`` with one tuple ``(theta_F, theta_G)`` for each coupling. Its vjp maps
        the tuple ``(y1_bar, y2_bar)`` to ``(x1_bar, x2_bar, *theta_bars)``, see :eq:`eq-reversible-vjp`, taken
        at the inputs that :eq:`eq-reversible-uncouple` gives: those of the forward pass up to rounding.
        It holds on to y1, y2 and the parameters, whatever the depth.

    Raises
    ------
    TypeError
        If an entry of pairs is no tuple of two; by f, as for the block of ``coupling``.
    ValueError
        By f, if there are more or fewer tuples than couplings, and as for the block of ``coupling``.

    Notes
    -----
    Gomez, Ren, Urtasun and Grosse 2017, The Reversible Residual Network (arXiv 1707.04585).
    Each branch is evaluated twice, on the way forward and on the way back, and pulled back once.

    Examples
    --------
    >>> f = reversible((linear, linear), (linear, linear))
    >>> theta = (np.array([[2.0]]), np.zeros(1)), (np.array([[0.5]]), np.zeros(1))
    >>> (y1, y2), vjp = f(np.array([[1.0]]), np.array([[2.0]]), theta, theta)
    >>> x1_bar, x2_bar, *theta_bars = vjp((np.array([[1.0]]), np.array([[2.0]])))
    >>> y1.item(), y2.item(), x1_bar.item(), x2_bar.item()
    (14.0, 11.5, 5.0, 16.0)
    """
    for i, pair in enumerate(pairs):
        require.tuple_of(f"pairs[{i}]", pair, 2)

    def f(x1: Array, x2: Array, *thetas: Theta) -> tuple[Pair, Vjp]:
        _require_thetas(pairs, x1, x2, thetas)
        blocks = list(zip(pairs, thetas, strict=True))
        y1, y2 = x1, x2
        for (F, G), (theta_F, theta_G) in blocks:
            # The block's vjp, with all that it holds, is dropped here.
            (y1, y2), _ = coupling(F, G)(y1, y2, theta_F, theta_G)
        like = [(y.shape, y.dtype) for y in (y1, y2)]

        def vjp(y_bars: Pair) -> tuple[Any, ...]:
            a1_bar, a2_bar = _pair("y", y_bars, like)
            a1, a2, theta_bars = y1, y2, []
            for (F, G), (theta_F, theta_G) in reversed(blocks):
                Ga1, G_vjp = G(a1, *theta_G)
                a2 = a2 - Ga1
                Fa2, F_vjp = F(a2, *theta_F)
                a1 = a1 - Fa2
                a1_bar, a2_bar, *theta_bar = _pull(F_vjp, G_vjp, a1_bar, a2_bar)
                theta_bars.append(tuple(theta_bar))
            return a1_bar, a2_bar, *reversed(theta_bars)

        return (y1, y2), vjp

    return f


def _pull(F_vjp: Vjp, G_vjp: Vjp, y1_bar: Array, y2_bar: Array) -> Theta:
    """Pull the gradients of a coupling's outputs back: through G first, since y1 is used by G too."""
    G_share, *theta_G_bar = G_vjp(y2_bar)
    x1_bar = y1_bar + G_share
    F_share, *theta_F_bar = F_vjp(x1_bar)
    return x1_bar, y2_bar + F_share, tuple(theta_F_bar), tuple(theta_G_bar)


def _branch(name: str, branch: Rule, x: Array, theta: Any, other: Array) -> tuple[Array, Vjp]:
    """Evaluate a branch whose value is added to the other stream, and refuse what does not fit there."""
    _require_parameters(f"theta_{name}", theta)
    value, vjp = branch(x, *theta)
    require.like(f"what {name} returns", value, other.shape, other.dtype)
    return value, vjp


def _require_parameters(name: str, theta: Any) -> None:
    if not isinstance(theta, tuple):  # an array would unpack into its rows
        raise TypeError(f"{name}: expected a tuple of parameters, got {type(theta).__name__}")


def _pair(name: str, bars: Any, like: list[Any]) -> Pair:
    require.tuple_of(f"{name}_bars", bars, 2)
    for i, (bar, (shape, dtype)) in enumerate(zip(bars, like, strict=True), start=1):
        require.like(f"{name}{i}_bar", bar, shape, dtype)
    one, two = bars
    return one, two


def _require_thetas(pairs: tuple[Any, ...], x1: Array, x2: Array, thetas: Theta) -> None:
    require.floating(x1=x1, x2=x2)
    if len(thetas) != len(pairs):
        raise ValueError(f"thetas: expected one tuple for each of {len(pairs)} couplings, got {len(thetas)}")
    for i, theta in enumerate(thetas):
        require.tuple_of(f"thetas[{i}]", theta, 2)
        for j in (0, 1):
            _require_parameters(f"thetas[{i}][{j}]", theta[j])
