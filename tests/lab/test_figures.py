"""Figures: both widths and both inks, the same bytes each time, colours that can be told apart."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from resgrad.lab import figures, palette
from resgrad.lab import vision as vision_of

WORDS = {"alt": "Two lines.", "caption": "The gap is 0.31. Bars: 10 to 90 %."}
SAMPLES = np.random.default_rng(268820).standard_normal((5, 4))


def draw(axes, width):
    figures.line(axes, [1, 2, 3, 4], [0, 1, 2, 3], label="law")
    figures.points(axes, [1, 2, 3, 4], SAMPLES, role="branch", label="measured")
    figures.band(axes, [1, 2, 3, 4], SAMPLES + 3, role="gradient", shade=1, label="flow")


@pytest.fixture(scope="module")
def one():
    return figures.figure("fig-test-one", draw, **WORDS, panels=[figures.Panel(x="depth", y="error")])


def test_every_ink_has_a_stand_in_of_its_own():
    inks = [*palette.PALETTE.values(), *(ink for shades in palette.SERIES.values() for ink in shades[1:])]
    assert len({ink.sentinel for ink in inks}) == len(inks)
    assert all(len(ink.sentinel) == len("#rrggbb") for ink in inks)


def test_same_bytes_twice(one):
    again = figures.figure("fig-test-one", draw, **WORDS, panels=[figures.Panel(x="depth", y="error")])
    assert (one.wide, one.narrow) == (again.wide, again.narrow)


def test_two_sizes_at_true_size(one):
    for drawing, (width, height) in ((one.wide, figures.WIDE), (one.narrow, figures.NARROW)):
        root = ElementTree.fromstring(drawing)
        assert (root.get("width"), root.get("height")) == (str(width), str(height))
        assert root.get("viewBox") == f"0 0 {width} {height}"
        assert set(re.findall(r"font(?:-size)?: ([\d.]+px)", drawing)) == {"14px"}


def test_no_date_and_small(one):
    assert "<metadata" not in one.wide
    assert len(one.wide) < 40_000


def test_every_colour_is_a_stand_in(one):
    drawn = set(re.findall(r"#[0-9a-f]{6}\b", one.wide + one.narrow))
    assert drawn == set(palette.inks_of(one.wide + one.narrow))
    assert not drawn & set(re.findall(r"#[0-9a-f]{6}\b", one.svg()))


def test_text_stays_text_in_the_readers_font(one):
    texts = "".join(ElementTree.fromstring(one.wide).itertext())
    assert all(word in texts for word in ("law", "measured", "flow", "depth", "error"))
    assert "DejaVu" not in one.wide


def test_panels_stand_side_by_side_or_one_below_the_other():
    panels = [figures.Panel("left"), figures.Panel("right")]
    pair = figures.figure("fig-test-two", lambda axes, _: [draw(a, 0) for a in axes], **WORDS, panels=panels)
    assert 'viewBox="0 0 640 320"' in pair.wide
    assert 'viewBox="0 0 328 520"' in pair.narrow


def test_a_notebook_sees_a_picture_and_the_site_a_fence(one, monkeypatch):
    monkeypatch.delenv("RESGRAD_FENCES", raising=False)
    assert "text/markdown" not in one._repr_mimebundle_()
    assert one._repr_mimebundle_()["image/svg+xml"].startswith("<svg")
    monkeypatch.setenv("RESGRAD_FENCES", "1")
    first, content, last = one._repr_mimebundle_()["text/markdown"].split("\n")
    assert (first, last) == ("`````{plotted} fig-test-one", "`````")
    assert json.loads(content)["alt"] == WORDS["alt"]


@pytest.mark.parametrize(
    ("label", "words", "message"),
    [
        ("residual", WORDS, "fig-<stem>-<name>"),
        ("fig-a", {**WORDS, "alt": " "}, "fig-a has no alt"),
        ("fig-a", {**WORDS, "caption": ""}, "fig-a has no caption"),
    ],
)
def test_words_are_required(label, words, message):
    with pytest.raises(ValueError, match=message):
        figures.figure(label, draw, **words)


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (0.1, "0.1"), (1000, "1000"), (1e-9, "10⁻⁹"), (1e13, "10¹³"), (3, "3")]
)
def test_powers_of_ten(value, text):
    assert figures.power(value) == text


def test_labels_are_moved_apart_and_no_further():
    places = figures.spread_out([0, 1, 2, 100], 17)
    assert places[3] == 100
    assert all(b - a >= 17 - 1e-9 for a, b in pairwise(places))
    assert sum(places[:3]) / 3 == pytest.approx(1)


ROLES = vision_of.ROLES


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_role_is_readable_as_text_and_on_its_tint(theme):
    shade = {role: getattr(ink, theme) for role, ink in palette.PALETTE.items()}
    for role in (*ROLES, "muted"):
        assert palette.contrast(shade[role], shade["page"]) >= 4.5, role
        assert palette.contrast(shade[role], shade["card"]) >= 4.5, role
    for role in ROLES[1:]:
        assert palette.contrast(shade[role], shade[f"{role}-tint"]) >= 4.5, role
    assert palette.contrast(shade["axis"], shade["page"]) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_shade_of_a_series_is_seen(theme):
    page = getattr(palette.PALETTE["page"], theme)
    for role, shades in palette.SERIES.items():
        contrasts = [palette.contrast(getattr(ink, theme), page) for ink in shades]
        assert contrasts == sorted(contrasts, reverse=True), role
        assert contrasts[-1] >= 3, role


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("vision", "least"), [("normal", 18), ("protan", 10), ("deutan", 11), ("tritan", 9), ("grey", 5)]
)
def test_roles_differ_in_every_vision(theme, vision, least):
    assert vision_of.nearest(theme, vision) >= least


def test_a_simulated_eye_sees_white_and_no_unknown_colours():
    for vision in vision_of.VISIONS:
        assert vision_of.seen("#ffffff", vision) == "#ffffff"
        assert vision_of.seen("#000000", vision) == "#000000"
    # Without the long cones red is dark, without the medium ones it is nearer to green.
    assert palette.contrast(vision_of.seen("#ff0000", "protan"), "#000000") < 4
    with pytest.raises(ValueError, match="vision must be one of normal"):
        vision_of.seen("#ffffff", "full")


def test_the_style_sheet_has_the_same_palette():
    sheet = Path(__file__).parents[2] / "docs" / "_static" / "css" / "resgrad.css"
    blocks = re.findall(r"(?:^|\n) *html body[^{]*\{([^}]*)\}", sheet.read_text("utf-8"))
    named = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    assert named[0] == {role: ink.light for role, ink in palette.PALETTE.items()}
    assert named[1] == named[2] == {role: ink.dark for role, ink in palette.PALETTE.items()}


def test_words_that_would_be_cut_are_refused() -> None:
    panels = [figures.Panel(x="the name of an axis that is far too long for a telephone, and goes on and on")]
    with pytest.raises(ValueError, match=r"fig-a-b: 'the name .*' does not fit into 328 x 260"):
        figures.figure("fig-a-b", lambda axes, width: axes.plot([0, 1]), alt="a", caption="c", panels=panels)


def test_a_number_in_words_keeps_its_digits():
    def draw(axes, width):
        figures.note(axes, 0.5, 0.5, "c = 0.2561")

    drawn = figures.figure("fig-test-digits", draw, alt="c.", caption="c is 0.2561.")
    assert ">c = 0.2561<" in drawn.wide
