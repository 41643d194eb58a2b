"""Read expressions: sums, products, powers, fractions, functions, matrices."""

from __future__ import annotations

from tex_brackets import BRACKETS, arguments
from tex_cursor import Cursor
from tex_ranges import limits
from tex_signs import BIG, BINOMIALS, DOTS, FRACTIONS, FUNCTIONS
from tex_symbols import derivative, is_letter, scripts, starts_symbol, symbol
from tex_tokens import Token
from tex_tree import (
    Big,
    Dot,
    Function,
    Group,
    Node,
    Number,
    Odot,
    Product,
    Quotient,
    Raised,
    Sum,
    Symbol,
    TexError,
)

_WORD_FUNCTIONS = ("diag", "tr")
_AT_LEAST = {"max": 2, "min": 2}
_STARTS = BRACKETS.keys() | BIG | FUNCTIONS | FRACTIONS | BINOMIALS | {r"\sqrt"}


def expression(cursor: Cursor) -> Node:
    """Read terms joined by `+` and `-`; the first may have a minus."""
    at = cursor.peek().at
    with cursor.nested():
        sign = -1 if cursor.accept("-") else 1
        terms = [(sign, term(cursor))]
        while cursor.at_sign("+", "-"):
            sign = 1 if cursor.next().text == "+" else -1
            terms.append((sign, term(cursor)))
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else Sum(at, tuple(terms))


def term(cursor: Cursor) -> Node:
    r"""Read products joined by `\odot`, which binds less tightly than juxtaposition."""
    at = cursor.peek().at
    parts = [_dotted(cursor)]
    while cursor.accept(r"\odot"):
        parts.append(_dotted(cursor))
    return parts[0] if len(parts) == 1 else Odot(at, tuple(parts))


def _dotted(cursor: Cursor) -> Node:
    at = cursor.peek().at
    parts = [_quotient(cursor)]
    while cursor.accept(r"\cdot"):
        parts.append(_quotient(cursor))
    return parts[0] if len(parts) == 1 else Dot(at, tuple(parts))


def _quotient(cursor: Cursor) -> Node:
    top = _product(cursor)
    if not cursor.accept("/"):
        return top
    bottom = _factor(cursor)
    if _starts_factor(cursor.peek()) or cursor.at_sign("/", r"\cdot"):
        raise TexError(r"ambiguous after a / b: write \frac{a}{b} or parentheses", *cursor.peek().at)
    return Quotient(top.at, top, bottom, slash=True)


def _product(cursor: Cursor) -> Node:
    at = cursor.peek().at
    factors = [_factor(cursor)]
    while _starts_factor(cursor.peek()):
        factor = _factor(cursor)
        _refuse_number_after(factors[-1], factor)
        factors.append(factor)
    if cursor.at_sign("{"):
        raise TexError("braces alone group nothing that a reader sees: write parentheses", *cursor.peek().at)
    return factors[0] if len(factors) == 1 else Product(at, tuple(factors))


def _refuse_number_after(before: Node, factor: Node) -> None:
    if isinstance(factor.base if isinstance(factor, Raised) else factor, Number):
        raise TexError(r"a number stands before the other factors, or after \cdot", *factor.at)
    if isinstance(before, Number) and isinstance(factor, Quotient) and isinstance(factor.top, Number):
        raise TexError(r"a number before a fraction may be read as their sum: write \cdot", *factor.at)


def _starts_factor(token: Token) -> bool:
    if token.sort in ("text", "end"):
        return False
    return token.sort == "number" or starts_symbol(token) or token.text in _STARTS


def _factor(cursor: Cursor) -> Node:
    r"""Read an atom and its superscript; a subscript may follow the superscript, as in `W^\top_1`."""
    with cursor.nested():
        base = _atom(cursor)
        if not cursor.accept("^"):
            return _without_scripts(cursor, base)
        kind, exponent = _superscript(cursor)
    if isinstance(base, Symbol) and cursor.at_sign("_"):
        base = scripts(cursor, base)
    if cursor.at_sign("^", "_", "'"):
        raise TexError(f"{cursor.peek().text} after a superscript: write parentheses", *cursor.peek().at)
    return Raised(base.at, base, kind, exponent)


def _without_scripts(cursor: Cursor, base: Node) -> Node:
    if cursor.at_sign("_", "'"):
        raise TexError(f"{cursor.peek().text} belongs to a symbol", *cursor.peek().at)
    return base


def _superscript(cursor: Cursor) -> tuple[str, Node | None]:
    token = cursor.peek()
    if cursor.accept(r"\top"):
        return "top", None
    if cursor.accept("{"):
        kind, exponent = _in_braces(cursor)
        cursor.expect("}", "(end of the superscript)")
    elif token.sort == "number" and len(token.text) > 1:
        raise TexError(f"put {token.text} in braces", *token.at)
    else:
        kind, exponent = "power", _one_token(cursor)
    if exponent == Symbol(token.at, "T"):
        raise TexError(r"^T is not the transpose: write ^\top", *token.at)
    return kind, exponent


def _in_braces(cursor: Cursor) -> tuple[str, Node | None]:
    if cursor.accept(r"\top"):
        return "top", None
    if cursor.accept(r"\odot"):
        return "odot", expression(cursor)
    exponent = expression(cursor)
    if isinstance(exponent, Group):
        raise TexError("a superscript in parentheses is a label: write it as a subscript", *exponent.at)
    return "power", exponent


def _one_token(cursor: Cursor) -> Node:
    token = cursor.peek()
    if token.sort == "number":
        return _number(cursor.split_digit())
    if is_letter(token):
        return Symbol(token.at, cursor.next().text)
    raise cursor.unexpected("a digit, a letter or a brace")


def _number(token: Token) -> Number:
    return Number(token.at, float(token.text) if "." in token.text else int(token.text))


def _atom(cursor: Cursor) -> Node:
    token = cursor.peek()
    if token.sort == "number":
        return _number(cursor.next())
    if starts_symbol(token):
        return _symbol_or_function(cursor)
    if token.sort in ("text", "end"):
        raise _no_factor(cursor)
    if token.text in BRACKETS:
        return BRACKETS[token.text](cursor, cursor.next(), expression)
    if token.text in _READERS:
        return _READERS[token.text](cursor, cursor.next())
    raise _no_factor(cursor)


def _no_factor(cursor: Cursor) -> TexError:
    token = cursor.peek()
    if token.sort == "text":
        message = r"words stand under a brace, as a subscript, or as \text{for} before a range"
    elif token.text in DOTS:
        message = r"\dots stand only in a range: an equation with them states its check with agree(...)"
    elif token.text == r"\partial":
        message = r"write a derivative as \frac{\partial y}{\partial x}"
    elif token.text in ("+", "-"):
        message = "two signs in a row: write parentheses"
    else:
        return cursor.unexpected("a symbol, a number or a bracket")
    return TexError(message, *token.at)


def _symbol_or_function(cursor: Cursor) -> Node:
    found = symbol(cursor)
    if found == Symbol(found.at, found.base, "operatorname") and found.base in _WORD_FUNCTIONS:
        return _called(cursor, found.base, found)
    return found


def _function(cursor: Cursor, name: Token) -> Node:
    if cursor.at_sign("_", "^", "'"):
        raise TexError(f"{name.text} takes no {cursor.peek().text}: write parentheses", *cursor.peek().at)
    return _called(cursor, name.text[1:], name)


def _called(cursor: Cursor, name: str, start: Token | Symbol) -> Node:
    given = arguments(cursor, expression) if cursor.accept("(") else (_bare_argument(cursor, name),)
    least = _AT_LEAST.get(name, 1)
    if len(given) < least or (least == 1 and len(given) > 1):
        raise TexError(f"{name} takes {'two or more arguments' if least > 1 else 'one argument'}", *start.at)
    return Function(start.at, name, given)


def _bare_argument(cursor: Cursor, name: str) -> Node:
    argument = _factor(cursor)
    if _starts_factor(cursor.peek()) or cursor.at_sign(r"\odot", r"\cdot", "/"):
        raise TexError(f"where does the argument of {name} end? write parentheses", *cursor.peek().at)
    return argument


def _fraction(cursor: Cursor, sign: Token) -> Node:
    if cursor.at_sign("{") and cursor.peek(1).text == r"\partial":
        return derivative(cursor)
    top = _argument(cursor)
    return Quotient(sign.at, top, _argument(cursor))


def _binomial(cursor: Cursor, sign: Token) -> Node:
    return Function(sign.at, "binom", (_argument(cursor), _argument(cursor)))


def _argument(cursor: Cursor) -> Node:
    if not cursor.accept("{"):
        return _one_token(cursor)
    found = expression(cursor)
    cursor.expect("}")
    return found


def _root(cursor: Cursor, sign: Token) -> Node:
    if cursor.at_sign("["):
        raise TexError("only square roots are in the grammar", *cursor.peek().at)
    return Function(sign.at, "sqrt", (_argument(cursor),))


def _big(cursor: Cursor, sign: Token) -> Node:
    span = limits(cursor, sign)
    return Big(sign.at, sign.text[1:], span, term(cursor))


_READERS = (
    dict.fromkeys(FUNCTIONS, _function)
    | dict.fromkeys(FRACTIONS, _fraction)
    | dict.fromkeys(BINOMIALS, _binomial)
    | dict.fromkeys(BIG, _big)
    | {r"\sqrt": _root}
)
