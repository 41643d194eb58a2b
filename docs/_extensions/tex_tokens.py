r"""Cut TeX into tokens, and drop what changes only its look.

Layout (spaces, sizes, comments) goes. So do braces that only mark a part, `\underbrace{X}_{..}`,
`\boxed{X}` and the colours `\skippath{X}` and `\branch{X}`: what is left is `X` itself, without
parentheses, since that is what a reader sees. Every sign that the grammar does not know is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tex_signs import (
    AGREE,
    ALIGNED,
    BRACES,
    DELIMITERS,
    INSTEAD,
    KNOWN,
    MATRICES,
    REFUSED,
    SIZES,
    SPACES,
    TAKES_ARGUMENT,
    WRAPPERS,
)
from tex_tree import Position, TexError

LONGEST_NUMBER = 15  # digits that a float holds exactly

TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+|%[^\n]*|~)
      | (?P<text>\\text\s*\{[^{}]*\})
      | (?P<environment>\\(?:begin|end)\s*\{[A-Za-z]+\*?\})
      | (?P<row>\\\\(?:\s*\[[-0-9. ]+[a-z]{2}\s*\])?)
      | (?P<command>\\(?:[A-Za-z]+|.))
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<letter>[A-Za-z])
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of TeX, what sort of piece, and where it stands."""

    text: str
    sort: str
    at: Position


def tokenize(tex: str) -> list[Token]:
    """Cut `tex` into the tokens that carry meaning.

    Raises
    ------
    TexError
        At the first sign that the grammar does not know or the site does not typeset, and at braces that do
        not pair.
    """
    tokens = _unwrap(_without_layout(list(_cut(tex))))
    for token in tokens:
        _refuse_unknown(token)
    return tokens


def _cut(tex: str) -> Iterator[Token]:
    line, start = 1, 0
    for match in TOKEN.finditer(tex):
        text, sort = match.group(), match.lastgroup or ""
        at = Position(line, match.start() - start + 1)
        if sort == "row" and text != r"\\":  # the site typesets the length as a term
            raise TexError(rf"{text} is shown with its length: write \\ alone", *at)
        if "\n" in text:
            line, start = line + text.count("\n"), match.start() + text.rindex("\n") + 1
        if sort in ("blank", "text"):
            text = text[text.index("{") + 1 : -1].strip() if sort == "text" else ""
        else:
            _refuse_unicode(text, at)
        if sort != "blank":
            yield Token(_normal(text, sort), sort, at)


def _normal(text: str, sort: str) -> str:
    return "".join(text.split()) if sort == "environment" else text


def _refuse_unicode(text: str, at: Position) -> None:
    for offset, sign in enumerate(text):
        if not sign.isascii():
            hint = f": write {INSTEAD[sign]}" if sign in INSTEAD else ""
            raise TexError(f"{sign!r} (U+{ord(sign):04X}) is not TeX{hint}", at.line, at.column + offset)


def _without_layout(tokens: list[Token]) -> list[Token]:
    end = Token("", "end", Position(1, 1))
    for token, after in pairwise([*tokens, end]):
        if token.text in SIZES and token.sort == "command" and after.text not in DELIMITERS:
            raise TexError(f"{token.text} must stand before a bracket", *token.at)
    return [token for token in tokens if token.sort != "command" or token.text not in SPACES | SIZES]


def _unwrap(tokens: list[Token]) -> list[Token]:
    """Take off the braces that only mark a part, with the words that stand under or over it."""
    kept: list[Token] = []
    open_braces: list[tuple[Token, bool]] = []  # the wrapper or the brace; whether its braces are kept
    place = 0
    while place < len(tokens):
        if tokens[place].sort == "command" and tokens[place].text in WRAPPERS:
            open_braces.append((tokens[place], False))
            place = _open_wrapper(tokens, place)
        else:
            place = _keep(tokens, place, kept, open_braces)
    if open_braces:
        raise TexError(f"{open_braces[-1][0].text} is never closed", *open_braces[-1][0].at)
    return kept


def _keep(tokens: list[Token], place: int, kept: list[Token], open_braces: list[tuple[Token, bool]]) -> int:
    """Keep a token, unless it closes a wrapper; return where to go on."""
    token = tokens[place]
    opened, keep = token, True
    if token.sort == "sign" and token.text == "{":
        open_braces.append((token, True))
    elif token.sort == "sign" and token.text == "}":
        opened, keep = _close(open_braces, token)
    if keep:
        kept.append(token)
        return place + 1
    return _skip_label(tokens, place + 1) if opened.text in BRACES else place + 1


def _close(open_braces: list[tuple[Token, bool]], token: Token) -> tuple[Token, bool]:
    if not open_braces:
        raise TexError("} closes nothing", *token.at)
    return open_braces.pop()


def _open_wrapper(tokens: list[Token], place: int) -> int:
    wrapper = tokens[place]
    if place and tokens[place - 1].text in TAKES_ARGUMENT:
        raise TexError(f"{wrapper.text} needs braces around it after {tokens[place - 1].text}", *wrapper.at)
    if place + 1 == len(tokens) or tokens[place + 1].text != "{":
        raise TexError(f"{wrapper.text} must be followed by {{", *wrapper.at)
    return place + 2


def _skip_label(tokens: list[Token], place: int) -> int:
    if place == len(tokens) or tokens[place].text not in ("_", "^"):
        return place
    depth, start = 0, place
    while (place := place + 1) < len(tokens):
        if tokens[place].sort == "sign":
            depth += {"{": 1, "}": -1}.get(tokens[place].text, 0)
        if depth <= 0:
            return place + 1
    raise TexError("the label of the brace is never closed", *tokens[start].at)


def _refuse_unknown(token: Token) -> None:
    text = token.text
    if token.sort in ("command", "sign") and text not in KNOWN:
        raise TexError(f"{text} {REFUSED.get(text, 'is not in the grammar')}", *token.at)
    if token.sort == "environment" and text.partition("{")[2][:-1] not in MATRICES + ALIGNED:
        raise TexError(f"{text} {AGREE if 'cases' in text else 'is not in the grammar'}", *token.at)
    if token.sort == "number" and len(text) > LONGEST_NUMBER:
        raise TexError(f"a number of more than {LONGEST_NUMBER} digits is not exact", *token.at)
