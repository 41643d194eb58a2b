r"""Read a restricted TeX equation into a tree that can be evaluated; refuse what is not known.

The grammar, after layout has been dropped (`tex_tokens` says what counts as layout)::

    statement  = row { "\\" row } [ ranges ]        rows may stand in \begin{aligned} ... \end{aligned}
    row        = chain                              a row of its own
               | relation expression { ... }        goes on with the chain above
               | ("+" | "-" | "\odot" | "\cdot") ...  goes on with the expression above
    chain      = expression relation expression { relation expression }
    relation   = "=" | "<" | ">" | "\le" | "\ge"
    ranges     = ("," | "\text{for}") range { "," range }
    range      = letter "=" index "," [ index "," ] "\dots" "," index

    expression = [ "-" ] term { ("+" | "-") term }
    term       = dotted { "\odot" dotted }
    dotted     = quotient { "\cdot" quotient }
    quotient   = product [ "/" factor ]
    product    = factor { factor }
    factor     = atom [ "^" ( "\top" | digit | letter | "{" [ "\odot" ] expression "}" ) ]
    atom       = number | symbol | "(" expression { "," expression } ")"
               | "[" expression relation expression "]"
               | "\frac" argument argument | "\frac{\partial" symbol "}{\partial" symbol "}"
               | "\binom" argument argument
               | "\sqrt" argument | ("\sum" | "\prod") limits term
               | "\lVert" expression "\rVert" [ "_2" ] | "\lvert" expression "\rvert"
               | "\langle" expression "," expression "\rangle"
               | function "(" expression { "," expression } ")" | function factor
               | "\begin{pmatrix}" cells { "\\" cells } "\end{pmatrix}"
    argument   = digit | letter | "{" expression "}"
    function   = "\exp" | "\log" | "\max" | ... | "\operatorname{diag}" | "\operatorname{tr}"
    cells      = expression { "&" expression }
    limits     = "_{" letter "=" index "}" "^" index | "_{" range "}"

    symbol     = [ "\mathrm d" ] base { "'" | "_" subscript }
    base       = letter | accent ( letter | "{" symbol "}" ) | alphabet letter | "\operatorname{" word "}"
    subscript  = digit | letter | label | "{" item { "," item } "}",  item = label | index
    label      = "\text{" word "}" | "\min" | "\max"
    index      = [ "-" ] step { ("+" | "-") step },  step = integer | [ integer ] symbol

Whether `f(x)` is a product or an application is not decided here: it depends on what `f` is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tex_cursor import Cursor
from tex_names import base_name, base_tex
from tex_ranges import listed_range
from tex_signs import ALIGNED, RELATIONS
from tex_terms import expression
from tex_tokens import Token, tokenize
from tex_tree import Chain, Position, Range, Statement, Symbol, TexError, TexNameError, TexShapeError

__all__ = ["Statement", "TexError", "TexNameError", "TexShapeError", "parse"]

_OPENS = {"(", "[", "{", r"\lVert", r"\lvert", r"\langle"}
_SHUTS = {")", "]", "}", r"\rVert", r"\rvert", r"\rangle"}
_FOR = ("for", "for all", "for each", "for every", "with", "where")


def parse(tex: str) -> Statement:
    r"""Read what an equation states.

    Parameters
    ----------
    tex : str
        The equation as it is typeset, without `$` or a directive around it.

    Returns
    -------
    Statement
        Its chains and quantifiers; no value has been looked at.

    Raises
    ------
    TexError
        At the first sign that does not fit the grammar, with line and column within `tex`.
    """
    try:
        statement = _statement(tokenize(tex))
    except RecursionError:
        raise TexError("nested too deeply", 1, 1) from None
    _refuse_twins(statement.symbols())
    return statement


def _statement(tokens: list[Token]) -> Statement:
    rows = _joined([row for row in _rows(_outside_aligned(tokens)) if row])
    if not rows:
        raise TexError("nothing is stated here", 1, 1)
    chains: list[Chain] = []
    ranges: tuple[Range, ...] = ()
    for row in rows:
        if ranges:
            raise TexError("a range stands at the end of the whole statement", *ranges[0].at)
        chain, ranges = _row(row)
        chains.append(chain)
    return Statement(chains[0].at, tuple(chains), ranges)


def _outside_aligned(tokens: list[Token]) -> list[Token]:
    """Take off an `aligned` around the rows; what follows it ends the last row."""
    if tokens and _is_aligned(tokens[0], "begin"):
        closing = tokens[0].text.replace("begin", "end")
        ends = [place for place, token in enumerate(tokens) if token.text == closing]
        if not ends:
            raise TexError(f"{tokens[0].text} is never closed", *tokens[0].at)
        tokens = _without_end(tokens[1 : ends[0]]) + tokens[ends[0] + 1 :]
    for token in tokens:
        if _is_aligned(token, "begin") or _is_aligned(token, "end"):
            raise TexError(f"{token.text} must stand around the whole statement, once", *token.at)
    return tokens


def _is_aligned(token: Token, edge: str) -> bool:
    return token.sort == "environment" and token.text in [rf"\{edge}{{{name}}}" for name in ALIGNED]


def _rows(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Split at the row breaks outside braces and matrices, and drop the marks of alignment."""
    depth, row = 0, list[Token]()
    for token in tokens:
        if token.sort == "environment":
            depth += 1 if token.text.startswith(r"\begin") else -1
        elif token.sort == "sign":
            depth += {"{": 1, "}": -1}.get(token.text, 0)
        if depth == 0 and token.sort == "row":
            yield _without_end(row)
            row = []
        elif depth or token.text != "&":
            row.append(token)
    yield _without_end(row)


def _without_end(row: list[Token]) -> list[Token]:
    """Drop row breaks and one mark of punctuation at the end."""
    while row and row[-1].sort == "row":
        row = row[:-1]
    return row[:-1] if row and row[-1].sort == "sign" and row[-1].text in ".," else row


def _joined(rows: list[list[Token]]) -> list[list[Token]]:
    """Put each row that goes on with the one above behind it."""
    whole: list[list[Token]] = []
    for row in rows:
        first = row[0]
        if whole and first.text == "-" and _has_relation(row):
            raise TexError("is this minus the end of the row above? begin the next row with =", *first.at)
        if whole and first.text in (*RELATIONS, "+", "-", r"\odot", r"\cdot") and first.sort != "text":
            whole[-1] = whole[-1] + row
        else:
            whole.append(row)
    return whole


def _has_relation(row: list[Token]) -> bool:
    """Whether the row has a relation of its own, outside brackets and before the first comma."""
    depth = 0
    for token in row:
        depth += (token.text in _OPENS) - (token.text in _SHUTS)
        if depth == 0 and token.sort != "text":
            if token.text == ",":
                return False
            if token.text in RELATIONS:
                return True
    return False


def _row(row: list[Token]) -> tuple[Chain, tuple[Range, ...]]:
    line, column = row[-1].at
    cursor = Cursor(row, Position(line, column + len(row[-1].text)))
    chain = _chain(cursor)
    ranges = tuple(_ranges(cursor))
    if cursor.peek().sort != "end":
        raise cursor.unexpected("the end of the row")
    return chain, ranges


def _chain(cursor: Cursor) -> Chain:
    if cursor.at_sign(*RELATIONS):
        raise TexError("the first row needs a left side", *cursor.peek().at)
    first = expression(cursor)
    links = []
    while cursor.at_sign(*RELATIONS):
        relation = RELATIONS[cursor.next().text]
        links.append((relation, expression(cursor)))
    if not links:
        raise cursor.unexpected(r"a relation: = < > \le \ge")
    return Chain(first.at, first, tuple(links))


def _ranges(cursor: Cursor) -> Iterator[Range]:
    while cursor.at_sign(",") or cursor.peek().sort == "text":
        cursor.accept(",")
        if cursor.peek().sort == "text":
            if cursor.peek().text not in _FOR:
                raise TexError(
                    r"words stand under a brace, as a subscript, or as \text{for} before a range; "
                    "each statement has its own row",
                    *cursor.peek().at,
                )
            cursor.next()
        yield listed_range(cursor)


def _refuse_twins(symbols: Iterable[Symbol]) -> None:
    r"""Refuse two symbols that code cannot tell apart, such as `L` and `\mathcal L`."""
    seen: dict[str, Symbol] = {}
    for symbol in symbols:
        twin = seen.setdefault(base_name(symbol), symbol)
        if (base_tex(twin), twin.differential) != (base_tex(symbol), symbol.differential):
            raise TexError(
                f"{base_tex(symbol)} and {base_tex(twin)} are both {base_name(symbol)} in code", *symbol.at
            )
