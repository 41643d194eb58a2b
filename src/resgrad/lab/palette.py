"""The colours of figures and diagrams, each with one meaning, in light and in dark.

A figure is drawn in stand-in colours (`sentinel`), which are replaced by the light and by the dark inks, so that
one run gives both. ``docs/_static/css/resgrad.css`` holds the same colours for text and diagrams.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PALETTE", "SERIES", "Ink", "contrast", "inks_of", "oklab_distance"]


class Ink(NamedTuple):
    """One colour: the stand-in it is drawn in and what it becomes on a light and on a dark page."""

    sentinel: str
    light: str
    dark: str


#: Role -> its colours.
PALETTE = {
    "page": Ink("#fe0001", "#ffffff", "#12161c"),
    "card": Ink("#fe0002", "#f6f7f9", "#1b212a"),
    "note": Ink("#fe0003", "#f1f3f6", "#20262f"),
    "ink": Ink("#010203", "#1b1f24", "#e6e9ee"),
    "muted": Ink("#010204", "#57606a", "#a9b2bd"),
    "axis": Ink("#010205", "#68717b", "#8a94a1"),
    "hairline": Ink("#010206", "#d0d7de", "#353d49"),
    "skip": Ink("#0102a0", "#123abf", "#778ff7"),
    "branch": Ink("#a00102", "#a33b00", "#f1902e"),
    "gradient": Ink("#a001a0", "#700069", "#f79feb"),
    "weight": Ink("#01a002", "#007a72", "#6eeb8f"),
    "skip-tint": Ink("#0102a1", "#e7ebf9", "#22293f"),
    "branch-tint": Ink("#a10102", "#f6ebe6", "#362a1f"),
    "gradient-tint": Ink("#a101a0", "#f1e6f0", "#372c3d"),
    "weight-tint": Ink("#01a102", "#e6f2f1", "#21382e"),
}

#: Role -> how far its second and third shade go towards the page; the third still has contrast 3.
_TOWARDS_PAGE = {
    "ink": (0.25, 0.45),
    "skip": (0.2, 0.39),
    "branch": (0.18, 0.36),
    "gradient": (0.25, 0.45),
    "weight": (0.14, 0.28),
}


def _mix(colour: str, page: str, share: float) -> str:
    pairs = ((int(colour[i : i + 2], 16), int(page[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _shade(role: str, index: int) -> Ink:
    ink, page, share = PALETTE[role], PALETTE["page"], (0.0, *_TOWARDS_PAGE[role])[index]
    sentinel = f"{ink.sentinel[:3]}{0xC0 + index:02x}{ink.sentinel[5:]}"
    return Ink(sentinel, _mix(ink.light, page.light, share), _mix(ink.dark, page.dark, share))


#: Role -> three lightnesses of its hue, for depth or seeds as a series.
SERIES = {role: tuple(_shade(role, index) for index in range(3)) for role in _TOWARDS_PAGE}


def inks_of(drawing: str) -> dict[str, tuple[str, str]]:
    """Return stand-in -> (light, dark) for the colours that a drawing uses."""
    inks = [*PALETTE.values(), *(ink for shades in SERIES.values() for ink in shades)]
    return {ink.sentinel: (ink.light, ink.dark) for ink in inks if ink.sentinel in drawing}


def _linear(colour: str) -> list[float]:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours ``#rrggbb`` (WCAG 2.2; text needs 4.5, lines need 3)."""
    low, high = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), _linear(x), strict=True)) for x in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


def _oklab(colour: str) -> list[float]:
    r, g, b = _linear(colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return [
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    ]


def oklab_distance(one: str, other: str) -> float:
    """Return how far apart two colours look: 100 times their distance in OKLab (Ottosson 2020)."""
    pairs = zip(_oklab(one), _oklab(other), strict=True)
    return float(100 * sum((a - b) ** 2 for a, b in pairs) ** 0.5)
