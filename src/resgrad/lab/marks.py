"""The marks that drawings are made of, as pieces of SVG: lines, arrow heads, dots, additions, boxes, words.

Places are (x, y) in pixels, y downwards. A mark has no colour of its own, only a class of the style sheet.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape

from resgrad.lab.palette import PALETTE

__all__ = [
    "MARGIN",
    "NARROW",
    "NODE",
    "WIDE",
    "box",
    "dot",
    "head",
    "line",
    "node",
    "style",
    "text",
    "text_width",
]

#: Width of a drawing beside a page's text, and on a phone; the free edge around it; the radius of an addition.
WIDE, NARROW, MARGIN, NODE = 640, 328, 6, 12

_TEXT = 14  # px

Place = tuple[float, float]


def line(kind: str, *places: Place, width: float | None = None, joined: bool = False) -> str:
    """Draw a line through places.

    Parameters
    ----------
    kind : str
        Its class.
    *places : pair of float
        Two or more.
    width : float, optional
        In pixels; that of the class without it.
    joined : bool
        Whether its corners are round.

    Returns
    -------
    str
    """
    how = (f' stroke-width="{width:g}"' if width is not None else "") + (
        ' stroke-linejoin="round"' if joined else ""
    )
    return f'<path class="{kind}"{how} d="M{_through(places)}"/>'


def head(kind: str, tip: Place, towards: Place, *, half: float = 5.0) -> str:
    """Draw the head of an arrow.

    Parameters
    ----------
    kind : str
        Its class.
    tip : pair of float
    towards : pair of float
        Where it points, of length 1, along an axis.
    half : float
        Half its width, in pixels.

    Returns
    -------
    str
    """
    (x, y), (dx, dy) = tip, towards
    wings = [(x - 9 * dx + half * k * dy, y - 9 * dy + half * k * dx) for k in (1, -1)]
    return f'<path class="{kind}" d="M{_through([tip, *wings])}Z"/>'


def dot(kind: str, place: Place, radius: float) -> str:
    """Draw a disc, such as the tap on a line."""
    return f'<circle class="{kind}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:g}"/>'


def node(place: Place, joint: str = "add") -> str:
    """Draw where two lines meet: a circle with a plus sign, or for ``"concat"`` two strokes side by side."""
    x, y = place
    signs = {
        "add": f"M{x - 6:.1f} {y:.1f}h12M{x:.1f} {y - 6:.1f}v12",
        "concat": "".join(f"M{x + k:.1f} {y - 6:.1f}L{x + k:.1f} {y + 6:.1f}" for k in (-3, 3)),
    }
    return dot("node", place, NODE) + f'<path class="node-sign" d="{signs[joint]}"/>'


def box(kind: str, corner: Place, size: Place) -> str:
    """Draw a box from its upper left corner, its width and its height."""
    (x, y), (width, height) = corner, size
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"/>'


def text(kind: str, words: str, place: Place, anchor: str = "middle") -> str:
    """Write words on a baseline; the place is their middle, or their start or end by `anchor`."""
    start = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{kind}" x="{place[0]:.1f}" y="{place[1]:.1f}"{start}>{escape(words)}</text>'


def text_width(words: str) -> float:
    """Estimate how wide words are at 14 px, on the wide side of what system fonts do."""
    return sum(_TEXT * _advance(sign) for sign in words)


def style() -> str:
    """Return the rules of the style sheet, in light inks, for a drawing outside the site."""
    light = {role: ink.light for role, ink in PALETTE.items()}
    return (
        f"text{{font:14px system-ui,sans-serif;fill:{light['ink']}}}"
        f".backward,.back-head{{fill:{light['gradient']}}}.weight{{fill:{light['weight']}}}"
        f".small{{fill:{light['muted']}}}"
        f".bus,.wire,.plain,.back{{fill:none}}.bus{{stroke:{light['skip']}}}.wire{{stroke:{light['branch']}}}"
        f".bus:not([stroke-width]){{stroke-width:5}}.wire:not([stroke-width]){{stroke-width:2.5}}"
        f".plain,.node-sign{{stroke:{light['ink']};stroke-width:2}}"
        f".back{{stroke:{light['gradient']};stroke-dasharray:7 4}}.tap,.bus-head{{fill:{light['skip']}}}"
        f".wire-head{{fill:{light['branch']}}}.head,.plain-tap{{fill:{light['ink']}}}"
        f".box{{fill:{light['branch-tint']};stroke:{light['branch']};stroke-width:2}}"
        f".plain-box,.node{{fill:{light['page']};stroke:{light['ink']};stroke-width:2}}"
        f".box.light{{fill:{light['page']}}}.name,.weight{{font-weight:600}}"
    )


def _through(places: Sequence[Place]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _advance(sign: str) -> float:
    if unicodedata.combining(sign):
        return 0.0
    if sign in " .,:;|!'()[]ijlt₀₁₂₃₄₅₆₇₈₉ₗ":
        return 0.36
    return 0.8 if sign in "mwMW=+−→≈…" else 0.68 if sign.isupper() else 0.6
