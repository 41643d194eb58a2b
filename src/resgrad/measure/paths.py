"""The gradient of a residual network, split by the path on which it comes.

The product of the L factors ``I + J_l`` is a sum of 2^L products, one for each choice of the blocks whose
branch is taken; where it is not taken, the skip is. How many are taken is the length of the path.
"""

from collections.abc import Sequence
from operator import add
from typing import Any

import numpy as np

from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp

_MEMORY = 2**30  # bytes


def path_products(Js: Sequence[Array], *, memory: int = _MEMORY) -> tuple[Array, Array]:
    """Every one of the 2^L products of Jacobians, by its path.

    Parameters
    ----------
    Js : sequence of (n, n) arrays
        The Jacobians J_0, ..., J_{L-1} of the branches, at least one, the block at the input first;
        floating or complex, of one dtype.
    memory : int
        How many bytes the result may take.

    Returns
    -------
    taken : (2^L, L) array of bool
        Which branches path i takes: that of block l if bit l of i is set. ``taken.sum(axis=1)`` are the
        lengths.
    products : (2^L, n, n) array
        For each path the product of the Jacobians of the branches that it takes, the last block on the
        left, so that ``y_bar @ products[i]`` is what it carries to x_0. They sum to the Jacobian of the
        stack, see :eq:`eq-paths-three`.

    Raises
    ------
    TypeError
        If Js is no sequence, or a dtype is not floating or another than the first.
    ValueError
        If there is no Jacobian, one is not square, of another size than the first or not finite, or the
        result would take more than `memory`.
    OverflowError
        If a product is not finite, being too large for the dtype.

    Notes
    -----
    2^L - 1 products of matrices. Veit, Wilber and Belongie 2016 (arXiv 1605.06431) unravel a residual
    network in this way.

    Examples
    --------
    >>> taken, products = path_products([np.array([[2.0]]), np.array([[5.0]])])
    >>> taken.sum(axis=1).tolist(), products.ravel().tolist()
    ([0, 1, 1, 2], [1.0, 2.0, 5.0, 10.0])
    """
    L, n, dtype = _require_jacobians(Js)
    what, instead = f"all 2^{L} path products", "use path_sums, the sums by length"
    _require_memory(2**L * (n * n * dtype.itemsize + L), memory, what, instead)
    taken, products = np.zeros((2**L, L), dtype=bool), np.empty((2**L, n, n), dtype)
    products[0] = np.eye(n)
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        for i, J in enumerate(Js):
            # One more branch: J_i to the left of every path that takes none from block i on.
            old, new = slice(2**i), slice(2**i, 2 ** (i + 1))
            taken[new], taken[new, i] = taken[old], True
            np.matmul(J, products[old], out=products[new])
    _require_finite("path_products", products, taken.sum(axis=1))
    return taken, products


def path_sums(Js: Sequence[Array], *, memory: int = _MEMORY) -> Array:
    """Sum of the products of Jacobians over all paths of one length, for each length.

    Parameters
    ----------
    Js : sequence of (n, n) arrays
        The Jacobians J_0, ..., J_{L-1} of the branches, at least one, the block at the input first;
        floating or complex, of one dtype.
    memory : int
        How many bytes the computation may take: the result, and as much again.

    Returns
    -------
    P : (L + 1, n, n) array
        ``P[k]`` is the sum of the products over all paths of length k, the last block on the left: the
        coefficient of t^k in the product of the factors ``I + t J_l``, see :eq:`eq-paths-polynomial`.

    Raises
    ------
    TypeError
        If Js is no sequence, or a dtype is not floating or another than the first.
    ValueError
        If there is no Jacobian, one is not square, of another size than the first or not finite, or the
        computation would take more than `memory`.
    OverflowError
        If a sum is not finite, being too large for the dtype.

    Notes
    -----
    Block by block ``P_k <- P_k + J_l P_{k-1}``: L(L + 1)/2 products of matrices, and no approximation. For
    n = 1 these are the elementary symmetric polynomials of the L numbers.

    Examples
    --------
    >>> path_sums([np.array([[2.0]]), np.array([[5.0]])]).ravel().tolist()
    [1.0, 7.0, 10.0]
    """
    L, n, dtype = _require_jacobians(Js)
    what = f"{L + 1} sums of {n} by {n} products"
    instead = "use path_gradients, which forms no matrix"
    _require_memory(2 * (L + 1) * n * n * dtype.itemsize, memory, what, instead)
    P = np.zeros((L + 1, n, n), dtype)
    P[0] = np.eye(n)
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        for i, J in enumerate(Js):
            P[1 : i + 2] += J @ P[: i + 1]  # complete before it is added
    _require_finite("path_sums", P, np.arange(L + 1))
    return P


def path_gradients(
    blocks: Sequence[Rule],
    x: Array,
    thetas: Sequence[tuple[Any, ...]],
    y_bar: Array,
    *,
    memory: int = _MEMORY,
) -> Array:
    """Gradient at the input of a residual network, split by the length of the path, from the vjps alone.

    Parameters
    ----------
    blocks : sequence of rules
        ``y, vjp = block(x, *theta)``, residual blocks, the first one first.
    x : array of any shape, such as (N, n)
        The input x_0, floating or complex.
    thetas : sequence of tuples
        The parameters, one tuple for each of the L blocks, ``()`` for a block without any.
    y_bar : array of x's shape and dtype
        The gradient at x_L.
    memory : int
        How many bytes the parts may take: the result, and twice as much on the way; not counted is what the
        blocks' vjps hold.

    Returns
    -------
    parts : (L + 1, *x.shape) array
        ``parts[k]`` came through exactly k branches; their sum is the gradient at x_0, see
        :eq:`eq-paths-recursion`.

    Raises
    ------
    TypeError
        If a dtype is not floating or another than x's, a block is no function, or its parameters are no
        tuple.
    ValueError
        If there are more or fewer tuples than blocks, a block's output or y_bar is not of x's shape, y_bar
        is not finite, or the parts would take more than `memory`.
    OverflowError
        If a part is not finite, such as one too large for the dtype.

    Notes
    -----
    L(L + 1)/2 pull-backs, against L for the gradient alone. What came through a branch is
    ``vjp(v)[0] - v``: each such difference has the rounding error of v, so that a branch that is much
    weaker than the skip loses digits. A block without a skip cannot be told from one that has it; the
    parts then mean nothing, though their sum is still the gradient.

    Examples
    --------
    >>> x, thetas = np.array([[1.0]]), [(np.array([[w]]), np.zeros(1)) for w in (2.0, 5.0)]
    >>> parts = path_gradients([residual(linear)] * 2, x, thetas, np.array([[1.0]]))
    >>> parts.ravel().tolist()
    [1.0, 7.0, 10.0]
    """
    vjps = _forward(blocks, x, thetas, y_bar, memory)
    parts = [y_bar]  # by length, at the block that comes next
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        for vjp in reversed(vjps):
            branch = [vjp(part)[0] - part for part in parts]
            parts = [parts[0], *map(add, parts[1:], branch), branch[-1]]
    result = np.array(parts)
    _require_finite("path_gradients", result, np.arange(len(parts)))
    return result


def _forward(
    blocks: Sequence[Rule], x: Array, thetas: Sequence[tuple[Any, ...]], y_bar: Array, memory: int
) -> list[Vjp]:
    """Run the network and return the vjps of its blocks, or refuse what does not fit."""
    L = _require_network(blocks, x, thetas)
    what = f"{L + 1} gradients of shape {x.shape}"
    _require_memory(3 * (L + 1) * x.nbytes, memory, what, "use fewer rows or single precision")
    shape, dtype, vjps = x.shape, x.dtype, []
    for i, (block, theta) in enumerate(zip(blocks, thetas, strict=True)):
        x, vjp = block(x, *theta)
        require.like(f"the output of blocks[{i}], a residual block", x, shape, dtype)
        vjps.append(vjp)
    require.like("y_bar", y_bar, shape, dtype)
    if not np.isfinite(y_bar).all():
        raise ValueError(f"y_bar: expected finite entries (shape {shape})")
    return vjps


def _require_jacobians(Js: Sequence[Array]) -> tuple[int, int, np.dtype[Any]]:
    """Refuse what are no square matrices of one size and dtype; return how many, their size, their dtype."""
    if not isinstance(Js, Sequence | np.ndarray):
        raise TypeError(f"Js: expected a sequence of square matrices, got {type(Js).__name__}")
    if len(Js) == 0:
        raise ValueError("Js: expected at least one Jacobian, got none")
    require.floating(**{f"Js[{i}]": J for i, J in enumerate(Js)})
    for i, J in enumerate(Js):
        if J.ndim != 2 or J.shape[0] != J.shape[1]:
            raise ValueError(
                f"Js[{i}]: expected a square matrix (n, n), got shape {J.shape}; a block that changes width "
                "has no identity for a skip: split the blocks before it and those after it separately"
            )
        if J.shape != Js[0].shape:
            raise ValueError(f"Js[{i}]: expected the shape of Js[0], {Js[0].shape}, got {J.shape}")
        if not np.isfinite(J).all():
            raise ValueError(f"Js[{i}]: expected finite entries (shape {J.shape})")
    return len(Js), len(Js[0]), Js[0].dtype


def _require_network(blocks: Sequence[Rule], x: Array, thetas: Sequence[tuple[Any, ...]]) -> int:
    """Refuse blocks and parameters that do not go together; return how many blocks there are."""
    require.floating(x=x)
    for name, values in (("blocks", blocks), ("thetas", thetas)):
        if not isinstance(values, Sequence):
            raise TypeError(
                f"{name}: expected a sequence, one entry for each block, got {type(values).__name__}"
            )
    if len(thetas) != len(blocks):
        raise ValueError(f"thetas: expected one tuple for each of {len(blocks)} blocks, got {len(thetas)}")
    for i, (block, theta) in enumerate(zip(blocks, thetas, strict=True)):
        if not callable(block):
            raise TypeError(f"blocks[{i}]: expected a rule, got {type(block).__name__}")
        if not isinstance(theta, tuple):  # an array would unpack into its rows
            raise TypeError(f"thetas[{i}]: expected a tuple of parameters, got {type(theta).__name__}")
    return len(blocks)


def _require_memory(needed: int, memory: int, what: str, instead: str) -> None:
    if needed > memory:
        raise ValueError(f"memory: {what} take {needed} bytes, more than the limit of {memory}: {instead}")


def _require_finite(name: str, values: Array, lengths: Array) -> None:
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not finite.all():
        raise OverflowError(
            f"{name}: not finite in {values.dtype}, from paths of length {lengths[~finite].min()} on: "
            "divide the branches by a number, or use a wider dtype"
        )
