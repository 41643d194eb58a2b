r"""Cut TeX into tokens, and drop what changes only its look.

Layout (spaces, sizes, comments) goes. So do braces that only mark a part, `\underbrace{X}_{..}`,
`\boxed{X}` and the colours `\skippath{X}` and `\branch{X}`: what is left is `X` itself, without
parentheses, since that is what a reader sees. Every sign that the grammar does not know is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tex_tree import Position, TexError

DEEPEST = 40  # levels of nesting; far below what Python's stack carries inside a Sphinx build
LONGEST_NUMBER = 15  # digits that a float holds exactly

TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+|%[^\n]*|~)
      | (?P<text>\\text\s*\{[^{}]*\})
      | (?P<environment>\\(?:begin|end)\s*\{[A-Za-z]+\*?\})
      | (?P<row>\\\\(?:\[[0-9.]+(?:pt|em|ex)\])?)
      | (?P<command>\\(?:[A-Za-z]+|.))
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<letter>[A-Za-z])
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)


def _commands(names: str) -> frozenset[str]:
    return frozenset("\\" + name for name in names.split())


ACCENTS = _commands("bar hat tilde dot")
STYLES = _commands("mathbf boldsymbol mathcal mathrm operatorname")
GREEK = _commands(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho "
    "sigma tau upsilon phi varphi chi psi omega ell "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
FUNCTIONS = _commands("exp log tanh sin cos max min det")
FRACTIONS = _commands("frac tfrac dfrac")
BIG = _commands("sum prod")
OPENING = _commands("lVert lvert langle")
CLOSING = _commands("rVert rvert rangle")
RELATIONS = {"=": "=", "<": "<", ">": ">", r"\le": r"\le", r"\leq": r"\le", r"\ge": r"\ge", r"\geq": r"\ge"}
MATRICES = ("pmatrix", "bmatrix")
ALIGNED = ("aligned", "split")

SPACES = _commands(", ; : ! > quad qquad displaystyle textstyle limits nolimits nonumber notag") | {"\\ "}
SIZES = _commands(
    "left right big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm"
)
BRACES = _commands("underbrace overbrace")
WRAPPERS = BRACES | _commands("boxed skippath branch")
DOTS = _commands("dots ldots")

_SIGNS = frozenset("+-=<>()[]{}_^',./&")
_KNOWN = (
    _SIGNS
    | ACCENTS
    | STYLES
    | GREEK
    | FUNCTIONS
    | FRACTIONS
    | BIG
    | OPENING
    | CLOSING
    | DOTS
    | set(RELATIONS)
) | {r"\\", r"\odot", r"\cdot", r"\top", r"\sqrt", r"\partial"}
_DELIMITERS = OPENING | CLOSING | set("()[]")
_TAKES_ARGUMENT = ACCENTS | STYLES | FRACTIONS | {"_", "^", r"\sqrt"}

_AGREE = "cannot be evaluated: an equation with it states its check with agree(...) instead"
_REFUSED = dict.fromkeys(_commands("approx sim simeq propto to in cdots lim infty int mathbb Pr"), _AGREE) | {
    "|": r"is not in the grammar: write \lvert a \rvert or \lVert a \rVert",
    r"\|": r"is not in the grammar: write \lVert a \rVert",
    r"\times": r"is refused: write \cdot with a scalar, \odot elementwise, nothing for a product",
    "*": r"is refused: write \cdot with a scalar, \odot elementwise, nothing for a product",
    r"\text": "needs its words in one pair of braces",
    r"\ln": r"is not in the grammar: write \log",
    r"\prime": "is not in the grammar: write '",
    r"\nabla": r"is not in the grammar: write \bar x for the gradient at x",
    r"\forall": r"is not in the grammar: end with , \quad l = 0, \dots, L-1",
    r"\intercal": r"is not in the grammar: write ^\top",
    ":": "is not in the grammar: write = for a definition",
    r"\phantom": "hides what it holds and is refused",
}
_INSTEAD = {
    "−": "-", "–": "-", "·": r"\cdot", "⋅": r"\cdot", "×": r"\cdot", "⊙": r"\odot", "≤": r"\le", "≥": r"\ge",
    "ᵀ": r"^\top", "⊤": r"\top", "∑": r"\sum", "∏": r"\prod", "√": r"\sqrt", "∂": r"\partial", "′": "'",
    "’": "'", "‖": r"\lVert", "…": r"\dots", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip


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
        At the first sign that the grammar does not know, and at braces that do not pair.
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
        if "\n" in text:
            line, start = line + text.count("\n"), match.start() + text.rindex("\n") + 1
        if sort in ("blank", "text"):
            text = text[text.index("{") + 1 : -1].strip() if sort == "text" else ""
        else:
            _refuse_unicode(text, at)
        if sort != "blank":
            yield Token(_normal(text, sort), sort, at)


def _normal(text: str, sort: str) -> str:
    return "".join(text.split()) if sort == "environment" else r"\\" if sort == "row" else text


def _refuse_unicode(text: str, at: Position) -> None:
    for offset, sign in enumerate(text):
        if not sign.isascii():
            hint = f": write {_INSTEAD[sign]}" if sign in _INSTEAD else ""
            raise TexError(
                f"{sign!r} (U+{ord(sign):04X}) is not TeX{hint}", at.line, at.column + offset
            ) from None


def _without_layout(tokens: list[Token]) -> list[Token]:
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.text in SIZES and token.sort == "command" and (not after or after.text not in _DELIMITERS):
            raise TexError(f"{token.text} must stand before a bracket", *token.at)
    return [token for token in tokens if token.sort != "command" or token.text not in SPACES | SIZES]


def _unwrap(tokens: list[Token]) -> list[Token]:
    """Take off the braces that only mark a part, with the words that stand under or over it."""
    kept: list[Token] = []
    open_braces: list[tuple[Token, bool]] = []  # the wrapper or the brace; whether it is kept
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token.text in WRAPPERS and token.sort == "command":
            place = _open_wrapper(tokens, place)
            open_braces.append((token, False))
            continue
        place += 1
        if token.text == "{" and token.sort == "sign":
            open_braces.append((token, True))
        if token.text == "}" and token.sort == "sign":
            opened, keep = _close(open_braces, token)
            if not keep:
                place = _skip_label(tokens, place) if opened.text in BRACES else place
                continue
        kept.append(token)
    if open_braces:
        raise TexError(f"{open_braces[-1][0].text} is never closed", *open_braces[-1][0].at)
    return kept


def _close(open_braces: list[tuple[Token, bool]], token: Token) -> tuple[Token, bool]:
    if not open_braces:
        raise TexError("} closes nothing", *token.at)
    return open_braces.pop()


def _open_wrapper(tokens: list[Token], place: int) -> int:
    wrapper = tokens[place]
    if place and tokens[place - 1].text in _TAKES_ARGUMENT:
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
    if token.sort in ("command", "sign") and text not in _KNOWN:
        raise TexError(f"{text} {_REFUSED.get(text, 'is not in the grammar')}", *token.at)
    if token.sort == "environment" and text.partition("{")[2][:-1] not in MATRICES + ALIGNED:
        raise TexError(f"{text} {_AGREE if 'cases' in text else 'is not in the grammar'}", *token.at)
    if token.sort == "number" and len(text) > LONGEST_NUMBER:
        raise TexError(f"a number of more than {LONGEST_NUMBER} digits is not exact", *token.at)


class Cursor:
    """A place in a list of tokens; past the last one stands a token without text."""

    def __init__(self, tokens: list[Token], end: Position) -> None:
        self._tokens, self._place, self._depth = tokens, 0, 0
        self._end = Token("", "end", end)

    def peek(self, ahead: int = 0) -> Token:
        """Look at a token without taking it."""
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else self._end

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self._place += 1
        return token

    def at_sign(self, *texts: str) -> bool:
        """Whether the next token is one of these (words in text mode never are)."""
        token = self.peek()
        return token.text in texts and token.sort not in ("text", "end")

    def accept(self, *texts: str) -> bool:
        """Take the next token if it is one of these."""
        found = self.at_sign(*texts)
        self._place += found
        return found

    def expect(self, text: str, why: str = "") -> Token:
        """Take the next token, which must be this one."""
        if not self.at_sign(text):
            raise self.unexpected(f"{text} {why}".rstrip())
        return self.next()

    def split_digit(self) -> Token:
        r"""Take one digit, as TeX does in `\frac12`: the rest of the number stays."""
        token = self.peek()
        if "." in token.text:
            raise TexError(f"put {token.text} in braces", *token.at)
        if len(token.text) > 1:
            line, column = token.at
            self._tokens[self._place] = Token(token.text[1:], "number", Position(line, column + 1))
        else:
            self._place += 1
        return Token(token.text[0], "number", token.at)

    def unexpected(self, wanted: str) -> TexError:
        """Return the error for a token that does not fit here."""
        token = self.peek()
        found = repr(token.text) if token.sort == "text" else token.text or "the end"
        return TexError(f"expected {wanted}, found {found}", *token.at)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Count one level of nesting, and refuse too many."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise TexError(f"nested more than {DEEPEST} levels deep", *self.peek().at)
        yield
        self._depth -= 1
