"""Is this gradient right? Two numbers compared, a Jacobian, and a rule against finite differences."""

from functools import partial
from typing import Any

import numpy as np

from resgrad.measure._contract import named_arrays, observe
from resgrad.measure._difference import compare_jacobian, compare_precisions, compare_projection
from resgrad.measure._tree import widen
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule

# What `agree` allows two results of the same mathematics, by the precision of the dtype.
_AGREE = {"float32": 1e-5, "float64": 1e-12}


def agree(a: Any, b: Any, rtol: float | None = None) -> bool:
    """Tell whether two arrays are equal but for rounding.

    Parameters
    ----------
    a, b : arrays of one shape, or numbers
        Floating or complex, of one dtype, finite.
    rtol : float, optional
        The largest difference allowed, relative to the largest absolute value in either array. If not given,
        1e-12 in double precision and 1e-5 in single precision.

    Returns
    -------
    bool
        Whether ``max |a - b| <= rtol max(|a|, |b|)``, the maxima over all entries.

    Raises
    ------
    TypeError
        If a dtype is not floating, or the two differ.
    ValueError
        If the shapes differ, there is nothing to compare, an entry is not finite, rtol is not in ``[0, 1)``, or
        the dtype has no default for it.

    Examples
    --------
    >>> a = np.array([1.0, 2.0])
    >>> agree(a, a + 1e-14), agree(a, a + 1e-6)
    (True, False)
    >>> agree(a, a + 1e-6, rtol=1e-5)
    True
    """
    a, b = np.asarray(a), np.asarray(b)
    require.floating(a=a, b=b)
    if a.shape != b.shape or a.size == 0:
        raise require.misfit("a and b of one shape, not empty", a=a, b=b)
    for name, array in {"a": a, "b": b}.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite entries (shape {array.shape})")
    scale = max(np.abs(a).max(), np.abs(b).max())
    return bool(np.abs(a - b).max() <= _tolerance(rtol, a.dtype) * scale)


def _tolerance(rtol: float | None, dtype: np.dtype[Any]) -> float:
    rtol = _AGREE.get(_precision(dtype)) if rtol is None else rtol
    if rtol is None:
        raise ValueError(f"rtol: there is no default for {dtype}")
    if not 0 <= rtol < 1:
        raise ValueError(f"rtol: expected a number in [0, 1), got {rtol}")
    return float(rtol)


def _precision(dtype: np.dtype[Any]) -> str:
    return str(np.finfo(dtype).dtype)  # that of the parts, for a complex dtype


def jacobian(f: Rule, x: Array, *parameters: Any, **settings: Any) -> Array:
    """Jacobian of f with respect to x, by pulling back the rows of the identity.

    Parameters
    ----------
    f : rule
        ``y, vjp = f(x, *parameters, **settings)`` with one output.
    x : array
        Where to take it; for the Jacobian of one sample, a batch of one row.
    *parameters, **settings
        Those of f.

    Returns
    -------
    J : (y.size, x.size) array
        ``J[i, j]`` is the derivative of entry i of y by entry j of x, both counted in C order, so that
        ``x_bar = y_bar J`` for one row: see :eq:`eq-checking-jacobian`. As exact as f's vjp, and wrong where
        that is wrong.

    Raises
    ------
    TypeError
        If f has several outputs.

    Examples
    --------
    >>> x, b = np.array([[1.0, 2.0]]), np.zeros(2)
    >>> W = np.array([[0.5, 2.0], [-1.0, 0.25]])
    >>> jacobian(linear, x, W, b).tolist()
    [[0.5, -1.0], [2.0, 0.25]]
    """
    y, vjp = f(x, *parameters, **settings)
    if not isinstance(y, np.ndarray | np.generic):
        raise TypeError(f"f: expected one output, an array, got {type(y).__name__}")
    rows = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
    J = [np.ravel(vjp(row)[0]) for row in rows]
    return np.array(J, dtype=y.dtype).reshape(y.size, x.size)


def check_vjp(f: Rule, *args: Any, rng: np.random.Generator, **settings: Any) -> dict[str, float]:
    """Check the contract of a rule and its vjp against central differences.

    Parameters
    ----------
    f : rule
        ``y, vjp = f(*args, **settings)``; one or several outputs, the same on every call.
    *args : arrays, or tuples of arrays
        Where to check it: float32, float64 or their complex forms.
    rng : numpy.random.Generator
        Chooses the directions.
    **settings
        Those of f. One that is itself called rng cannot be passed: check a function that calls f with a
        fresh generator each time.

    Returns
    -------
    dict of str to float
        For each array among the arguments, by f's own name for it, the largest relative error found.

    Raises
    ------
    AssertionError
        If something is wrong; names the argument and both numbers.
    TypeError
        If rng is no Generator or an argument is no array of those dtypes.
    ValueError
        If there is no argument.

    Notes
    -----
    1. The vjp returns a tuple with one entry for each argument, of its shape and dtype; the output has the
       dtype of the arguments; nothing that was passed in is changed; a second call gives the same bits.
    2. For each argument x, a random direction d, and a random y_bar: ``<y_bar, f'd>`` by a central
       difference is ``<vjp(y_bar), d>``, see :eq:`eq-checking-projection`. Allowed is 1e-6 of the sum of the
       absolute values of all terms. Each entry moves by its entry of d times ``eps^(1/3)`` times the larger of
       1 and its own size.
    3. Where x and the value have at most 256 entries each, each entry of the Jacobian is compared with its own
       difference, for a projection can miss a wrong one. Allowed is 1e-6 of the largest entry.
    4. In single precision, steps 2 and 3 are made with all arrays, of args and settings, widened to double,
       and the vjp is compared with the wide one. Allowed is 1e-4 of its largest entry.

    A thousandth of the value (in step 4, a hundredth of y_bar) counts as size too, for its rounding is all
    that is left where a gradient is nearly zero. A kink, as that of relu at 0, nearer than a step makes the
    difference wrong, not the vjp: check away from kinks.

    Examples
    --------
    >>> x, W, b = np.ones((3, 2)), np.eye(2), np.ones(2)
    >>> rng = np.random.default_rng(0)
    >>> errors = check_vjp(linear, x, W, b, rng=rng)
    >>> list(errors), max(errors.values()) < 1e-6
    (['x', 'W', 'b'], True)
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    names = named_arrays(f, args)
    y_bar, bars = observe(f, args, settings, names, rng)
    wide, wide_y_bar, wide_settings = widen(args), widen(y_bar), {k: widen(v) for k, v in settings.items()}
    wide_f = partial(f, **wide_settings)
    wide_bars = wide_f(*wide)[1](wide_y_bar)
    found = [
        compare_projection(wide_f, wide, wide_y_bar, wide_bars, names, rng),
        compare_jacobian(wide_f, wide, names),
        compare_precisions(bars, wide_bars, y_bar, names),
    ]
    return {name: max(errors.get(name, 0.0) for errors in found) for name in names}
