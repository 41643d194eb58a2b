"""The table of notation: which symbols the site uses, and what they are called in code.

One file serves the page that shows the table and the build that refuses a symbol outside it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tex_grammar import parse
from tex_names import base_tex, spelled, spelled_derivative
from tex_tree import Derivative, Node, Statement, Symbol, TexError, TexNameError, walk

_COLUMNS = ("tex", "code", "shape", "meaning")


@dataclass(frozen=True)
class Row:
    """One symbol: its TeX, its name in code, its shape or kind, and what it means in a sentence."""

    tex: str
    code: str
    shape: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """All rows, in the order of the file.

    Attributes
    ----------
    rows : tuple of Row
    bases : frozenset of str
        The base symbols of the rows, as `tex_names.base_tex` writes them.
    marks : frozenset of str
        The accents and primes that a row shows, and `d` if one shows a differential.
    """

    rows: tuple[Row, ...]
    bases: frozenset[str]
    marks: frozenset[str]

    def check(self, statement: Statement) -> None:
        """Refuse a symbol of `statement` that no row explains.

        Raises
        ------
        TexNameError
            For a base symbol, an accent or a differential that no row shows, where it stands.
        """
        for symbol in statement.symbols():
            if base_tex(symbol) not in self.bases:
                raise TexNameError(f"{base_tex(symbol)} is not in the table of notation", *symbol.at)
            for mark in _marks(symbol):
                if mark not in self.marks:
                    raise TexNameError(f"no row of the table of notation shows {mark}", *symbol.at)


def load(path: Path | str) -> Table:
    """Read the table and see that its columns agree.

    Parameters
    ----------
    path : path
        A TOML file with an array `symbol` of tables, each with `tex`, `code`, `shape` and `meaning`.

    Raises
    ------
    ValueError
        If a row lacks a column, is no symbol, gives a name to code that the evaluator does not look up,
        or gives one name to two symbols. The message names the row.
    """
    return _table(Path(path).read_text(encoding="utf-8"))


@cache
def _table(text: str) -> Table:
    entries = tomllib.loads(text).get("symbol", [])
    rows = tuple(_row(entry) for entry in entries)
    nodes = [_node(row) for row in rows]
    _refuse_twins(rows, nodes)
    symbols = [node for node in walk(tuple(nodes)) if isinstance(node, Symbol)]
    bases = frozenset(base_tex(node) for node in symbols)
    return Table(rows, bases, frozenset(mark for node in symbols for mark in _marks(node)))


def _row(entry: dict[str, object]) -> Row:
    if sorted(entry) != sorted(_COLUMNS) or not all(
        isinstance(text, str) and text for text in entry.values()
    ):
        raise ValueError(f"notation: a row has the columns {', '.join(_COLUMNS)}, not {entry}")
    return Row(**{column: str(entry[column]) for column in _COLUMNS})


def _node(row: Row) -> Symbol | Derivative:
    """Read the symbol of a row, and see that the code column is its name."""
    try:
        node: Node = parse(f"{row.tex} = 0").chains[0].first
    except TexError as error:
        raise ValueError(f"notation: {row.tex}: {error.message}") from error
    if not isinstance(node, Symbol | Derivative):
        raise ValueError(f"notation: {row.tex} is not one symbol")
    name = spelled(node, node.subscript) if isinstance(node, Symbol) else _derivative_name(node)
    if name != row.code:
        raise ValueError(f"notation: {row.tex} is {name} in code, not {row.code}")
    return node


def _derivative_name(node: Derivative) -> str | None:
    return spelled_derivative(node, node.bottom.subscript)


def _refuse_twins(rows: tuple[Row, ...], nodes: list[Symbol | Derivative]) -> None:
    seen: dict[str, tuple[Row, Node]] = {}
    for row, node in zip(rows, nodes, strict=True):
        if row.code in seen:
            raise ValueError(f"notation: {seen[row.code][0].tex} and {row.tex} are both {row.code} in code")
        seen[row.code] = (row, node)


def _marks(symbol: Symbol) -> tuple[str, ...]:
    return (*symbol.marks, "d") if symbol.differential else symbol.marks
