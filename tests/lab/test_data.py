import hashlib
from importlib.resources import files

import numpy as np
import pytest

from resgrad.lab.data import Labelled, digits, split, standardise


def test_digits_are_the_published_table():
    data = digits()
    assert data.x.shape == (1797, 64)
    assert data.x.dtype == np.float64
    assert (data.x[0, :8] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert (data.x.min(), data.x.max()) == (0, 1)
    # The class sizes that UCI gives for its test part.
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_file_is_the_one_that_its_source_text_describes():
    folder = files("resgrad.lab") / "digits"
    digest = hashlib.sha256((folder / "digits.csv.gz").read_bytes()).hexdigest()
    source = (folder / "SOURCE.md").read_text()
    assert digest in source
    assert "CC BY 4.0" in source
    assert "10.24432/C50P49" in source
    assert "BSD 3-Clause" in (folder / "COPYING.scikit-learn").read_text()


def test_digits_are_exact_in_float32():
    assert digits(dtype=np.float32).x.dtype == np.float32
    assert np.array_equal(digits(dtype=np.float32).x, digits().x)


@pytest.mark.parametrize("dtype", [np.int64, np.complex128, bool])
def test_digits_refuse_a_dtype_without_fractions(dtype):
    with pytest.raises(TypeError, match="floating"):
        digits(dtype=dtype)


def numbered(count):
    return Labelled(np.arange(count, dtype=float)[:, None], np.arange(count))


def test_split_takes_every_row_once_and_keeps_its_label():
    train, test = split(numbered(10), test=3, rng=np.random.default_rng(1))
    assert (len(train.x), len(test.x)) == (7, 3)
    assert sorted([*train.labels, *test.labels]) == list(range(10))
    for part in (train, test):
        assert np.array_equal(part.x[:, 0], part.labels)


def test_split_depends_on_the_generator_alone():
    first, again = (split(numbered(50), test=20, rng=np.random.default_rng(7)) for _ in range(2))
    other = split(numbered(50), test=20, rng=np.random.default_rng(8))
    assert np.array_equal(first[1].labels, again[1].labels)
    assert not np.array_equal(first[1].labels, other[1].labels)


@pytest.mark.parametrize("test", [0, 10, -1])
def test_split_leaves_no_part_empty(test):
    with pytest.raises(ValueError, match="1 to 9 of x's 10 rows"):
        split(numbered(10), test=test, rng=np.random.default_rng(0))


def test_split_refuses_what_it_cannot_use():
    with pytest.raises(TypeError, match="rng is int"):
        split(numbered(10), test=3, rng=5)
    with pytest.raises(TypeError, match=r"test is 0\.3"):
        split(numbered(10), test=0.3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"labels has shape \(3,\), x has shape \(2, 1\)"):
        split(Labelled(np.zeros((2, 1)), np.arange(3)), test=1, rng=np.random.default_rng(0))


def test_standardise_uses_the_training_part_alone():
    train = Labelled(np.array([[1.0, 3.0], [5.0, 7.0]]), np.array([0, 1]))  # mean 4, variance 5
    test = Labelled(np.array([[4.0, 4.0 + 5**0.5]]), np.array([0]))
    one, other = standardise(train, test)
    assert one.x.mean() == pytest.approx(0, abs=1e-15)
    assert one.x.var() == pytest.approx(1)
    assert other.x.tolist() == [[0.0, pytest.approx(1)]]
    assert other.labels is test.labels


def test_standardise_keeps_float32():
    parts = split(digits(dtype=np.float32), test=100, rng=np.random.default_rng(0))
    assert [part.x.dtype for part in standardise(*parts)] == [np.float32, np.float32]


def test_standardise_refuses_what_it_cannot_use():
    flat = Labelled(np.ones((3, 2)), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"shape \(3, 2\) has no spread"):
        standardise(flat)
    with pytest.raises(ValueError, match="widths differ"):
        standardise(numbered(4), flat)
