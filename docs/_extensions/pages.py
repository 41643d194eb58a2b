"""Run a page outside Sphinx: its cells and checks in one namespace, as its kernel would run them."""

from __future__ import annotations

import ast
from contextlib import chdir
from pathlib import Path
from typing import Any

from checking import Record
from reader import notebook_of

DOCS = Path(__file__).parents[1]


def pages(docs: Path = DOCS) -> list[Path]:
    """All pages of the site, in a fixed order."""
    return sorted(path for path in docs.rglob("*.md") if not path.relative_to(docs).parts[0].startswith("_"))


def run_page(path: Path) -> list[Record]:
    """Execute all cells of a page, in its folder as a kernel does; the records of its checks, in order."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells = _code_cells(path)
    with chdir(path.parent):  # a page reads files by names that count from there
        values = [_run_cell(cell.source, namespace, path) for cell in cells]
    return [value for value in values if isinstance(value, Record)]


def _code_cells(path: Path) -> list[Any]:
    return [cell for cell in notebook_of(path.read_text("utf-8")).cells if cell.cell_type == "code"]


def _run_cell(source: str, namespace: dict[str, Any], path: Path) -> Any:
    """Execute a cell and return the value of its last line if that is an expression."""
    tree = ast.parse(source, str(path))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(path), "exec"), namespace)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), str(path), "eval"), namespace)
