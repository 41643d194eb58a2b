"""Read a MyST page as a notebook in which every ``{check}`` fence is an executed cell.

MyST-NB runs the ``{code-cell}`` fences of a page in one kernel. This reader adds a code cell for each
``{check}`` fence, in its place, that evaluates the labelled equation above it. So a check runs once, in the
page's own namespace, is cached with the page and is a runnable cell of the exported notebook. The cell holds no
line number: an edit of the prose above moves a check without running it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat import NotebookNode

from checking import MARGIN

#: Directives that display an equation: `math` one statement, `derivation` the rows of one chain.
DISPLAYS = ("math", "derivation")
_INFO = re.compile(r"\{(?P<kind>[\w-]+)\}\s*(?P<argument>.*)")
_OPTION = re.compile(r":(?P<name>[\w-]+):\s*(?P<value>.*)")


@dataclass(frozen=True)
class Fence:
    """One top-level fence of a page; `line` is the 1-based line of the first line of its body."""

    kind: str  # the directive's name, or the bare language of a plain fence
    argument: str
    options: dict[str, str]
    body: str
    line: int
    is_directive: bool = True

    @property
    def label(self) -> str:
        """The label that a display or a check is known by."""
        return self.options.get("label", self.argument) if self.kind in DISPLAYS else self.argument

    @property
    def tex(self) -> str:
        """The statement of a display; of a derivation, its rows joined without their reasons."""
        if self.kind != "derivation":
            return self.body
        return " \\\\\n".join(row.step for row in rows(self.body))


@dataclass(frozen=True)
class Row:
    """One step of a derivation and the reason that stands beside it."""

    step: str
    reason: str


def rows(body: str) -> Iterator[Row]:
    """The rows ``step | reason`` of a derivation's body, one to a line; the reason may be missing."""
    for line in body.splitlines():
        step, _, reason = line.partition(" | ")
        yield Row(step.rstrip(), reason.strip())


@lru_cache(maxsize=128)
def fences(text: str) -> tuple[Fence, ...]:
    """All fences of a page that are not nested in another directive, in order."""
    tokens = MarkdownIt("commonmark").use(front_matter_plugin).parse(text)
    return tuple(_fence(t.info, t.content, t.map[0]) for t in tokens if t.type == "fence" and t.map)


def _fence(info: str, content: str, start: int) -> Fence:
    directive = _INFO.fullmatch(info.strip())
    if directive is None:
        return Fence(info.strip(), "", {}, content.rstrip("\n"), start + 2, is_directive=False)
    lines, options = content.splitlines(), {}
    while lines and (option := _OPTION.fullmatch(lines[0])):
        options[option["name"]] = option["value"].strip()
        lines = lines[1:]
    line = start + 2 + len(options)
    return Fence(directive["kind"], directive["argument"].strip(), options, "\n".join(lines), line)


def displays(text: str) -> dict[str, Fence]:
    """The labelled displays of a page, by label."""
    return {f.label: f for f in fences(text) if f.is_directive and f.kind in DISPLAYS and f.label}


def notebook_of(text: str) -> NotebookNode:
    """The page as a notebook: Markdown, its code cells, and a code cell for each check."""
    lines = list(_checks_as_cells(text))
    page = read_myst_markdown_notebook("\n".join(line for line, _ in lines), add_source_map=True)
    page.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page.metadata["source_map"] = [lines[start][1] for start in page.metadata["source_map"]]
    for index, cell in enumerate(page.cells):
        cell["id"] = f"cell-{index}"
    return cast(NotebookNode, page)


def _checks_as_cells(text: str) -> Iterator[tuple[str, int]]:
    """The page's lines, each check fence written as a code cell, with the (0-based) line each came from."""
    shown, lines, done = displays(text), text.splitlines(), 0
    for fence in fences(text):
        if not (fence.is_directive and fence.kind == "check" and fence.label):
            continue
        opening = fence.line - 2 - len(fence.options)
        yield from zip(lines[done:opening], range(done, opening), strict=True)
        yield from ((line, opening) for line in _cell(fence, shown.get(fence.label)))
        done = fence.line + len(fence.body.splitlines())
    yield from zip(lines[done:], range(done, len(lines)), strict=True)


def _cell(check: Fence, display: Fence | None) -> list[str]:
    # Behind a margin, because IPython takes the prompts off lines that begin with them, even in a literal.
    body = "\n".join(MARGIN + line for line in check.body.splitlines())
    arguments = [repr(check.label), _raw(display.tex if display else ""), _raw(body)]
    options = [f"{name.replace('-', '_')}={value!r}" for name, value in check.options.items()]
    call = ", ".join([*arguments, "globals()", *options])
    source = f"from checking import check\n\ncheck({call})"
    return ["``````{code-cell} python", ":tags: [remove-input, check]", "", *source.splitlines(), "``````"]


def _raw(text: str) -> str:
    """A raw literal that reads as the author wrote it, where Python allows one."""
    return f'r"""\n{text}\n"""' if '"""' not in text and not text.endswith("\\") else repr(text)
