"""Real images that come with the package: 1797 handwritten digits of 8x8 pixels."""

import gzip
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Labelled(NamedTuple):
    """Images, one a row, and the digit that each shows.

    Attributes
    ----------
    x : ndarray, shape (N, n), floating
        One image a row.
    labels : ndarray of int64, shape (N,)
        The class of each row.
    """

    x: NDArray[np.floating[Any]]
    labels: NDArray[np.int64]


def digits(*, dtype: DTypeLike = np.float64) -> Labelled:
    """Read the handwritten digits.

    Parameters
    ----------
    dtype : floating dtype
        Of the images; float64 unless told otherwise.

    Returns
    -------
    Labelled
        ``x`` (1797, 64) with pixels in [0, 1] (a count from 0 to 16, divided by 16: exact in every
        floating dtype), row by row of the 8x8 image, and ``labels`` (1797,) from 0 to 9.

    Raises
    ------
    TypeError
        `dtype` is not a real floating dtype.

    Notes
    -----
    E. Alpaydin and C. Kaynak (1998), *Optical Recognition of Handwritten Digits*, UCI Machine Learning
    Repository, doi:10.24432/C50P49, CC BY 4.0: its test part, as scikit-learn (BSD 3-clause) ships it.
    ``digits/SOURCE.md`` beside this module says all that is known.
    """
    if not np.issubdtype(np.dtype(dtype), np.floating):
        raise TypeError(f"digits: dtype is {np.dtype(dtype)}, expected a real floating dtype")
    packed = (files("resgrad.lab") / "digits" / "digits.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode("ascii").splitlines()
    table = np.loadtxt(lines, delimiter=",", dtype=np.int64)
    return Labelled(table[:, :-1].astype(dtype) / np.dtype(dtype).type(16), table[:, -1])


def split(data: Labelled, *, test: int, rng: np.random.Generator) -> tuple[Labelled, Labelled]:
    """Split rows at random into a training and a test part.

    Parameters
    ----------
    data : Labelled
        N rows with their labels.
    test : int
        How many rows the test part gets, from 1 to N - 1.
    rng : numpy.random.Generator
        Where the permutation comes from: the same state gives the same parts.

    Returns
    -------
    train, test : Labelled
        N - `test` and `test` rows, copies, with no row in both.

    Raises
    ------
    TypeError
        `rng` is not a Generator, `test` is not an integer.
    ValueError
        `test` leaves one part without a row, or images and labels differ in number.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"split: rng is {type(rng).__name__}, expected numpy.random.Generator")
    if isinstance(test, bool) or not isinstance(test, int | np.integer):
        raise TypeError(f"split: test is {test!r}, expected an integer number of rows")
    count = len(data.x)
    if data.labels.shape != (count,):
        raise ValueError(f"split: labels has shape {data.labels.shape}, x has shape {data.x.shape}")
    if not 0 < test < count:
        raise ValueError(f"split: test is {test}, expected 1 to {count - 1} of x's {count} rows")
    order = rng.permutation(count)
    rows = order[test:], order[:test]
    return Labelled(data.x[rows[0]], data.labels[rows[0]]), Labelled(data.x[rows[1]], data.labels[rows[1]])


def standardise(train: Labelled, *others: Labelled) -> tuple[Labelled, ...]:
    """Shift and scale images by the mean and standard deviation of all pixels of the training part.

    Two numbers for all pixels, since some pixels are 0 in every image, and from the training part
    alone, so that nothing about a test image reaches the training.

    Parameters
    ----------
    train, *others : Labelled
        Parts with images of the same width n; only `train` sets the two numbers.

    Returns
    -------
    tuple of Labelled
        The parts in the order given; the pixels of the first have mean 0 and variance 1.

    Raises
    ------
    ValueError
        All pixels of `train` are equal (or it has no row), or a part has another width.
    """
    width = train.x.shape[1:]
    for part in others:
        if part.x.shape[1:] != width:
            raise ValueError(f"standardise: x has shapes {train.x.shape} and {part.x.shape}: widths differ")
    if train.x.size == 0 or not (scale := train.x.std()) > 0:
        raise ValueError(f"standardise: train.x of shape {train.x.shape} has no spread to divide by")
    mean = train.x.mean()
    return tuple(Labelled((part.x - mean) / scale, part.labels) for part in (train, *others))
