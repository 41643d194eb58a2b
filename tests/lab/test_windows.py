import re

import numpy as np
import pytest

from resgrad.lab.windows import windows

WORDS = {"alt": "An image.", "caption": "A pixel is read twice."}
SETTINGS = {"size": 2, "stride": 1, "padding": 1}


def drawn(pixels, outputs, **changes):
    settings = {**SETTINGS, "shown": {"A": (0, 0)}, **changes}
    return windows("fig-test-windows", np.array(pixels), np.array(outputs), **settings, **WORDS)


def written(svg):
    return [text for text in re.findall(r">([^<>\n]+)</text>", svg) if text.strip()]


def test_every_number_and_letter_is_drawn_in_both_widths():
    found = drawn([[1, 2]], [[3, 4, 5], [6, 7, 8]], shown={"A": (0, 0), "B": (1, 2)})
    for svg in (found.wide, found.narrow):
        assert sorted(written(svg)) == sorted([*"12345678", *"AABB", "image and its padding", "output"])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"shown: A is at \(2, 0\), the output is \(2, 3\)"):
        drawn([[1, 2]], np.ones((2, 3)), shown={"A": (2, 0)})
    with pytest.raises(ValueError, match="stride: expected a whole number >= 1"):
        drawn([[1, 2]], np.ones((2, 3)), stride=0)
    with pytest.raises(TypeError, match="padding: expected a whole number"):
        drawn([[1, 2]], np.ones((2, 3)), padding=0.5)
