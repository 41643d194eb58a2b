"""Hash all that a piece of Python runs, found without running it.

`page_key` changes when, and only when, something changes that the code of a page runs: the code itself, a
module below the given roots that it imports, directly or not, a file that one of them reads, the version of a
library. Comments, docstrings and imports for type checkers alone do not count, nor does any date.

It relies on this: cells are plain Python (no IPython magic), modules are imported by names that stand in the
code, and files read by the name of a file in the module's folder or one above it, or of a folder beside it,
which counts as a whole. The first two are refused with a `CodeError` where they do not hold.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from code_closure import Closure, page_code
from code_uses import Code, CodeError


class _Files:
    """Finds the files that code names, in a folder or one above it; looks into each folder once."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.listed: dict[Path, frozenset[str]] = {}

    def named(self, code: Code, folder: Path, *, whole: bool) -> Iterator[Path]:
        """Find the files that strings in the code name; `whole`: and all in a folder that one names."""
        above = [folder, *(parent for parent in folder.parents if parent.is_relative_to(self.top))]
        for name in filter(_is_path, code.strings):
            places = [base / name for base in above if self._may_hold(base, name)]
            if whole and places and places[0].parent == folder and places[0].is_dir():
                yield from (path for path in places[0].rglob("*") if _is_data(path))
            yield from (place for place in places if place.is_file())

    def _may_hold(self, folder: Path, name: str) -> bool:
        if folder not in self.listed:
            self.listed[folder] = (
                frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
            )
        first = name.partition("/")[0]
        return first in self.listed[folder] or first == ".."


def _is_path(name: str) -> bool:
    plain = 0 < len(name) < 200 and not name.startswith("/") and not set("\n\0<>{}\\") & set(name)
    return plain and name.strip("./") != ""


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc")


def page_key(
    cells: Sequence[str],
    *,
    roots: Iterable[Path],
    top: Path,
    folder: Path,
    extra: Iterable[str] = (),
    strict: bool = True,
) -> str:
    """Hash all that the cells of a page run.

    Parameters
    ----------
    cells : sequence of str
        The page's code. Doctest lines in its strings count as code.
    roots : iterable of Path
        The folders that modules are looked for in, in this order; of a library, only the version counts.
    top : Path
        The project's folder: paths count as they stand below it, so that another clone has the same key.
    folder : Path
        Where the page's code is run: files that it names lie there or above.
    extra : iterable of str
        Whatever else the outcome depends on: the content of a lock file, settings of the kernel.
    strict : bool
        Whether to refuse a module that is imported by a computed name instead of leaving it out.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    CodeError
        Code is not plain Python, or (`strict`) imports a module by a name that is computed.
    """
    page = [code for number, cell in enumerate(cells, 1) for code in page_code(cell, f"cell {number}")]
    ran = Closure(roots).follow(page)
    everything = [*page, *ran.modules.values()]
    if strict and (refused := sorted(filter(None, (code.computed for code in everything)))):
        raise CodeError(f"{refused[0]}: the name of an imported module is computed")
    as_text = any(code.reads_code for code in everything)
    find = _Files(top).named
    files = {path for code in page for path in find(code, folder, whole=False)}
    for path, code in ran.modules.items():
        files.update(find(code, path.parent, whole=True))
    return digest(
        sys.version,
        *extra,
        *cells,
        *(
            f"{_below(path, top)} {code.text if as_text else code.tree}"
            for path, code in sorted(ran.modules.items())
        ),
        *(f"{module}.{name} is {home}" for module, name, home in sorted(ran.lazy)),
        *(f"{_below(path, top)} {digest_of(path)}" for path in sorted(files)),
        *(f"{library} {_version(library)}" for library in sorted(ran.libraries)),
    )


def _below(path: Path, top: Path) -> str:
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else path.name


@lru_cache(maxsize=1024)
def _version(library: str) -> str:
    if library in sys.stdlib_module_names:
        return ""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def digest(*parts: str) -> str:
    """Hash some texts in this order; where one ends and the next begins counts."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        whole.update(f"{len(content)}:".encode() + content)
    return whole.hexdigest()


def digest_of(path: Path) -> str:
    """Hash the content of a file; of one that is not there, nothing."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
