"""Beside each page the same page as Markdown, as a notebook and as a plain script.

A check becomes a cell of plain code: its examples as assertions, its equation and near misses as comments. So a
notebook needs the library and its laboratory, nothing of the site. Cells have ids made from what they hold.
"""

from __future__ import annotations

import doctest
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from addresses import address
from check_domain import domain_of, equation_number
from folds import parents
from markdown_export import markdown, plain_tex
from pictures import figure_number
from reader import notebook_of

_GLUE = "from myst_nb import glue"
_SETUP = '''# Installs the project where it is missing.
try:
    import matplotlib

    import resgrad
except ImportError:
    %pip install --quiet {requirement}


def glue(name, value, display=True):
    """Print a number that stands in the page's text."""
    print(f"{{name}} = {{value}}")'''


def export_page(
    app: Sphinx, docname: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the forms of a page when the page itself is written."""
    if doctree is None or app.builder.name != "html":
        return
    path = Path(app.outdir, docname)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(
        path.with_suffix(".md"),
        markdown(doctree, partial(_to_markdown, app, docname), partial(_number, app.env)),
    )
    if _cells_of(app.env, docname):
        cells = list(_cells(app, docname, doctree))
        _write(path.with_suffix(".ipynb"), json.dumps(_notebook(cells), indent=1, ensure_ascii=False) + "\n")
        _write(path.with_suffix(".py"), _script(cells))


def has_code(env: BuildEnvironment, docname: str) -> bool:
    """Say whether a page has a notebook."""
    return bool(_cells_of(env, docname))


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _to_markdown(app: Sphinx, docname: str, text: str, uri: str) -> str:
    """A link, to the Markdown of another page where it has one."""
    page, mark, anchor = uri.partition("#")
    target = os.path.normpath(Path(docname).parent / page).removesuffix(".html")
    if target in app.env.found_docs:
        page = page.removesuffix(".html") + ".md"
    return f"[{text}]({page}{mark}{anchor})"


def _number(env: BuildEnvironment, label: str) -> str:
    """The number of an equation or a figure."""
    return figure_number(env, label) if label.startswith("fig-") else equation_number(env, label)


def _cells_of(env: BuildEnvironment, docname: str) -> dict[int, str]:
    """The code of a page, by the index of its cell; none where nothing is run."""
    path = Path(env.doc2path(docname))
    return dict(_code_cells(path.read_text("utf-8"))) if path.suffix == ".md" else {}


@lru_cache(maxsize=4)
def _code_cells(text: str) -> tuple[tuple[int, str], ...]:
    cells = enumerate(notebook_of(text).cells)
    return tuple((index, cell.source) for index, cell in cells if cell.cell_type == "code")


# A cell: (is it code, its source, a name for its id).
Cell = tuple[bool, str, str]


def _cells(app: Sphinx, docname: str, doctree: nodes.document) -> Iterator[Cell]:
    """The text and the code of a page in its order; hidden code comes before the next that is shown."""
    waiting, link = _cells_of(app.env, docname), _linker(app, docname)
    yield True, _SETUP.format(requirement=_requirement(app, docname)), "setup"
    for part in _parts(doctree):
        index = part.get("cell_index") if isinstance(part, nodes.Element) else None
        if index is None:
            yield False, markdown(part, link, partial(_number, app.env)), "text"
            continue
        for hidden in [number for number in waiting if number <= index]:
            yield _code(app, waiting.pop(hidden))
    yield from (_code(app, source) for source in waiting.values())


def _parts(node: nodes.Element) -> Iterator[nodes.Node]:
    """The headings, blocks and cells of a page, outside of their sections."""
    for child in node.children:
        if isinstance(child, nodes.section):
            yield from _parts(child)
        elif isinstance(child, nodes.title):
            depth = sum(isinstance(parent, nodes.section) for parent in parents(child))
            yield nodes.paragraph("", nodes.Text(f"{'#' * depth} {child.astext()}"))
        else:
            yield child


def _code(app: Sphinx, source: str) -> Cell:
    if source.startswith("from checking import check\n"):
        label = re.search(r"check\('([\w-]+)'", source)
        assert label is not None
        return True, check_as_code(app.env, label[1]), f"check-{label[1]}"
    lines = [line for line in source.splitlines() if line.strip() != _GLUE]
    return True, "\n".join(lines).strip(), "code"


def check_as_code(env: BuildEnvironment, label: str) -> str:
    """A check as plain code: the equation and its near misses as comments, the examples as assertions."""
    domain = domain_of(env)
    record, display = domain.records[label], domain.displays[label]
    lines = [f"Equation {equation_number(env, label)} ({label}): {record['sentence']}", display["tex"]]
    for miss in record["near"]:
        off = "its shapes do not fit" if miss["off"] is None else f"off by {miss['off']:.2g}"
        lines.append(f"  not {miss['tex']}   {off}" + (f"; {miss['remark']}" if miss["remark"] else ""))
    comments = [f"# {line}".rstrip() for part in lines for line in plain_tex(part).splitlines()]
    return "\n".join([*comments, *_assertions(record["code"])])


def _assertions(code: str) -> Iterator[str]:
    """Doctest lines as statements: what must be True is asserted, other results are printed."""
    for example in doctest.DocTestParser().get_examples(code + "\n"):
        source, want = example.source.strip(), example.want.strip()
        if want in ("True", "False"):
            yield f"assert {source}" if want == "True" else f"assert not {source}"
        elif want:
            yield f"print({source})  # {' '.join(want.split())}"
        else:
            yield source


def _requirement(app: Sphinx, docname: str) -> str:
    """What pip installs: the released project, or the checkout that the site was built in."""
    if repository := address(app.config, "repository"):
        return f'"resgrad[lab] @ git+{repository}@v{app.config.release}"'
    place = os.path.relpath(app.confdir, Path(app.outdir, docname).parent)
    return f'-e "{place}[lab]"'


def _linker(app: Sphinx, docname: str) -> Any:
    """Links of a notebook: whole addresses where the site has one, else their text."""
    site = address(app.config, "site")

    def link(text: str, target: str) -> str:
        if "://" in target:
            return f"[{text}]({target})"
        folder = Path(docname).parent.as_posix()
        place = os.path.normpath(f"{folder}/{target}") if target[:1] != "#" else f"{docname}.html{target}"
        return f"[{text}]({site}/{place})" if site else text

    return link


def _merged(cells: Iterable[Cell]) -> Iterator[Cell]:
    """Neighbouring blocks of text as one cell."""
    text: list[str] = []
    for is_code, source, name in cells:
        if not is_code:
            text.append(source.strip())
            continue
        if any(text):
            yield False, "\n\n".join(filter(None, text)), "text"
        text = []
        if source.strip():
            yield True, source, name
    if any(text):
        yield False, "\n\n".join(filter(None, text)), "text"


def _notebook(cells: Iterable[Cell]) -> dict[str, Any]:
    taken: set[str] = set()
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    shown = [_cell(is_code, source, _id(source, name, taken)) for is_code, source, name in _merged(cells)]
    return {"cells": shown, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _cell(is_code: bool, source: str, identity: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"id": identity, "metadata": {}, "source": source.splitlines(keepends=True)}
    if is_code:
        return {"cell_type": "code", **cell, "execution_count": None, "outputs": []}
    return {"cell_type": "markdown", **cell}


def _id(source: str, name: str, taken: set[str]) -> str:
    """An id that stays as long as the cell does: the check's label, or a hash of what stands in it."""
    start = (
        name if name.startswith("check-") else f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:10]}"
    )
    identity, again = start[:60], 1
    while identity in taken:
        again += 1
        identity = f"{start[:56]}-{again}"
    taken.add(identity)
    return identity


def _script(cells: Iterable[Cell]) -> str:
    """The page as a script in the percent format, which editors read as cells."""
    parts = []
    for is_code, source, _ in _merged(cells):
        if is_code:
            # Pip is called by a line that only IPython knows.
            parts.append(
                "# %%\n" + re.sub(r"^( *)%pip (.*)$", r"\1raise  # pip \2", source, flags=re.MULTILINE)
            )
        else:
            parts.append(
                "# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in source.splitlines())
            )
    return "\n\n".join(parts) + "\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the forms with the pages."""
    app.setup_extension("addresses")
    app.connect("html-page-context", export_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
