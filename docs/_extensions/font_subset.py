"""Rebuild the font of the formulas: STIX Two Math cut down to the signs that the site may use.

Run it by hand when a formula needs a sign that the font lacks (the build says so)::

    npm pack @fontsource/stix-two-math && tar xzf fontsource-stix-two-math-*.tgz
    python docs/_extensions/font_subset.py package/files/stix-two-math-latin-400-normal.woff2

The font and its licence (OFL 1.1) come from that package. Needs fonttools with brotli.
"""

from __future__ import annotations

import sys
from pathlib import Path

FONT = Path(__file__).resolve().parents[1] / "_static" / "fonts" / "stix-two-math.woff2"

#: Layout features: script sizes, flat accents, dotless letters under accents, kerning, marks.
FEATURES = ["ssty", "flac", "dtls", "mkmk", "mark", "kern", "ccmp"]

_LETTERS = [
    *range(0x20, 0x7F),  # ASCII
    *range(0x391, 0x3A2),  # Greek
    *range(0x3A3, 0x3AA),
    *range(0x3B1, 0x3CA),
    *map(ord, "ϑϕϵϖϱ"),
    *range(0x1D400, 0x1D455),  # bold and italic Latin, without h
    *range(0x1D456, 0x1D468),
    *range(0x1D6E2, 0x1D71C),  # italic Greek
    *map(ord, "ϕϑϵϖϱ"),
    *range(0x1D7CE, 0x1D7D8),  # bold digits
    *map(ord, "ıȷℓℎ"),
    *map(ord, "ℬℰℱℋℒℳℛ"),  # script capitals that stand outside their block
    *map(ord, "𝒟𝒢𝒥𝒩𝒪𝒫𝒮𝒰𝒱𝒲"),
    *map(ord, "ℝℕℤℂℚ𝔼ℙ𝕍𝟙"),
]
_SIGNS = (
    "±×÷−·⋅∗∘⊙⊗⊕⊤⊥†∓√"
    "=≠≈≃≡≅∼∝≤≥≪≫<>≔"
    "∈∉⊂⊆∪∩∖∅∀∃¬∧∨"
    "←→↔⇒⇐⇔↦↑↓"
    "∑∏∫∂∇∞"
    "()[]{}|‖⟨⟩⌊⌋⌈⌉/∕∣∥"
    "⏞⏟⎛⎜⎝⎞⎟⎠⎡⎢⎣⎤⎥⎦⎧⎨⎩⎪⎫⎬⎭"
    "′″‴…⋯⋮⋱.,:;!?"
    "¯‾_ˆˇ˜˙¨⃗→ˉ"
    "\u0302\u0303\u0304\u0305\u0307\u0308\u20d7\u0332"
    "\u00a0\u2009\u200a"
)


_INVISIBLE = "\n\t\u2061\u2062\u2063"


def characters() -> frozenset[int]:
    """Return the code points that the subset keeps."""
    return frozenset([*_LETTERS, *map(ord, _SIGNS)])


def missing(text: str) -> list[str]:
    """Return the characters of a text that the subset lacks; invisible operators need no glyph."""
    return sorted(set(text) - _HAVE)


_HAVE = {*map(chr, characters()), *_INVISIBLE}


def subset(source: Path, target: Path = FONT) -> int:
    """Write the subset as woff2 and return its size in bytes."""
    from fontTools import subset as tool

    options = tool.Options(flavor="woff2", layout_features=FEATURES, hinting=False, notdef_outline=True)
    font = tool.load_font(str(source), options)
    cutter = tool.Subsetter(options)
    cutter.populate(unicodes=characters())
    cutter.subset(font)
    target.parent.mkdir(parents=True, exist_ok=True)
    tool.save_font(font, str(target), options)
    return target.stat().st_size


if __name__ == "__main__":
    print(f"{FONT.name}: {subset(Path(sys.argv[1]))} bytes, {len(characters())} characters")
