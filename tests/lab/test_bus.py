"""The bus to scale: no text is covered or cut, in either width; every line is as thick as what flows there is long."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from resgrad.lab.angles import Angles, Way, both_ways
from resgrad.lab.bus import THICKEST, bus
from resgrad.lab.marks import text_width

WORDS = {"alt": "A bus.", "caption": "It adds. And more."}


def measured(blocks, seed=0, size=1.0, share=1.0, n=6):
    rng = np.random.default_rng(seed)
    sizes = np.array([size, *[size * share] * blocks])[:, None, None]
    streams = [np.cumsum(sizes * rng.standard_normal((blocks + 1, 1, n)), axis=0) for _ in range(2)]
    return both_ways(streams[0], streams[1][::-1] / 40)


@pytest.fixture(params=[(1, 0, 1.0), (3, 1, 70.0), (6, 2, 1.0), (7, 3, 60.0, 0.2)])
def angles(request):
    return measured(*request.param)


@pytest.fixture
def one(angles):
    return bus("fig-bus-run", angles, **WORDS)


@pytest.fixture(params=["wide", "narrow"])
def root(request, one):
    return ElementTree.fromstring(getattr(one, request.param))


def _of(root, tag, *kinds):
    found = root.findall(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [mark for mark in found if not kinds or mark.get("class") in kinds]


def _text_box(text):
    x, y, width = float(text.get("x")), float(text.get("y")), text_width(text.text)
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return left, y - 11, left + width, y + 3


def _corners(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d"))]


def _path_box(path):
    """What a straight line or the head of an arrow covers, its thickness included."""
    xs, ys = zip(*_corners(path), strict=True)
    half = float(path.get("stroke-width", 2)) / 2 if "Z" not in path.get("d") else 0
    across, along = (half, 0) if xs[0] == xs[-1] else (0, half)
    return min(xs) - across, min(ys) - along, max(xs) + across, max(ys) + along


def _circle_box(circle):
    x, y, r = (float(circle.get(name)) for name in ("cx", "cy", "r"))
    return x - r, y - r, x + r, y + r


def _box(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _meet(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _signs(root):
    paths = [path for path in _of(root, "path") if path.get("class") != "node-sign"]
    return [*map(_path_box, paths), *map(_circle_box, _of(root, "circle")), *map(_box, _of(root, "rect"))]


def test_no_text_covers_another(root):
    for one, other in combinations(_of(root, "text"), 2):
        assert not _meet(_text_box(one), _text_box(other)), (one.text, other.text)


def test_no_line_or_sign_runs_through_a_text(root):
    signs = _signs(root)
    for text in _of(root, "text"):
        if text.get("class") != "name":
            assert not [sign for sign in signs if _meet(_text_box(text), sign)], text.text


def test_a_name_fits_into_its_box(root):
    boxes = [_box(rect) for rect in _of(root, "rect")]
    for text in _of(root, "text", "name"):
        left, top, right, bottom = _text_box(text)
        assert any(a <= left and b <= top and right <= c and bottom <= d for a, b, c, d in boxes), text.text


def test_nothing_is_cut(root):
    left, top, width, height = map(float, root.get("viewBox").split())
    assert width in (640, 328)
    for box in [*map(_text_box, _of(root, "text")), *_signs(root)]:
        assert left <= box[0]
        assert box[2] <= left + width
        assert top <= box[1]
        assert box[3] <= top + height


def _widths(root, *kinds):
    paths = [path for path in _of(root, "path", *kinds) if "Z" not in path.get("d")]
    return np.array([float(path.get("stroke-width")) for path in paths])


def test_every_line_is_as_thick_as_its_vector_is_long(root, angles):
    """Lines of one class in the order in which they are drawn; the last one is the scale under the drawing."""
    forward, backward = angles
    streams, writes = _widths(root, "bus")[:-1], _widths(root, "wire")
    blocks = len(writes)
    gradients = _widths(root, "back")
    line, shares = gradients[: blocks + 1], gradients[blocks + 1 : -1].reshape(blocks, 2)
    for way, thick, added in ((forward, streams, writes), (backward, line, shares[:, 1])):
        scale = THICKEST / max(way.lengths.max(), way.added.max())
        # The SVG holds six digits.
        assert np.allclose(thick, scale * way.lengths[:, 0], rtol=1e-5)
        assert np.allclose(added, scale * way.added[:, 0], rtol=1e-5)
    assert (shares[:, 0] == 2).all()  # what a block reads has no scale


def test_the_scale_is_a_round_length_of_each_line(root, angles):
    texts = [text for text in _of(root, "text") if text.text.startswith("length ")]
    for text, kind, way in zip(texts, ("bus", "back"), angles, strict=True):
        unit = float(text.text.split()[1])
        longest = max(way.lengths.max(), way.added.max())
        assert float(f"{unit:e}".split("e")[0]) in (1, 2, 5)
        assert longest / 2.5 <= unit <= longest
        assert np.isclose(_widths(root, kind)[-1], THICKEST * unit / longest, rtol=1e-5)


def test_lengths_and_angles_stand_beside_their_blocks(root, angles):
    for kind, way in (("value", angles.forward), ("backward", angles.backward)):
        words = [text.text for text in _of(root, "text", kind)]
        degrees = np.degrees(np.arccos(way.cosines[:, 0]))
        shares = words[: 2 * len(degrees)]
        assert shares[1::2] == [f"{value:.0f}°" for value in degrees]
        assert np.allclose([float(word) for word in shares[::2]], way.added[:, 0], rtol=0.06)
        names = words[2 * len(degrees) : -1]
        assert np.allclose([float(word) for word in names[1::2]], way.lengths[:, 0], rtol=0.06)
        assert names[0].startswith("x")
        assert names[-2].endswith("₀₁₂₃₄₅₆₇"[len(degrees)])


def test_the_stream_flows_to_the_loss_and_the_gradient_away_from_it(one):
    for drawing, axis, sign in ((one.wide, 0, 1), (one.narrow, 1, -1)):
        root = ElementTree.fromstring(drawing)
        for kind, towards in (("bus", sign), ("back", -sign)):
            lines = [path for path in _of(root, "path", kind) if "Z" not in path.get("d")]
            blocks = len(_of(root, "path", "wire"))
            ends = [_corners(path) for path in lines[: blocks + 1]]
            assert all(towards * (end[1][axis] - end[0][axis]) > 0 for end in ends)
            ordered = ends if kind == "bus" else ends[::-1]
            for (_, stop), (start, _) in pairwise(ordered):
                assert stop == start


def test_a_block_reads_one_line_where_the_other_is_added_to(one):
    root = ElementTree.fromstring(one.wide)
    (reads, writes) = (
        sorted(_corners(path)[0][0] for path in _of(root, "path", kind)) for kind in ("plain", "wire")
    )
    shares = [path for path in _of(root, "path", "back") if _corners(path)[0][0] == _corners(path)[1][0]]
    at = sorted(_corners(path)[0][0] for path in shares)
    assert at == sorted(reads + writes)


def test_every_colour_is_a_class_of_the_style_sheet(root):
    sheet = (Path(__file__).parents[2] / "docs" / "_static" / "css" / "resgrad.css").read_text("utf-8")
    for mark in root:
        assert not {"fill", "stroke", "style"} & set(mark.keys())
        for name in mark.get("class").split():
            assert name == "value" or re.search(rf"\.diagram (text)?\.{name}\b", sheet), name


def test_the_bytes_are_stable(angles, one):
    again = bus("fig-bus-run", angles, **WORDS)
    assert (again.wide, again.narrow) == (one.wide, one.narrow)


def test_a_picture_by_itself_has_its_colours(one):
    assert "var(" not in one.svg()
    ElementTree.fromstring(one.svg())


def test_too_many_blocks_are_refused():
    with pytest.raises(ValueError, match="draw fewer than 12"):
        bus("fig-bus-run", measured(12), **WORDS)


def test_more_than_one_row_is_refused():
    rows = np.random.default_rng(0).standard_normal((4, 2, 5))
    with pytest.raises(ValueError, match=r"forward has shapes \(\(4, 2\)"):
        bus("fig-bus-run", both_ways(rows, rows), **WORDS)


def test_ways_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="backward has shapes"):
        bus("fig-bus-run", Angles(measured(3).forward, measured(2).backward), **WORDS)


@pytest.mark.parametrize(
    ("part", "value"),
    [("lengths", -1.0), ("lengths", np.nan), ("added", 0.0), ("cosines", 1.1), ("cosines", np.nan)],
)
def test_what_is_no_length_or_cosine_is_refused(part, value):
    forward, backward = measured(2)
    wrong = np.where(np.arange(getattr(forward, part).size)[:, None] == 1, value, getattr(forward, part))
    with pytest.raises(ValueError, match="forward has a length that is not positive or a cosine beyond 1"):
        bus("fig-bus-run", Angles(forward._replace(**{part: wrong}), backward), **WORDS)


def test_no_block_is_refused():
    empty = Way(np.ones((1, 1)), np.ones((0, 1)), np.ones((0, 1)))
    with pytest.raises(ValueError, match="forward has shapes"):
        bus("fig-bus-run", Angles(empty, empty), **WORDS)


@pytest.mark.parametrize("word", ["alt", "caption"])
def test_words_are_required(word):
    with pytest.raises(ValueError, match=f"fig-a has no {word}"):
        bus("fig-a", measured(2), **{**WORDS, word: ""})
