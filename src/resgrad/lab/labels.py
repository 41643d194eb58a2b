"""Numbers as the diagrams write them: few digits, a true minus sign, rows in parentheses."""

import numpy as np
from numpy.typing import ArrayLike


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


def _row(values: ArrayLike) -> str:
    rounded = np.round(np.ravel(values), 3) + 0.0  # no minus before a zero
    return ", ".join(f"{value:g}" for value in rounded).replace("-", "\N{MINUS SIGN}")
