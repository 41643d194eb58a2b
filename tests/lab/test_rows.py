"""Blocks below each other: every layer in its box, on the branch or on the skip, in both widths."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from resgrad.lab.rows import Row, rows

WORDS = {"alt": "Two blocks.", "caption": "They differ. And more."}
BLOCKS = [
    Row("original", ["W", "BN", "ReLU", "W", "BN"], ["ReLU"], "(0, 6, 6)"),
    Row("full", ["BN", "ReLU", "W", "BN", "ReLU", "W"], [], "(6, 6, 6)"),
]
widths = pytest.mark.parametrize("width", ["wide", "narrow"])


def marks(width):
    return list(ElementTree.fromstring(getattr(rows("fig-order-five", BLOCKS, **WORDS), width)))


@widths
def test_every_text_stands_once(width):
    texts = [e.text for e in marks(width) if e.tag.endswith("text")]
    expected = [text for row in BLOCKS for text in (row.title, *row.branch, row.gradient, *row.after)]
    assert texts == [text for row in BLOCKS for text in (row.title, *row.branch, *row.after, row.gradient)]
    assert len(texts) == len(expected)


@widths
def test_what_stands_behind_the_addition_stands_on_the_skip_path(width):
    found = marks(width)
    kinds = [e.get("class") for e in found]
    assert kinds.count("box") == 11
    assert kinds.count("plain-box") == 1
    assert kinds.count("node") == kinds.count("tap") == kinds.count("back-head") == kinds.count("bus") == 2
    (behind,) = [e for e in found if e.get("class") == "plain-box"]
    node = next(e for e in found if e.get("class") == "node")
    middle = float(behind.get("y")) + float(behind.get("height")) / 2
    assert float(behind.get("x")) > float(node.get("cx"))
    assert middle == float(node.get("cy"))


@widths
def test_no_box_covers_another_and_all_lie_inside(width):
    boxes = [e for e in marks(width) if e.tag.endswith("rect")]
    spans = sorted((e.get("y"), float(e.get("x")), float(e.get("width"))) for e in boxes)
    for (lane, x, length), (next_lane, next_x, _) in pairwise(spans):
        assert lane != next_lane or x + length < next_x
    assert max(x + length for _, x, length in spans) < (640 if width == "wide" else 328)


def test_colours_are_left_to_the_style_sheet():
    drawn = rows("fig-order-five", BLOCKS, **WORDS)
    assert "fill=" not in drawn.wide + drawn.narrow
    assert "stroke=" not in drawn.wide + drawn.narrow


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="the diagram needs"):
        rows("fig-order-five", [Row("long", ["normalisation"] * 5, [], "")], **WORDS)
    with pytest.raises(ValueError, match="has no alt"):
        rows("fig-order-five", BLOCKS, alt="", caption="a")
