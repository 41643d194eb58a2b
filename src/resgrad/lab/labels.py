"""Numbers as diagrams and text write them: few digits, a true minus sign, rows in parentheses, powers of ten."""

import math

import numpy as np
from numpy.typing import ArrayLike

_MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def vector(values: ArrayLike) -> str:
    """Write the entries of an array in one row.

    Parameters
    ----------
    values : array of any shape
        Real numbers; rounded to three decimals.

    Returns
    -------
    str
        Such as ``(5.5, −1.6)``.

    Examples
    --------
    >>> vector(np.array([[5.5, -1.6, -0.0]]))
    '(5.5, −1.6, 0)'
    """
    return f"({_row(values)})"


def matrix(values: ArrayLike) -> str:
    """Write a matrix row by row, with a semicolon between rows.

    Parameters
    ----------
    values : (n, m) array
        Real numbers; rounded to three decimals.

    Returns
    -------
    str
        Such as ``(0.5, 2; −1, 0.3)``.

    Examples
    --------
    >>> matrix(np.array([[0.5, 2.0], [-1.0, 0.3]]))
    '(0.5, 2; −1, 0.3)'
    """
    return f"({'; '.join(_row(row) for row in np.asarray(values))})"


def superscript(exponent: int) -> str:
    """Write a whole number as an exponent.

    Parameters
    ----------
    exponent : int

    Returns
    -------
    str
        Such as ``⁻¹²``.

    Examples
    --------
    >>> superscript(-12)
    '⁻¹²'
    """
    return str(exponent).translate(_SUPERSCRIPTS)


def number(value: float) -> str:
    """Write a number with three digits, and as a power of ten where people would.

    Parameters
    ----------
    value : float
        Finite.

    Returns
    -------
    str
        Such as ``0.316``, ``1024`` or ``8.6 × 10⁵``.

    Raises
    ------
    ValueError
        If value is not finite.

    Examples
    --------
    >>> number(0.31623), number(-1024.0), number(0)
    ('0.316', '−1024', '0')
    """
    size = abs(value)
    if size != 0 and not 0.01 <= size < 10_000:
        return power_of_ten(value)
    return (f"{value:.3g}" if size < 1000 else f"{value:.0f}").replace("-", _MINUS)


def power_of_ten(value: float) -> str:
    """Write a large or a small number as people do: one decimal and a power of ten.

    Parameters
    ----------
    value : float
        Finite and not 0.

    Returns
    -------
    str
        Such as ``4.3 × 10⁹``, with spaces that do not break.

    Raises
    ------
    ValueError
        If value is 0 or not finite.

    Examples
    --------
    >>> power_of_ten(4.25e9).split(), power_of_ten(-2e-8).split()
    (['4.2', '×', '10⁹'], ['−2.0', '×', '10⁻⁸'])
    """
    if value == 0 or not math.isfinite(value):
        raise ValueError(f"value: expected a finite number other than 0, got {value}")
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.replace('-', _MINUS)}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{superscript(int(exponent))}"


def _row(values: ArrayLike) -> str:
    rounded = np.round(np.ravel(values), 3) + 0.0  # no minus before a zero
    return ", ".join(f"{value:g}" for value in rounded).replace("-", _MINUS)
