"""Diagrams of skips: nothing is cut or covered, colours are classes, and what does not fit is refused."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from resgrad.lab.diagram import text_width
from resgrad.lab.graph import Layer, Node, graph

WORDS = {"alt": "Two skips.", "caption": "They overlap. And more."}
NODES = [
    Node("x₀ = 1", "x̄₀ = −8 − 2 = −10"),
    Node("x₁ = 2", "x̄₁ = −6 + 2 = −4"),
    Node("x₂ = 7", "x̄₂ = −2"),
    Node("x₃ = −5", "x̄₃ = 2"),
    Node("x₄ = −10", "x̄₄ = 1"),
]
LAYERS = [Layer("× 2", "−8"), Layer("× 3", "−6"), Layer("× −1", "−2"), Layer("× 2", "2")]
SKIPS = {(0, 2): "−2", (1, 3): "2"}


@pytest.fixture(params=["wide", "narrow"])
def root(request):
    drawing = graph("fig-skip-overlap", NODES, LAYERS, SKIPS, **WORDS)
    return ElementTree.fromstring(getattr(drawing, request.param))


def of(root, tag, *kinds):
    marks = root.findall(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [mark for mark in marks if not kinds or mark.get("class").split()[0] in kinds]


def text_box(text):
    x, y, width = float(text.get("x")), float(text.get("y")), text_width(text.text)
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return left, y - 11, left + width, y + 3


def pieces(path):
    corners = [tuple(map(float, corner.split())) for corner in path.get("d")[1:].rstrip("Z").split("L")]
    for (a, b), (c, d) in pairwise(corners):
        yield min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1


def box(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def meet(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_no_text_is_covered(root):
    texts = [text_box(text) for text in of(root, "text", "value", "backward")]
    assert len(texts) == 5 * 2 + 4 + 2 + (2 if float(root.get("width")) == 328 else 0)  # two lines are broken
    assert not [pair for pair in combinations(texts, 2) if meet(*pair)]
    marks = [piece for path in of(root, "path", "bus", "wire", "back") for piece in pieces(path)]
    marks += [box(rect) for rect in of(root, "rect")]
    assert not [(text, mark) for text in texts for mark in marks if meet(text, mark)]


def test_nothing_is_cut(root):
    left, top, width, height = map(float, root.get("viewBox").split())
    assert width in (640, 328)
    marks = [text_box(text) for text in of(root, "text")]
    marks += [
        piece for path in of(root, "path", "bus", "wire", "back", "back-head") for piece in pieces(path)
    ]
    assert all(left <= m[0] and top <= m[1] and m[2] <= left + width and m[3] <= top + height for m in marks)


def test_skips_are_bus_layers_are_branches_and_sums_are_nodes(root):
    assert len(of(root, "path", "bus")) == len(SKIPS)
    assert len(of(root, "rect", "box")) == len(LAYERS)
    assert len(of(root, "circle", "node")) == 2
    assert len(of(root, "circle", "tap")) == 2
    assert len(of(root, "circle", "plain-tap")) == 1
    assert not any({"fill", "stroke", "style"} & set(mark.keys()) for mark in root)


def test_every_gradient_arrow_points_back(root):
    axis = 0 if float(root.get("width")) == 640 else 1
    for path in of(root, "path", "back"):
        start, end = (tuple(map(float, corner.split())) for corner in path.get("d")[1:].split("L"))
        assert end[axis] < start[axis]


def test_every_number_stands_there(root):
    written = " ".join(text.text for text in of(root, "text"))
    for number in re.findall(r"−?\d+", " ".join([*SKIPS.values(), *(layer.gradient for layer in LAYERS)])):
        assert number in written


@pytest.mark.parametrize("skips", [{(0, 1): "", (1, 2): "", (2, 3): ""}])
def test_what_does_not_fit_is_refused(skips):
    with pytest.raises(ValueError, match="fig-a: expected one node more than layers and two skips at most"):
        graph("fig-a", NODES, LAYERS, skips, **WORDS)
    with pytest.raises(ValueError, match="got 4 nodes, 4 layers"):
        graph("fig-a", NODES[:4], LAYERS, SKIPS, **WORDS)
    with pytest.raises(ValueError, match="fig-a has no alt"):
        graph("fig-a", NODES, LAYERS, SKIPS, alt="", caption="c")
