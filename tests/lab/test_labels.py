"""Numbers as the diagrams write them."""

import numpy as np
import pytest

from resgrad.lab.labels import vector


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
