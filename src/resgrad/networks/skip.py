"""Layers with skip connections from any activation to any later one."""

from collections.abc import Sequence
from typing import Any

from resgrad.blocks.stack import _require_arguments, _require_blocks
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp


def trace_skip(*layers: Rule, skips: Sequence[tuple[int, int]]) -> Rule:
    """Run layers with skip connections and keep every activation, then every gradient.

    Parameters
    ----------
    *layers : rules
        ``y, vjp = layer(x, *theta)``, the first one first; layer l leads from x_l to x_(l+1). Of no layer, the
        network is the identity.
    skips : sequence of pairs of int
        ``(i, j)`` adds x_i to x_j; activations are counted from 0, the input, to L, the output.

    Returns
    -------
    f : function
        ``xs, pull = f(x, *thetas)`` with one tuple of parameters for each of the L layers; xs is the tuple of the
        activations, ``x_0 = x`` and x_(l+1) what layer l makes of x_l plus all x_i with a skip ``(i, l + 1)``,
        see :eq:`eq-skip-forward`. ``x_bars, theta_bars = pull(y_bar)`` gives the L + 1 gradients of xs and one
        tuple of gradients for each layer, see :eq:`eq-skip-vjp`.
        pull holds on to what the layers' vjps hold.

    Raises
    ------
    TypeError
        If a layer is no function or a skip no pair of whole numbers; by f, if x's dtype is not floating, a
        layer's parameters are no tuple, or a skip joins two dtypes.
    ValueError
        If a skip does not lead from an activation to a later one, or occurs twice; by f, if there are more or
        fewer tuples than layers, or a skip joins two shapes.

    Notes
    -----
    A skip has no weights. One with a matrix of its own is a layer beside the others: ``fork``, ``linear`` and
    ``add``.

    Examples
    --------
    Four layers that multiply by 2, 3, -1 and 2, and two skips that overlap:

    >>> f = trace_skip(linear, linear, linear, linear, skips=[(0, 2), (1, 3)])
    >>> thetas = [(np.array([[w]]), np.zeros(1)) for w in (2.0, 3.0, -1.0, 2.0)]
    >>> xs, pull = f(np.array([[1.0]]), *thetas)
    >>> x_bars, theta_bars = pull(np.array([[1.0]]))
    >>> [x.item() for x in xs]
    [1.0, 2.0, 7.0, -5.0, -10.0]
    >>> [x_bar.item() for x_bar in x_bars]
    [-10.0, -4.0, -2.0, 2.0, 1.0]
    """
    _require_blocks(layers, "layers")
    into, out_of = _ends(skips, len(layers))

    def f(x: Array, *thetas: tuple[Any, ...]) -> tuple[tuple[Array, ...], Vjp]:
        _require_arguments(layers, x, thetas, "layers")
        xs, vjps = [x], []
        for layer, theta, sources in zip(layers, thetas, into, strict=True):
            y, vjp = layer(xs[-1], *theta)
            for i in sources:
                y = _added(y, xs[i], i, len(xs))
            xs.append(y)
            vjps.append(vjp)
        like = [(x_l.shape, x_l.dtype) for x_l in xs]

        def pull(y_bar: Array) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
            require.like("y_bar", y_bar, *like[-1])
            x_bars: dict[int, Array] = {len(layers): y_bar}
            theta_bars: list[tuple[Any, ...]] = []
            for i in reversed(range(len(layers))):
                # Complete by now: all that x_(i+1) goes into lies above.
                x_bar, *theta_bar = vjps[i](x_bars[i + 1])
                require.like(f"x_bar from layers[{i}]", x_bar, *like[i])
                x_bars[i] = sum((x_bars[j] for j in out_of[i]), start=x_bar)
                theta_bars.append(tuple(theta_bar))
            # Both were filled from the last to the first.
            return tuple(x_bars.values())[::-1], tuple(theta_bars)[::-1]

        return tuple(xs), pull

    return f


def skip(*layers: Rule, skips: Sequence[tuple[int, int]]) -> Rule:
    """Put layers one after the other, with skip connections from any activation to any later one.

    Parameters
    ----------
    *layers : rules
        ``y, vjp = layer(x, *theta)``, the first one first; layer l leads from x_l to x_(l+1). Of no layer, the
        network is the identity.
    skips : sequence of pairs of int
        ``(i, j)`` adds x_i to x_j; activations are counted from 0, the input, to L, the output. With
        ``(l, l + 1)`` for every layer the network is a stack of residual blocks.

    Returns
    -------
    f : rule
        ``y, vjp = f(x, *thetas)`` with one tuple of parameters for each of the L layers, ``()`` for a layer
        without any. Its vjp maps y_bar to ``(x_bar, *theta_bars)``, one tuple of gradients for each layer: see
        :eq:`eq-skip-vjp`. It holds on to what the layers' vjps hold, and to no activation of its own.

    Raises
    ------
    TypeError, ValueError
        As `trace_skip`.

    Examples
    --------
    >>> f = skip(linear, linear, skips=[(0, 2)])
    >>> theta1, theta2 = [(np.array([[w]]), np.zeros(1)) for w in (2.0, 3.0)]
    >>> y, vjp = f(np.array([[1.0]]), theta1, theta2)
    >>> x_bar, theta1_bar, theta2_bar = vjp(np.array([[1.0]]))
    >>> y.item(), x_bar.item()
    (7.0, 7.0)
    """
    run = trace_skip(*layers, skips=skips)

    def f(x: Array, *thetas: tuple[Any, ...]) -> tuple[Array, Vjp]:
        xs, pull = run(x, *thetas)

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            x_bars, theta_bars = pull(y_bar)
            return x_bars[0], *theta_bars

        return xs[-1], vjp

    return f


def _ends(skips: Sequence[tuple[int, int]], L: int) -> tuple[list[list[int]], list[list[int]]]:
    """For each layer, where the skips into its sum begin; for each activation, where those out of it end."""
    into: list[list[int]] = [[] for _ in range(L)]
    out_of: list[list[int]] = [[] for _ in range(L)]
    for pair in skips:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"skips: expected pairs (from, to), got {pair!r}")
        i, j = require.whole("skips", pair)
        if not 0 <= i < j <= L:
            raise ValueError(f"skips: expected 0 <= from < to <= {L}, the number of layers, got ({i}, {j})")
        if j in out_of[i]:
            raise ValueError(f"skips: expected each pair once, got ({i}, {j}) twice")
        into[j - 1].append(i)
        out_of[i].append(j)
    return into, out_of


def _added(y: Array, x: Array, i: int, j: int) -> Array:
    named = {f"x_{i}": x, f"layers[{j - 1}](x_{j - 1})": y}
    require.floating(**named)
    if x.shape != y.shape:
        raise require.misfit(f"two arrays of one shape at the skip ({i}, {j})", **named)
    return y + x
