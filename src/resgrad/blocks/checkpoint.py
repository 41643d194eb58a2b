"""A stack that keeps the activations of a few places only and computes the others again."""

import math
from itertools import pairwise
from typing import Any

from resgrad.blocks.stack import _require_arguments, _require_blocks, stack
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp


def checkpoint(*blocks: Rule, segments: int | None = None) -> Rule:
    """Put blocks one after the other, and keep only the inputs of segments of them: the vjp runs those again.

    Parameters
    ----------
    *blocks : rules
        ``y, vjp = block(x, *theta)``, the first one first. Each is evaluated twice and must give the same value
        both times: one that draws random numbers as it runs gives the gradient of another network.
    segments : int, optional
        Into how many segments of equal length, or as equal as can be, the L blocks are cut; from 1 to L. Without
        it, the whole number next to the root of L.

    Returns
    -------
    f : rule
        ``y, vjp = f(x, *thetas)``, the same function as ``stack(*blocks)`` with the same gradients, bit for bit.
        Its vjp maps y_bar to ``(x_bar, *theta_bars)``, segment by segment from the last, each evaluated again and
        then pulled back, see :eq:`eq-checkpoint-vjp`. It holds on to x, to the inputs of the other segments, and to
        the parameters; while it runs, also to what the vjps of one segment hold.

    Raises
    ------
    TypeError
        If a block is no function or segments no whole number; by f, as for ``stack``.
    ValueError
        If there are fewer than 1 or more than L segments; by f, as for ``stack``.

    Notes
    -----
    Chen, Xu, Zhang and Guestrin 2016, Training Deep Nets with Sublinear Memory Cost (arXiv 1604.06174). It is a
    rule like any other: segments can themselves be checkpointed.

    Examples
    --------
    >>> f = checkpoint(*[residual(linear)] * 4, segments=2)
    >>> theta = np.array([[1.0]]), np.array([0.0])
    >>> y, vjp = f(np.array([[3.0]]), *[theta] * 4)
    >>> x_bar, *theta_bars = vjp(np.array([[1.0]]))
    >>> y.item(), x_bar.item(), theta_bars[0][0].item()
    (48.0, 16.0, 24.0)
    """
    _require_blocks(blocks)
    parts = _parts(len(blocks), segments)

    def f(x: Array, *thetas: tuple[Any, ...]) -> tuple[Array, Vjp]:
        _require_arguments(blocks, x, thetas)
        inputs = []
        for part in parts:
            inputs.append(x)
            for block, theta in zip(blocks[part], thetas[part], strict=True):
                x = block(x, *theta)[0]  # its vjp, with all that it holds, is dropped here
        shape, dtype = x.shape, x.dtype

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            x_bar, theta_bars = y_bar, list[Any]()
            for part, u in zip(reversed(parts), reversed(inputs), strict=True):
                # No name for the segment's vjp: it is gone before the next segment is evaluated.
                x_bar, *bars = stack(*blocks[part])(u, *thetas[part])[1](x_bar)
                theta_bars = [*bars, *theta_bars]
            return x_bar, *theta_bars

        return x, vjp

    return f


def _parts(L: int, segments: int | None) -> list[slice]:
    """Cut L blocks into segments whose lengths differ by one at most."""
    if segments is None:
        segments = round(math.sqrt(L)) or 1
    (k,) = require.whole("segments", [segments])
    if not 1 <= k <= max(L, 1):
        raise ValueError(f"segments: expected from 1 to {max(L, 1)} for {L} blocks, got {k}")
    edges = [i * L // k for i in range(k + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]
