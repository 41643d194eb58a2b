"""Colours of code: ink alone, since a hue means something else here. Bold keywords, muted comments."""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.style import Style  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Error,
    Generic,
    Keyword,
    String,
    Token,
)


def _styles(ink: str, muted: str) -> dict[Any, str]:
    return {
        Token: ink,
        Keyword: f"bold {ink}",
        Keyword.Constant: f"nobold {ink}",
        Comment: f"italic {muted}",
        String.Doc: muted,
        Generic.Prompt: muted,
        Generic.Output: muted,
        Error: ink,
    }


class Light(Style):  # type: ignore[misc]
    """On paper and on light screens."""

    background_color = "#f6f7f9"
    styles: ClassVar = _styles("#1b1f24", "#57606a")


class Dark(Style):  # type: ignore[misc]
    """On dark screens."""

    background_color = "#1b212a"
    styles: ClassVar = _styles("#e6e9ee", "#a9b2bd")
