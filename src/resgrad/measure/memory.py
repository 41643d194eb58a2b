"""How much memory a gradient costs: what a vjp holds on to, and the most that is needed at once."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from resgrad.measure import _tree as tree
from resgrad.rules._types import Array, Rule

T = TypeVar("T")

# From these, everything can be reached, and nothing of it belongs to one call.
_SHARED = (type, ModuleType, CodeType, FrameType)


class Memory(NamedTuple):
    """What `memory` measured, in bytes.

    Attributes
    ----------
    held : int
        Of the arrays that the vjp keeps alive beside those of the arguments.
    borrowed : int
        Of the arguments' arrays, input and parameters, those that the vjp keeps alive.
    peak : int
        The most that the forward and the backward pass had allocated at once, the gradients that came back and
        Python's own objects included.

    Examples
    --------
    >>> Memory(held=24, borrowed=0, peak=64).peak
    64
    """

    held: int
    borrowed: int
    peak: int


def memory(f: Rule, x: Any, *parameters: Any, **settings: Any) -> Memory:
    """Measure what the gradient of a function costs in memory.

    Parameters
    ----------
    f : rule
        ``y, vjp = f(x, *parameters, **settings)``, any function that keeps the contract.
    x, *parameters : arrays, or nested tuples of arrays
        The arguments.
    **settings
        Those of f.

    Returns
    -------
    Memory
        Bytes held, borrowed, and at the peak. y is dropped as soon as f has returned, unless the vjp holds it; the
        gradient at y, all ones, is there before and not counted.

    Notes
    -----
    f is called twice, its vjp once. What is held is counted by `held_bytes` and the peak by `peak_bytes`.

    Examples
    --------
    >>> W, b = np.ones((4, 4)), np.zeros(4)
    >>> measured = memory(linear, np.ones((1000, 4)), W, b)
    >>> measured.held, measured.borrowed  # linear keeps its x and W, and nothing of its own
    (0, 32128)
    """
    arguments = (x, *parameters)
    y, vjp = f(*arguments, **settings)
    held = held_bytes(vjp, beside=arguments)
    borrowed = held_bytes(vjp) - held
    y_bar = tree.rebuild(y, map(np.ones_like, tree.leaves(y)))
    del y, vjp
    _, peak = peak_bytes(lambda: f(*arguments, **settings)[1](y_bar))
    return Memory(held, borrowed, peak)


def held_bytes(root: Any, *, beside: Any = ()) -> int:
    """Count the bytes of the arrays that an object keeps alive.

    Parameters
    ----------
    root : object
        Such as a vjp. Followed are closures, default arguments, bound methods, partials, containers and the
        attributes of objects, however deep; not what a function finds by name in its module, nor weak references.
    beside : object
        Such as a tuple of parameters: arrays that it keeps alive too are not counted.

    Returns
    -------
    int
        Each buffer once and whole, however many views there are of it: a view of one row keeps all rows.
        Numbers that are no arrays, and Python's own objects, are not counted.

    Examples
    --------
    >>> x = np.ones((100, 2))
    >>> y, vjp = tanh(x[:50])
    >>> held_bytes(vjp)  # y, 50 rows
    800
    >>> held_bytes([x[:1], x.T]), held_bytes([x[:1], x.T], beside=x[1:])
    (1600, 0)
    """
    known = _buffers(beside)
    return sum(size for owner, size in _buffers(root).items() if owner not in known)


def peak_bytes(run: Callable[[], T]) -> tuple[T, int]:
    """Call a function and find the most memory that it had allocated at once.

    Parameters
    ----------
    run : callable
        Called once, without arguments.

    Returns
    -------
    value
        What it returned.
    peak : int
        The greatest number of bytes, beyond those before the call, that Python and numpy had allocated at one
        moment: arrays, of which tracemalloc is told by numpy, and small objects. What a library allocates for
        itself, such as BLAS for its buffers, is not seen.

    Raises
    ------
    Exception
        What `run` raises.

    Notes
    -----
    A trace that was running before goes on; its peak is set back.

    Examples
    --------
    >>> total, peak = peak_bytes(lambda: float(np.ones(10**6).sum()))
    >>> total, 8_000_000 <= peak < 8_100_000
    (1000000.0, True)
    """
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        value = run()
        return value, tracemalloc.get_traced_memory()[1] - before
    finally:
        if not running:
            tracemalloc.stop()


def _buffers(root: Any) -> dict[int, int]:
    """Return the size of each buffer that can be reached, by the identity of its owner."""
    found: dict[int, int] = {}
    # The objects themselves, lest one made on the way is freed and its identity given to another.
    seen: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, _SHARED):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, np.ndarray):
            owner = _owner(thing)
            found[id(owner)] = getattr(owner, "nbytes", thing.nbytes)
            waiting.append(owner)
        waiting.extend(_references(thing))
    return found


def _owner(array: Array) -> Any:
    """Return what the memory of an array belongs to: itself, or the last of those that it is a view of."""
    owner: Any = array
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    return owner


def _references(thing: Any) -> Iterator[Any]:
    if isinstance(thing, FunctionType):  # not its globals, which are the whole module
        yield from (thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__)
    else:
        yield from gc.get_referents(thing)
        if isinstance(thing, np.ndarray) and thing.dtype.hasobject:
            yield from thing.reshape(-1).tolist()
