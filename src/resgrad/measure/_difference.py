"""A vjp against finite differences, and against itself in higher precision."""

from typing import Any

import numpy as np

from resgrad.measure import _tree as tree
from resgrad.rules._types import Array, Rule, Vjp

_EPS = float(np.finfo(np.float64).eps)
_STEP = _EPS ** (1 / 3)  # 6e-6: truncation (step²) and rounding (eps / step) are in balance
_DOUBLE, _SINGLE = 1e-6, 1e-4  # relative tolerances
_VALUE = (
    1e-3  # share of the value that counts as size: its rounding disturbs the difference of a small gradient
)
_SMALL = 256  # entries of an argument, and of the value, whose Jacobian is still compared in full


def compare_projection(
    f: Rule, args: tuple[Any, ...], y_bar: Any, bars: Any, names: list[str], rng: np.random.Generator
) -> dict[str, float]:
    """Compare <y_bar, f'd> with <vjp(y_bar), d> for a random direction d in each argument."""
    errors, u, y = {}, tree.flat(y_bar), tree.flat(f(*args)[0])
    directions = tree.leaves(tree.normal(rng, args))
    for k, (name, x, bar) in enumerate(zip(names, tree.leaves(args), tree.leaves(bars), strict=True)):
        d = directions[k] * _scale(x)
        left, right = u * _along(f, args, k, d), np.ravel(bar * d)
        size = np.abs(left).sum() + np.abs(right).sum() + _VALUE * np.abs(u * y).sum()
        where = f"{name}, along a random direction: finite difference"
        errors[name] = _judge(where, left.sum(), "vjp", right.sum(), size, _DOUBLE)
    return errors


def compare_jacobian(f: Rule, args: tuple[Any, ...], names: list[str]) -> dict[str, float]:
    """Compare each entry of the Jacobians that are small enough with its own difference."""
    y, vjp = f(*args)
    value, errors = tree.flat(y), {}
    small = [k for k, x in enumerate(tree.leaves(args)) if 0 < x.size <= _SMALL and 0 < value.size <= _SMALL]
    for k, pulled in _pulled(y, vjp, small).items():
        measured = _differences(f, args, k)
        i, j = np.unravel_index(np.argmax(np.abs(measured - pulled)), pulled.shape)
        entry = tuple(int(index) for index in np.unravel_index(j, tree.leaves(args)[k].shape))
        size = max(np.abs(measured).max(), np.abs(pulled).max()) + _VALUE * np.abs(value).max()
        where = f"{names[k]}, at {entry} for entry {i} of y: finite difference"
        errors[names[k]] = _judge(where, measured[i, j], "vjp", pulled[i, j], size, _DOUBLE)
    return errors


def compare_precisions(bars: Any, wide_bars: Any, y_bar: Any, names: list[str]) -> dict[str, float]:
    """Compare single-precision gradients with those of the same rule in double precision."""
    errors, largest = {}, float(np.abs(tree.flat(y_bar)).max(initial=0.0))
    for name, bar, wide in zip(names, tree.leaves(bars), tree.leaves(wide_bars), strict=True):
        if bar.dtype == wide.dtype or bar.size == 0:
            continue
        at = np.unravel_index(np.argmax(np.abs(bar - wide)), bar.shape)
        where, size = f"{name}, at {tuple(map(int, at))}: vjp in {wide.dtype}", np.abs(wide).max()
        errors[name] = _judge(where, wide[at], f"in {bar.dtype}", bar[at], size + 1e-2 * largest, _SINGLE)
    return errors


def _pulled(y: Any, vjp: Vjp, small: list[int]) -> dict[int, Array]:
    """Pull back the rows of the identity: the Jacobian with respect to some of the arrays."""
    rows: dict[int, list[Array]] = {k: [] for k in small}
    for e in np.eye(tree.flat(y).size, dtype=tree.leaves(y)[0].dtype) if small else ():
        bars = tree.leaves(vjp(tree.unflat(y, e)))
        for k in small:
            rows[k].append(np.ravel(bars[k]))
    return {k: np.array(rows[k]) for k in small}


def _scale(x: Any) -> Any:
    return np.maximum(1, np.abs(x))


def _along(f: Rule, args: tuple[Any, ...], k: int, d: Any) -> Array:
    """Differentiate all outputs along d in array k of the arguments, by a central difference."""

    def moved(step: float) -> Array:
        arrays = tree.leaves(args)
        arrays[k] = arrays[k] + step * d
        return tree.flat(f(*tree.rebuild(args, iter(arrays)))[0])

    difference: Array = (moved(_STEP) - moved(-_STEP)) / (2 * _STEP)
    return difference


def _differences(f: Rule, args: tuple[Any, ...], k: int) -> Array:
    """Measure the Jacobian with respect to array k, column by column."""
    x = tree.leaves(args)[k]
    sizes = np.ravel(_scale(x))
    steps = (np.diag(sizes).astype(x.dtype)).reshape(x.size, *x.shape)
    columns = [_along(f, args, k, d) / size for d, size in zip(steps, sizes, strict=True)]
    return np.stack(columns, axis=1)


def _judge(where: str, expected: Any, what: str, found: Any, size: float, rtol: float) -> float:
    """Return the relative error, or raise if it is too large."""
    error = float(abs(expected - found) / size) if expected != found else 0.0
    if not error <= rtol:  # so that nan fails
        off = f"off by {error:.2g} relative, {rtol:.0e} allowed"
        raise AssertionError(f"{where} {expected:.9g}, {what} {found:.9g}; {off}")
    return error
