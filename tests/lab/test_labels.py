"""Numbers as diagrams and text write them."""

import numpy as np
import pytest

from resgrad.lab.labels import number, power_of_ten, vector


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([[5.5, -1.6]], "(5.5, −1.6)"),
        ([1 / 3, -2e-4, -0.0], "(0.333, 0, 0)"),
        (7.0, "(7)"),
    ],
)
def test_vector(values, written) -> None:
    assert vector(np.array(values)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(4.31e9, "4.3 × 10⁹"), (-2e-12, "−2.0 × 10⁻¹²"), (9.99, "1.0 × 10¹"), (np.float32(0.5), "5.0 × 10⁻¹")],
)
def test_power_of_ten(value, written) -> None:
    assert power_of_ten(value) == written.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0, "0"), (-0.3162, "−0.316"), (12.34, "12.3"), (1024.4, "1024"), (0.01, "0.01"), (879.3, "879")],
)
def test_number(value, written) -> None:
    assert number(value) == written


@pytest.mark.parametrize("value", [0.0099, -10_000.0])
def test_number_far_from_one(value) -> None:
    assert number(value) == power_of_ten(value)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_no_power_of_ten(value) -> None:
    with pytest.raises(ValueError, match="value: expected a finite number other than 0"):
        power_of_ten(value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_number(value) -> None:
    with pytest.raises(ValueError, match="value: expected a finite number"):
        number(value)
