"""The numbers of a figure are those that were drawn, thinned evenly, and written to four digits."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from resgrad.lab import figures
from resgrad.lab.series import MOST, Series, note_series, rows, series_of

WORDS = {"alt": "One line.", "caption": "The gap is 0.31."}


def test_the_table_of_a_figure_holds_what_was_drawn():
    samples = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def draw(axes, width):
        figures.line(axes, [1, 10], [0.5, -2e-7], label="law")
        figures.points(axes, [1, 10], samples, label="measured")
        figures.band(axes, [1, 10], samples)

    panel = figures.Panel("left", x="depth", y="norm")
    (data,) = figures.figure("fig-test-table", draw, **WORDS, panels=[panel]).data
    assert (data["title"], data["x"], data["y"]) == ("left", "depth", "norm")
    assert data["rows"] == [
        ["law", "1", "0.5", "", ""],
        ["law", "10", "−2e−07", "", ""],
        ["measured", "1", "3", "1.4", "4.6"],
        ["measured", "10", "4", "2.4", "5.6"],
        ["", "1", "3", "1.4", "4.6"],
        ["", "10", "4", "2.4", "5.6"],
    ]


def test_a_long_series_keeps_its_ends_and_few_rows():
    x = np.arange(1000)
    table = rows([Series("law", (x, x**2))])
    assert len(table) == MOST
    assert (table[0][1], table[-1][1]) == ("0", "999")


def test_each_axes_has_its_own_series():
    left, right = Canvas().subplots(1, 2)
    note_series(left, "law", [1], [2])
    assert [one.name for one in series_of(left)] == ["law"]
    assert series_of(right) == []
