"""What one piece of Python is and names, read from its syntax tree without running it.

Comments, docstrings and blocks for type checkers do not run, so they do not count. IPython magic is refused
with a `CodeError`: of such code it cannot be said what it runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

#: Code that names one of these reads the text of code, so that comments and docstrings count as well.
_READS_CODE = frozenset({"__doc__", "getcomments", "getdoc", "getsource", "getsourcelines", "help", "pydoc"})
#: What an import takes from a module: a name, all of it, or nothing (the module only runs).
ALL, NOTHING = "*", ""


class CodeError(ValueError):
    """Code of which it cannot be said what it runs."""


@dataclass(frozen=True)
class Code:
    """One piece of code: its text, its tree without what does not run, and what it names."""

    text: str
    tree: str  # its syntax tree without what does not run
    imports: frozenset[tuple[str, str]]  # (module, what is taken from it)
    strings: frozenset[str]
    reads_code: bool
    lazy: tuple[tuple[str, str], ...]  # (name, module) that its __getattr__ imports when asked (PEP 562)
    computed: str  # where it imports a module by a name that is computed, if it does


class _Stripper(ast.NodeTransformer):
    """Takes away what does not run: docstrings, blocks for type checkers, the table of lazy names."""

    def __init__(self) -> None:
        self.lazy: dict[str, str] = {}

    def visit_Module(self, node: ast.Module) -> ast.AST:
        if any(isinstance(part, ast.FunctionDef) and part.name == "__getattr__" for part in node.body):
            for part in node.body:
                self._take_table(part)
        return self._without_docstring(node)

    def _take_table(self, node: ast.stmt) -> None:
        if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)):
            return
        pairs = [(_text(k), _text(v)) for k, v in zip(node.value.keys, node.value.values, strict=True)]
        table = {name: module.partition(":")[0] for name, module in pairs if name and module}
        if table and len(table) == len(pairs):
            self.lazy.update(table)
            node.value = ast.Dict([], [])

    def visit_If(self, node: ast.If) -> ast.AST:
        named = node.test.attr if isinstance(node.test, ast.Attribute) else getattr(node.test, "id", "")
        if named == "TYPE_CHECKING":
            node.body = []
        return self.generic_visit(node)

    def _without_docstring(
        self, node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> ast.AST:
        if node.body and isinstance(node.body[0], ast.Expr) and _text(node.body[0].value) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _without_docstring


def _text(node: ast.AST | None) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def read(text: str, package: str, where: str) -> Code:
    """Read code that stands in a module of `package`; remembered by its text, so no change is missed."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise CodeError(f"{where}:{error.lineno}: not plain Python: {error.msg}") from None
    stripper = _Stripper()
    tree = stripper.visit(tree)
    nodes = list(ast.walk(tree))
    named = {getattr(node, "id", getattr(node, "attr", getattr(node, "name", ""))) for node in nodes}
    computed = "" if stripper.lazy else next((f"{where}:{line}" for line in _computed(nodes)), "")
    return Code(
        text=text,
        tree=ast.dump(tree),
        imports=frozenset(_imports(nodes, package)),
        strings=frozenset(filter(None, map(_text, nodes))),
        reads_code=not _READS_CODE.isdisjoint(named),
        lazy=tuple(sorted(stripper.lazy.items())),
        computed=computed,
    )


def _imports(nodes: list[ast.AST], package: str) -> Iterator[tuple[str, str]]:
    """Find what the nodes import, by names that stand in them."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ALL
                if alias.asname is None:  # `import a.b` binds a, all of it
                    yield alias.name.partition(".")[0], ALL
        elif isinstance(node, ast.ImportFrom):
            yield from ((_absolute(node, package), alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import(node) and (module := _text(_first(node))):
            yield module, ALL


def _computed(nodes: list[ast.AST]) -> Iterator[int]:
    """Find the lines that import by a name that does not stand there."""
    for node in nodes:
        if isinstance(node, ast.Call) and _is_import(node) and _text(_first(node)) is None:
            yield node.lineno


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join(filter(None, [*parts[: len(parts) - node.level + 1], node.module]))


def _is_import(node: ast.Call) -> bool:
    return getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__")


def _first(node: ast.Call) -> ast.expr | None:
    return node.args[0] if node.args else None
