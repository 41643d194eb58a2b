"""Arguments and outputs that may be tuples of arrays, seen as a list of arrays or as one vector."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from resgrad.rules._types import Array, Rule


def leaves(tree: Any) -> list[Any]:
    """Return the arrays of nested tuples, from left to right."""
    if isinstance(tree, tuple):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def rebuild(tree: Any, arrays: Iterator[Any]) -> Any:
    """Return nested tuples of the same form with other arrays: the inverse of `leaves`."""
    if isinstance(tree, tuple):
        return tuple(rebuild(branch, arrays) for branch in tree)
    return next(arrays)


def flat(tree: Any) -> Array:
    """Return all numbers of nested tuples as one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in leaves(tree)])


def unflat(tree: Any, vector: Array) -> Any:
    """Return nested tuples of the same form and shapes with the numbers of a vector: `flat` undone."""
    edges = np.cumsum([leaf.size for leaf in leaves(tree)])[:-1]
    shaped = (
        part.reshape(leaf.shape) for part, leaf in zip(np.split(vector, edges), leaves(tree), strict=True)
    )
    return rebuild(tree, shaped)


def paths(name: str, tree: Any) -> list[str]:
    """Return the name of each leaf, such as ``thetas[0][2]``."""
    if isinstance(tree, tuple):
        return [path for i, branch in enumerate(tree) for path in paths(f"{name}[{i}]", branch)]
    return [name]


def names(f: Rule, args: tuple[Any, ...]) -> list[str]:
    """Return what f calls each array among its positional arguments."""
    try:
        bound = inspect.signature(f).bind_partial(*args).arguments
    except (TypeError, ValueError):  # no signature to read, or f takes other arguments and will say so
        bound = {"args": args}
    return [path for name, value in bound.items() for path in paths(name, value)]


def widen(value: Any) -> Any:
    """Return single-precision arrays, in tuples too, in double precision, and all else as it is."""
    if isinstance(value, tuple):
        return tuple(widen(entry) for entry in value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc":
        return value.astype(np.result_type(value.dtype, np.float64))
    return value


def normal(rng: np.random.Generator, tree: Any) -> Any:
    """Return standard normal numbers in the form, the shapes and the dtypes of a tree."""

    def draw(leaf: Any) -> Any:
        numbers = rng.standard_normal(leaf.shape)
        if leaf.dtype.kind == "c":
            numbers = numbers + 1j * rng.standard_normal(leaf.shape)
        return np.asarray(numbers, dtype=leaf.dtype)

    return rebuild(tree, iter([draw(leaf) for leaf in leaves(tree)]))
