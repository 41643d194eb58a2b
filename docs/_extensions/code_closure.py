"""Follow imports: all modules below some roots that a piece of code runs, found without running it."""

from __future__ import annotations

import doctest
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from code_uses import ALL, NOTHING, Code, CodeError, read


def page_code(source: str, where: str) -> Iterator[Code]:
    """Code of a page: one cell, and the doctest lines that it hands on as text."""
    cell = read(source, "", where)
    yield cell
    for string in sorted(text for text in cell.strings if ">>> " in text):
        try:
            examples = doctest.DocTestParser().get_examples(string)
            yield read("".join(example.source for example in examples), "", where)
        except (ValueError, CodeError):  # whoever runs it says so better
            continue


class Closure:
    """All that some code runs, as far as it lies below the roots."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(roots)
        self.modules: dict[Path, Code] = {}
        self.found: dict[str, Path | None] = {}
        self.libraries: set[str] = set()
        self.lazy: set[tuple[str, str, str]] = set()

    def find(self, module: str) -> Path | None:
        """Find the file of a module or, for a package without ``__init__``, its folder."""
        if module not in self.found:
            self.found[module] = self._search(module)
        return self.found[module]

    def _search(self, module: str) -> Path | None:
        bases = [root.joinpath(*module.split(".")) for root in self.roots]
        files = (path for base in bases for path in (base / "__init__.py", base.with_name(base.name + ".py")))
        folders = (base for base in bases if base.is_dir())
        return next(chain((path for path in files if path.is_file()), folders), None)

    def follow(self, code: Iterable[Code]) -> Closure:
        """Add all that some code imports, directly or not."""
        todo = [taken for piece in code for taken in piece.imports]
        seen: set[tuple[str, str]] = set()
        while todo:
            taken = todo.pop()
            if taken not in seen and taken[0]:
                seen.add(taken)
                todo += self._step(*taken)
        return self

    def _step(self, module: str, name: str) -> Iterator[tuple[str, str]]:
        """Take one import and yield those that it leads to."""
        parent = module.rpartition(".")[0]
        if parent:
            yield parent, NOTHING
        path = self.find(module)
        if path is None:
            self.libraries.add(module.partition(".")[0])
            return
        if name not in (ALL, NOTHING) and self.find(f"{module}.{name}"):
            yield f"{module}.{name}", NOTHING
        if path.suffix == ".py":
            yield from self._run(path, module)
            yield from self._ask(self.modules[path], module, name)

    def _run(self, path: Path, module: str) -> Iterator[tuple[str, str]]:
        if path not in self.modules:
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            self.modules[path] = read(path.read_text("utf-8"), package, str(path))
            yield from self.modules[path].imports

    def _ask(self, code: Code, module: str, name: str) -> Iterator[tuple[str, str]]:
        for lazy, home in code.lazy:
            if name in (lazy, ALL):
                self.lazy.add((module, lazy, home))
                yield home, lazy
