"""``{results-map}``: which page rests on which, as a drawing with links and as a table; both collected by the build.

A column for each floor of the library that a page's module stands on, then the pages without a module, then the
evidence. Lines go to the two pages that a page rests on most; the table has all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

import page_graph
from equations import joined
from tables import table

HEADS = ("rules", "blocks and networks", "stacks and paths", "evidence")
_HEAD_OF = {"rules": HEADS[0], "blocks": HEADS[1], "networks": HEADS[1]}
_ROW, _TOP, _LEFT, _WIDE, _HIGH = 30, 40, 188, 156, 22


class results_map(nodes.Element):
    """Where the map goes once all pages have been read."""


class ResultsMap(SphinxDirective):
    """``{results-map}``: a place for the map."""

    def run(self) -> list[nodes.Node]:
        """Leave the place."""
        return [results_map()]


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Draw the map where it belongs."""
    for place in list(doctree.findall(results_map)):
        found = page_graph.edges(app.env)
        pages = [page for page in page_graph.reading_order(app.env) if page in found]
        columns = _columns(pages, Path(app.confdir, "src", "resgrad"))
        drawing = nodes.raw("", _svg(app, docname, columns), format="html")
        wrapper = nodes.container("", _table(app, docname, pages), classes=["table-wrapper"])
        place.replace_self([drawing, wrapper])


def _columns(pages: Iterable[str], source: Path) -> list[list[str]]:
    """The pages in their columns, in the order of reading; an empty column is left out."""
    found: dict[str, list[str]] = {head: [] for head in HEADS}
    for page in pages:
        folder, stem = Path(page).parent.name, Path(page).name
        floors = [floor for floor in _HEAD_OF if (source / floor / f"{stem}.py").exists()]
        if folder == "derivations":
            found[_HEAD_OF[floors[0]] if floors else HEADS[2]].append(page)
        elif folder == "evidence":
            found[HEADS[3]].append(page)
    return list(found.values())


def _svg(app: Sphinx, docname: str, columns: list[list[str]]) -> str:
    """The drawing: boxes with links, a line to what each rests on most."""
    places = {
        page: (_LEFT * column, _TOP + _ROW * row)
        for column, pages in enumerate(columns)
        for row, page in enumerate(pages)
    }
    height = _TOP + _ROW * max(map(len, columns))
    width = _LEFT * (len(columns) - 1) + _WIDE
    lines = [_line(places[below], places[page]) for page, below in _drawn(app, places)]
    boxes = [_box(app, docname, page, place) for page, place in places.items()]
    heads = [f'<text x="{_LEFT * i}" y="16">{head}</text>' for i, head in enumerate(HEADS)]
    return (
        '<div class="results-map" tabindex="0" role="region" aria-label="Map of the pages">'
        f'<svg viewBox="-1 0 {width + 2} {height}" width="{width + 2}" height="{height}">'
        "<title>Which page rests on which; the table below says the same in words</title>"
        f"{''.join(lines)}{''.join(heads)}{''.join(boxes)}</svg></div>"
    )


def _drawn(app: Sphinx, places: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for page, counts in page_graph.edges(app.env).items():
        ordered = sorted(counts, key=lambda other: (-counts[other], other))
        most = [other for other in ordered if other in places][:2]
        yield from ((page, other) for other in most if page in places)


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A curve from the right edge of one box to the left edge of another, or around boxes of one column."""
    (a, b), (c, d) = start, end
    b, d = b + _HIGH // 2, d + _HIGH // 2
    if a == c:
        return f'<path d="M{a + _WIDE} {b}C{a + _WIDE + 24} {b} {a + _WIDE + 24} {d} {c + _WIDE} {d}"/>'
    return f'<path d="M{a + _WIDE} {b}C{(a + _WIDE + c) / 2} {b} {(a + _WIDE + c) / 2} {d} {c} {d}"/>'


def _box(app: Sphinx, docname: str, page: str, place: tuple[int, int]) -> str:
    x, y = place
    title = escape(app.env.titles[page].astext())
    return (
        f'<a href="{app.builder.get_relative_uri(docname, page)}"><title>{title}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="3"/>'
        f'<text x="{x + 8}" y="{y + 16}">{escape(page_graph.short_name(app.env, page))}</text></a>'
    )


def _table(app: Sphinx, docname: str, pages: list[str]) -> nodes.table:
    found, rows = page_graph.edges(app.env), []
    for page in pages:
        below = [other for other in pages if other in found[page]]
        above = [other for other in pages if page in found[other]]
        if below or above:
            rows.append([_links(app, docname, cell) for cell in ([page], below, above)])
    return table(("Page", "Rests on", "Used by"), rows, classes=["links"])


def _links(app: Sphinx, docname: str, pages: list[str]) -> list[nodes.Node]:
    names = [(page, nodes.Text(page_graph.short_name(app.env, page))) for page in pages]
    return joined([make_refnode(app.builder, docname, page, "", name) for page, name in names])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and fill its place."""
    app.add_node(results_map)
    app.add_directive("results-map", ResultsMap)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
