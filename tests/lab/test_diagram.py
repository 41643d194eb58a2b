"""Diagrams: no text is covered or cut, in either width; colours come from the style sheet alone."""

from __future__ import annotations

import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from resgrad.lab.diagram import Add, Block, Coupling, Edge, Fork, Gap, Residual, diagram
from resgrad.lab.marks import text_width

WORDS = {"alt": "A bus.", "caption": "It adds. And more."}
LINEAR = Block("F(x) = x W")
DIAGRAMS = {
    "fig-residual-block": [
        Edge("x = (1, −1)", "x̄ = (5.5, 1.6)"),
        Residual(
            [Edge("", "ȳ J = (4.5, −0.4)"), LINEAR, Edge("F = (1.5, 1.7)", "F̄ = (1, 2)")], skip=Edge("", "ȳ = (1, 2)")
        ),
        Edge("y = (2.5, 0.7)", "ȳ = (1, 2)"),
    ],
    "fig-shortcut-projection": [
        Edge("x = (1, −1)", "x̄ = (6.5, 1.6)"),
        Residual(
            [Edge("", "(4.5, −0.4)"), LINEAR, Edge("(1.5, 1.7)", "(1, 2)")],
            skip=[Edge("", "(2, 2)"), Block("S"), Edge("(−2, 1)", "(1, 2)")],
        ),
        Edge("y = (−0.5, 2.7)", "ȳ = (1, 2)"),
    ],
    "fig-dense-layer": [
        Edge("x = (1, −1)"), Residual([Edge(), LINEAR, Edge()], joint="concat"), Edge("y = (x, F(x))"),
    ],
    "fig-add-fork": [
        Edge("x = (1, −1)", "x̄ = (4, 6)"),
        Fork(Edge("x = (1, −1)", "x̄₁ = (1, 2)"), Edge("x = (1, −1)", "x̄₂ = (3, 4)")),
    ],
    "fig-add-node": [
        Add(Edge("a = (1, −1)", "ā = (1, 2)"), Edge("b = (3, 4)", "b̄ = (1, 2)")),
        Edge("a + b = (4, 3)", "ȳ = (1, 2)"),
    ],
    "fig-linear-rule": [Edge("x", "x̄ = ȳ W⊤"), Block("x W + b", ("W̄ = x⊤ȳ", "b̄ = ȳ")), Edge("y", "ȳ = (1, 2)")],
    "fig-activation-rule": [Edge("a = (1, −1)", "ā = (1, 0)"), Block("relu"), Edge("h = (1, 0)", "h̄ = (1, 2)")],
    "fig-branch-chain": [
        Edge("x", "x̄"), Block("x W₁ + b₁"), Edge("a", "ā"), Block("φ"), Edge("h", "h̄"), Block("h W₂ + b₂"),
        Edge("F", "F̄"),
    ],
    "fig-residual-two-layers": [
        Edge("x", "x̄"),
        Residual([Edge(), Block("x W₁ + b₁"), Edge("a", "ā"), Block("φ"), Edge("h", "h̄"), Block("h W₂ + b₂"),
                  Edge("F", "F̄")], skip=Edge("", "ȳ")),
        Edge("y", "ȳ"),
    ],
    "fig-stack-bus": [
        Edge("x₀", "1.00", 4),
        Residual([Edge(), Block("F₁"), Edge()], Edge(thickness=3)),
        Edge("x₁", "0.85", 3),
        Gap(),
        Edge("x₂", "0.41"),
        Residual([Edge(), Block("F₃"), Edge()]),
        Edge("x₃", "0.31"),
        Block("loss"),
        Edge("L = 0.31", "1"),
    ],
    "fig-reversible-coupling": [
        Coupling(
            one=[Edge("x₁ = 1", "x̄₁ = 2"), Edge("y₁ = 5", "x̄₁ = 2"), Edge("y₁ = 5", "ȳ₁ = 1")],
            other=[Edge("x₂ = 2", "x̄₂ = 6"), Edge("x₂ = 2", "ȳ₂ = 2"), Edge("y₂ = 4.5", "ȳ₂ = 2")],
            up=(Edge("2", "adds 4"), Block("F"), Edge("4", "2")),
            down=(Edge("5", "adds 1"), Block("G"), Edge("2.5", "2")),
        ),
    ],
}  # fmt: skip


@pytest.fixture(params=DIAGRAMS)
def one(request):
    return diagram(request.param, DIAGRAMS[request.param], **WORDS)


@pytest.fixture(params=["wide", "narrow"])
def root(request, one):
    return ElementTree.fromstring(getattr(one, request.param))


def _of(root, tag, *kinds):
    found = root.findall(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [mark for mark in found if not kinds or mark.get("class").split()[0] in kinds]


def _text_box(text):
    x, y, width = float(text.get("x")), float(text.get("y")), text_width(text.text)
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return left, y - 11, left + width, y + 3


def _line_box(path):
    places = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d"))]
    return min(places[::2]), min(places[1::2]), max(places[::2]), max(places[1::2])


def _meet(one, other, slack=0.0):
    return (
        one[0] < other[2] - slack
        and other[0] < one[2] - slack
        and one[1] < other[3] - slack
        and other[1] < one[3] - slack
    )


def test_no_text_covers_another(root):
    for one, other in combinations(_of(root, "text"), 2):
        assert not _meet(_text_box(one), _text_box(other)), (one.text, other.text)


def test_no_line_or_sign_runs_through_a_text(root):
    labels = _of(root, "text", "value", "backward")
    straight = [
        path for path in _of(root, "path", "bus", "plain", "wire", "back") if path.get("d").count("L") == 1
    ]
    bends = [path for path in _of(root, "path", "plain", "wire") if path.get("d").count("L") > 1]
    marks = [_line_box(path) for path in straight] + [box for path in bends for box in _pieces(path)]
    marks += [_circle_box(circle) for circle in _of(root, "circle")] + [
        _box(rect) for rect in _of(root, "rect")
    ]
    for label in labels:
        assert not [mark for mark in marks if _meet(_text_box(label), mark)], label.text


def _pieces(path):
    corners = [tuple(map(float, corner.split())) for corner in path.get("d")[1:].split("L")]
    for (a, b), (c, d) in pairwise(corners):
        yield min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1


def _circle_box(circle):
    x, y, r = (float(circle.get(name)) for name in ("cx", "cy", "r"))
    return x - r, y - r, x + r, y + r


def _box(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_a_name_fits_into_its_box(root):
    boxes = [_box(rect) for rect in _of(root, "rect")]
    for text in _of(root, "text", "name", "weight"):
        left, top, right, bottom = _text_box(text)
        assert any(a <= left and b <= top and right <= c and bottom <= d for a, b, c, d in boxes), text.text


def test_nothing_is_cut(root):
    left, top, width, height = map(float, root.get("viewBox").split())
    assert width in (640, 328)
    boxes = [_text_box(t) for t in _of(root, "text")] + [_box(r) for r in _of(root, "rect")]
    boxes += [_line_box(p) for p in _of(root, "path") if "h" not in p.get("d")]
    for box in boxes:
        assert left <= box[0]
        assert box[2] <= left + width
        assert top <= box[1]
        assert box[3] <= top + height


def test_every_colour_is_a_class_of_the_style_sheet(root):
    sheet = (Path(__file__).parents[2] / "docs" / "_static" / "css" / "resgrad.css").read_text("utf-8")
    for mark in root:
        assert not {"fill", "stroke", "style"} & set(mark.keys())
        for name in mark.get("class").split():
            assert name == "value" or re.search(rf"\.diagram (text)?\.{name}\b", sheet), name


def test_every_gradient_arrow_points_back(one):
    root = ElementTree.fromstring(one.wide)
    for path in _of(root, "path", "back"):
        start, end = re.findall(r"[ML](-?[\d.]+)", path.get("d"))
        assert float(end) < float(start) or (one.label == "fig-reversible-coupling" and start == end)


def test_the_gradients_of_a_coupling_run_against_its_branches():
    root = ElementTree.fromstring(diagram("fig-a", DIAGRAMS["fig-reversible-coupling"], **WORDS).wide)

    def upright(kind):  # place across the page, and whether it runs downwards
        for path in _of(root, "path", kind):
            (a, b), (c, d) = (map(float, end.split()) for end in path.get("d")[1:].split("L"))
            if a == c:
                yield a, d > b

    (first, up), (_, again), (second, down), (_, too) = upright("wire")
    assert first < second
    assert (up, again, down, too) == (False, False, True, True)
    assert [down for _, down in upright("back")] == [True, True, False, False]


def test_a_picture_by_itself_has_its_colours(one):
    assert "<style>" in one.svg()
    assert "var(" not in one.svg()
    ElementTree.fromstring(one.svg())


def test_the_fence(one, monkeypatch):
    monkeypatch.setenv("RESGRAD_FENCES", "1")
    first, content, _ = one._repr_mimebundle_()["text/markdown"].split("\n")
    assert first == f"`````{{drawn}} {one.label}"
    assert set(json.loads(content)) == {"alt", "caption", "svg"}


def test_the_line_is_the_bus_only_beside_a_branch():
    root = ElementTree.fromstring(diagram("fig-stack-bus", DIAGRAMS["fig-stack-bus"], **WORDS).wide)
    last = [path for path in root if path.get("class") in ("bus", "plain")][-1]
    assert last.get("class") == "plain"
    assert "bus" not in diagram("fig-linear-rule", DIAGRAMS["fig-linear-rule"], **WORDS).wide


def test_the_node_says_how_its_two_lines_meet():
    added, beside = (
        diagram("fig-a", [Edge(), Residual([Edge(), LINEAR, Edge()], joint=joint), Edge()], **WORDS).wide
        for joint in ("add", "concat")
    )
    assert added.count("h12") == 1
    assert beside.count("h12") == 0
    assert len(_of(ElementTree.fromstring(beside), "path", "node-sign")) == 1


def test_a_block_on_the_skip_stands_on_its_line():
    signs = DIAGRAMS["fig-shortcut-projection"]
    root = ElementTree.fromstring(diagram("fig-shortcut-projection", signs, **WORDS).wide)
    (plain,), (boxed,) = _of(root, "rect", "plain-box"), _of(root, "rect", "box")
    middle = float(plain.get("y")) + float(plain.get("height")) / 2
    assert f" {middle:.1f}L" in next(path for path in _of(root, "path", "bus")).get("d")
    assert float(boxed.get("y")) > middle


def test_too_much_text_is_refused():
    with pytest.raises(ValueError, match=r"needs \d+ of 640 pixels"):
        diagram("fig-too-long", [Edge("x = " + "1234567890 " * 8)], **WORDS)


@pytest.mark.parametrize("word", ["alt", "caption"])
def test_words_are_required(word):
    with pytest.raises(ValueError, match=f"fig-a has no {word}"):
        diagram("fig-a", [Edge("x")], **{**WORDS, word: ""})
