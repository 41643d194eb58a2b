"""Read symbols, their subscripts and derivatives."""

from __future__ import annotations

from dataclasses import replace

from tex_cursor import Cursor
from tex_signs import ACCENTS, GREEK, STYLES
from tex_tokens import Token
from tex_tree import Derivative, Label, Node, Number, Product, Sum, Symbol, TexError

_WORDS = {"mathrm": "operatorname", "operatorname": "operatorname"}


def is_letter(token: Token) -> bool:
    """Whether the token is a letter, Latin or Greek."""
    return token.sort == "letter" or (token.sort == "command" and token.text in GREEK)


def starts_symbol(token: Token) -> bool:
    """Whether a symbol begins here."""
    return is_letter(token) or (token.sort == "command" and token.text in ACCENTS | STYLES)


def symbol(cursor: Cursor) -> Symbol:
    r"""Read a base with its accents, subscript and primes; `\mathrm d` before a symbol is a differential."""
    at = cursor.peek().at
    with cursor.nested():
        if not _accept_differential(cursor):
            return scripts(cursor, _head(cursor))
        if not starts_symbol(cursor.peek()):
            raise cursor.unexpected(r"a symbol after \mathrm d")
        inner = symbol(cursor)
    if inner.differential:
        raise TexError("a differential of a differential is not in the grammar", *inner.at)
    return replace(inner, at=at, differential=True)


def _accept_differential(cursor: Cursor) -> bool:
    if not cursor.at_sign(r"\mathrm"):
        return False
    texts = [cursor.peek(ahead).text for ahead in range(1, 4)]
    length = 2 if texts[0] == "d" else 4 if texts == ["{", "d", "}"] else 0
    for _ in range(length):
        cursor.next()
    return bool(length)


def _head(cursor: Cursor) -> Symbol:
    token = cursor.next()
    if token.text in ACCENTS and token.sort == "command":
        return _accented(cursor, token)
    if token.text in STYLES and token.sort == "command":
        return _styled(cursor, token)
    return Symbol(token.at, token.text)


def _accented(cursor: Cursor, accent: Token) -> Symbol:
    if cursor.accept("{"):
        if not starts_symbol(cursor.peek()):
            raise cursor.unexpected(f"a symbol under {accent.text}")
        inner = symbol(cursor)
        cursor.expect("}", f"(an accent stands over one symbol: {accent.text} x)")
    elif is_letter(cursor.peek()):
        token = cursor.next()
        inner = Symbol(token.at, token.text)
    else:
        raise cursor.unexpected(f"a letter or a brace after {accent.text}")
    return replace(inner, at=accent.at, marks=(*inner.marks, accent.text[1:]))


def _styled(cursor: Cursor, style: Token) -> Symbol:
    parts = []
    if cursor.accept("{"):
        while not cursor.at_sign("}") and cursor.peek().sort != "end":
            parts.append(cursor.next())
        cursor.expect("}")
    elif cursor.peek().sort == "number":
        parts.append(cursor.split_digit())
    elif cursor.peek().sort != "end":
        parts.append(cursor.next())
    return Symbol(style.at, _word(style, parts), _WORDS.get(style.text[1:], style.text[1:]))


def _word(style: Token, parts: list[Token]) -> str:
    """Join letters to a word: only upright ones, since bold `ab` would read as a product."""
    if parts and all(part.sort == "letter" for part in parts):
        if len(parts) == 1 or style.text[1:] in _WORDS:
            return "".join(part.text for part in parts)
    elif len(parts) == 1 and (is_letter(parts[0]) or parts[0].text in ("0", "1")):
        return parts[0].text
    raise TexError(rf"{style.text} takes one letter, 0 or 1 (\operatorname a word)", *style.at)


def scripts(cursor: Cursor, head: Symbol) -> Symbol:
    """Read the subscript and the primes that follow, in any order."""
    while cursor.at_sign("_", "'"):
        if cursor.accept("'"):
            head = replace(head, marks=(*head.marks, "prime"))
        elif head.subscript:
            raise TexError("two subscripts: separate indices by a comma, x_{k,l}", *cursor.peek().at)
        else:
            head = replace(head, subscript=_subscript(cursor))
    return head


def _subscript(cursor: Cursor) -> tuple[Node, ...]:
    cursor.expect("_")
    if not cursor.accept("{"):
        return (single(cursor),)
    items = [_item(cursor)]
    while cursor.accept(","):
        items.append(_item(cursor))
    cursor.expect("}", r"(a subscript is a label \text{...} or an index such as l+1)")
    return tuple(items)


def single(cursor: Cursor) -> Node:
    """Read a subscript or a limit without braces: one digit, one letter, one label."""
    token = cursor.peek()
    if token.sort == "number" and len(token.text) > 1:
        raise TexError(f"put {token.text} in braces", *token.at)
    if token.sort == "number" or is_letter(token):
        return _number_or_letter(cursor)
    if token.sort == "text" or cursor.at_sign(r"\min", r"\max"):
        return _item(cursor)
    raise cursor.unexpected("a digit, a letter or a brace")


def _number_or_letter(cursor: Cursor) -> Node:
    token = cursor.next()
    return Number(token.at, int(token.text)) if token.sort == "number" else Symbol(token.at, token.text)


def _item(cursor: Cursor) -> Node:
    token = cursor.peek()
    if token.sort == "text":
        if not (token.text.isalnum() and token.text.isascii()):
            raise TexError("a label is one word of letters and digits", *token.at)
        return Label(token.at, cursor.next().text)
    if cursor.at_sign(r"\min", r"\max"):
        return Label(token.at, cursor.next().text[1:])
    return index(cursor)


def index(cursor: Cursor) -> Node:
    r"""Read an index (whole numbers, symbols, `+`, `-`, a number times a symbol) or a word in `\mathrm`."""
    at = cursor.peek().at
    sign = -1 if cursor.accept("-") else 1
    terms = [(sign, _index_term(cursor))]
    while cursor.at_sign("+", "-"):
        sign = 1 if cursor.next().text == "+" else -1
        terms.append((sign, _index_term(cursor)))
    if starts_symbol(cursor.peek()) or cursor.peek().sort == "number":
        raise cursor.unexpected(r"an operator or a comma (a label is \text{...})")
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else Sum(at, tuple(terms))


def _index_term(cursor: Cursor) -> Node:
    token = cursor.peek()
    number: Number | None = None
    if token.sort == "number":
        if not token.text.isdigit():
            raise TexError("an index is a whole number", *token.at)
        number = Number(token.at, int(cursor.next().text))
    if not starts_symbol(cursor.peek()):
        if number is None:
            raise cursor.unexpected("an index")
        return number
    found = _index_symbol(cursor)
    return Product(token.at, (number, found)) if number else found


def _index_symbol(cursor: Cursor) -> Node:
    found = symbol(cursor)
    is_word = found.style == "operatorname" and not (found.subscript or found.marks or found.differential)
    return Label(found.at, found.base) if is_word else found


def derivative(cursor: Cursor) -> Derivative:
    r"""Read what follows `\frac` in `\frac{\partial y}{\partial x}`."""
    at = cursor.peek().at
    return Derivative(at, _partial(cursor), _partial(cursor))


def _partial(cursor: Cursor) -> Symbol:
    cursor.expect("{")
    cursor.expect(r"\partial", r"(a derivative is \frac{\partial y}{\partial x})")
    if not starts_symbol(cursor.peek()):
        raise cursor.unexpected(r"a symbol after \partial")
    found = symbol(cursor)
    cursor.expect("}", "(only first derivatives of one symbol by one symbol)")
    return found
