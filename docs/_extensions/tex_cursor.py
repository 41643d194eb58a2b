"""Walk along tokens: look ahead, take one, say what was expected instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tex_tokens import Token
from tex_tree import Position, TexError

DEEPEST = 40  # levels of nesting; far below what Python's stack carries inside a Sphinx build


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
