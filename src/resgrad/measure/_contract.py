"""Whether a rule keeps the contract: an entry for each argument, of its shape and dtype; nothing changed."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from resgrad.measure import _tree as tree
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp

_DTYPES = frozenset(map(np.dtype, "fdFD"))


def named_arrays(f: Rule, args: tuple[Any, ...]) -> list[str]:
    """Return f's names of the arrays among its arguments; refuse what cannot be differentiated."""
    names, arrays = tree.names(f, args), tree.leaves(args)
    if not arrays:
        raise ValueError("args: expected at least one array to differentiate by, got none")
    for name, array in zip(names, arrays, strict=True):
        require.floating(**{name: array})
        if array.dtype not in _DTYPES:
            raise TypeError(f"{name}: expected single or double precision, got {array.dtype}")
    return names


def observe(
    f: Rule, args: tuple[Any, ...], settings: dict[str, Any], names: list[str], rng: np.random.Generator
) -> tuple[Any, Any]:
    """Call f and its vjp again and again on a random y_bar; return y_bar and what the vjp made of it.

    Raises
    ------
    AssertionError
        If the contract is broken.
    """
    given = _copies(args)
    y, vjp = f(*args, **settings)
    y_names, value = tree.paths("y", y), _copies(y)
    _equal("changed in place by f", names, args, given)
    _of_dtype(y, given[0].dtype)
    _finite("value", y_names, value)

    y_bar = tree.normal(rng, y)
    bars = _pull(vjp, y_bar, args, names)
    _equal("changed in place by the vjp", names, args, given)
    _equal("changed in place by the vjp", y_names, y, value)
    _equal("a second call of f gives another value", y_names, f(*args, **settings)[0], value)
    return y_bar, tree.rebuild(args, iter(bars))


def _pull(vjp: Vjp, y_bar: Any, args: tuple[Any, ...], names: list[str]) -> list[Array]:
    received = _copies(y_bar)
    first = vjp(y_bar)
    _equal("changed in place by the vjp", tree.paths("y_bar", y_bar), y_bar, received)
    _of_the_form("vjp(y_bar)", first, args, iter(names))
    bars = _copies(first)
    _finite("gradient", names, bars)
    _equal("a second call of the vjp gives another gradient", names, vjp(y_bar), bars)
    vjp(tree.rebuild(y_bar, iter([2 * array for array in received])))
    _equal("a later call of the vjp overwrites the first gradient", names, first, bars)
    return bars


def _copies(arrays: Any) -> list[Array]:
    return [np.array(array) for array in tree.leaves(arrays)]


def _equal(problem: str, names: list[str], arrays: Any, copies: list[Array]) -> None:
    for name, array, copy in zip(names, tree.leaves(arrays), copies, strict=True):
        if not np.array_equal(array, copy, equal_nan=True):
            where = np.unravel_index(np.argmax(array != copy), copy.shape)
            raise AssertionError(f"{name}: {problem}: {copy[where]} became {np.asarray(array)[where]}")


def _finite(what: str, names: list[str], arrays: list[Array]) -> None:
    for name, array in zip(names, arrays, strict=True):
        if not np.isfinite(array).all():
            raise AssertionError(f"{name}: the {what} has entries that are not finite (shape {array.shape})")


def _of_dtype(y: Any, dtype: np.dtype[Any]) -> None:
    for name, array in zip(tree.paths("y", y), tree.leaves(y), strict=True):
        _asserted(require.like, name, array, np.shape(array), dtype)


def _of_the_form(place: str, bars: Any, args: Any, names: Iterator[str]) -> None:
    if isinstance(args, tuple):
        _asserted(require.tuple_of, place, bars, len(args))
        for i, (bar, arg) in enumerate(zip(bars, args, strict=True)):
            _of_the_form(f"{place}[{i}]", bar, arg, names)
    else:
        _asserted(require.like, f"{place}, the gradient of {next(names)}", bars, args.shape, args.dtype)


def _asserted(check: Callable[..., None], *given: Any) -> None:
    try:
        check(*given)
    except (TypeError, ValueError) as error:
        raise AssertionError(str(error)) from None
