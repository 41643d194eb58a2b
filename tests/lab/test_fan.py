"""A fan: all paths meet in one box, every text stands once in either width, and what does not fit is refused."""

import re
from xml.etree import ElementTree

import pytest

from resgrad.lab.diagram import Block, Edge
from resgrad.lab.fan import fan

WORDS = {"alt": "Three paths.", "caption": "They meet. And more."}
PATHS = [
    [Edge("", "(3, 0, 0)")],
    [Edge("", "(−1, −1, −1)"), Block("μ"), Edge("μ = 2", "μ̄ = −3")],
    [Edge("", "(−1, 0, 1)"), Block("s"), Edge("s = 1", "s̄ = 3")],
]


def drawn(paths=PATHS):
    return fan("fig-normalization-paths", Edge("x", "x̄"), paths, "(x − μ) / s", Edge("x̂", "g"), **WORDS)


def elements(drawing):
    return list(ElementTree.fromstring(drawing))


@pytest.mark.parametrize("wide", [True, False])
def test_every_text_stands_once(wide):
    found = drawn()
    texts = [e.text for e in elements(found.wide if wide else found.narrow) if e.tag.endswith("text")]
    expected = ["x", "x̄", "x̂", "g", "(x − μ) / s", "μ", "s", "μ = 2", "μ̄ = −3", "s = 1", "s̄ = 3"]
    assert sorted(texts) == sorted([*expected, "(3, 0, 0)", "(−1, −1, −1)", "(−1, 0, 1)"])


@pytest.mark.parametrize("wide", [True, False])
def test_a_gradient_comes_back_over_every_edge_and_the_box_spans_all_paths(wide):
    found = drawn()
    marks = elements(found.wide if wide else found.narrow)
    kinds = [e.get("class") for e in marks]
    assert kinds.count("back") == kinds.count("back-head") == 2 + 1 + 2 + 2
    assert kinds.count("head") == len(PATHS) + 1  # into the box, and out of it
    assert kinds.count("plain-tap") == 1
    across = "y" if wide else "x"
    *_, box = [e for e in marks if e.tag.endswith("rect")]
    start, size = float(box.get(across)), float(box.get("height" if wide else "width"))
    tips = [e.get("d") for e in marks if e.get("class") == "head"]
    lanes = [float(re.match(r"M([\d.]+) ([\d.]+)", tip)[2 if wide else 1]) for tip in tips]
    assert all(start < lane < start + size for lane in lanes)


def test_colours_are_left_to_the_style_sheet():
    assert "fill=" not in drawn().wide + drawn().narrow
    assert "stroke=" not in drawn().wide + drawn().narrow


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="the diagram needs"):
        drawn(
            [*PATHS[:1], [Edge("", "(−1, −1, −1, −1, −1, −1, −1, −1)"), Block("μ"), Edge("", "")], PATHS[2]]
        )
    with pytest.raises(ValueError, match="has no caption"):
        fan("fig-a-b", Edge(), PATHS, "f", Edge(), alt="a", caption="")
