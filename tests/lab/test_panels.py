"""Small plots: both widths, marks inside, words escaped."""

import re

import pytest

from resgrad.lab.panels import Axis, Curve, Plot, Words, panel

UNIT = Axis(0, 1, (0, 0.5, 1), "a < b")


def test_marks_stand_where_their_numbers_are():
    drawn = panel([Plot(UNIT, UNIT, [Curve((0, 1), (0, 1), "skip")])], "A line.")
    line = re.search(r'class="line skip" d="M([\d. ]+)L([\d. ]+)"', drawn["narrow"])
    assert [tuple(map(float, end.split())) for end in line.groups()] == [(38, 196), (318, 30)]
    assert 'width="640"' in drawn["wide"]
    assert 'width="328"' in drawn["narrow"]


def test_words_are_escaped_and_ticks_are_powers():
    log = Axis(-6, 6, (-6, 0, 2, 6), "length", log=True)
    drawn = panel([Plot(UNIT, log, [], [Words(1, 0, "x > y", "skip", end=True)])] * 2, "A & B")["wide"]
    assert drawn.count("a &lt; b") == drawn.count("x &gt; y") == 2
    assert 'aria-label="A &amp; B"' in drawn
    assert [drawn.count(f">{tick}</text>") for tick in ("10⁻⁶", "100", "10⁶")] == [2, 2, 2]


@pytest.mark.parametrize(("plots", "alt"), [([], "words"), ([Plot(UNIT, UNIT, [])], " ")])
def test_a_picture_without_plots_or_words_is_refused(plots, alt):
    with pytest.raises(ValueError, match="expected plots and words"):
        panel(plots, alt)
