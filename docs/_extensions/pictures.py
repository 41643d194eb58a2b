"""Numbered figures from what a page's kernel drew: ``{plotted}`` (images) and ``{drawn}`` (inline drawings).

Both fences hold JSON: ``alt``, ``caption`` and ``svg`` with a ``wide`` and a ``narrow`` drawing; a plotted one
also ``inks``, the light and the dark colour for each stand-in colour. The drawings live in the doctree, so cached
pages and parallel builds need nothing else; files are written when a page is. A figure that no text mentions
stops the build, as does one without alternative text or caption.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from folds import details, summary
from tables import table

#: From this width of the window on, the wide drawing fits beside the text.
_WIDE = "print, (min-width: 46rem)"
_SIZE = re.compile(r'<svg[^>]*? width="(\d+)" height="(\d+)"|<svg[^>]*? viewBox="0 0 (\d+) (\d+)"')
_FIRST_SENTENCE = re.compile(r"(.+?[.!?])(\s+(?=[A-Z$({`\[])|$)", re.DOTALL)


class picture(nodes.General, nodes.Element):
    """Plots as image files; `drawings` maps a theme to its wide and narrow SVG."""


class drawing(nodes.General, nodes.Element):
    """A diagram as inline SVG, in both widths."""


class _Shown(SphinxDirective):
    """A numbered figure from the JSON that a kernel printed."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the figure and its caption, whose first sentence is bold."""
        label, content = self.arguments[0], json.loads("\n".join(self.content))
        for word in ("alt", "caption"):
            if not content.get(word, "").strip():
                raise ExtensionError(f"{self.get_location()}: {label} has no {word}")
        figure = nodes.figure("", self.shown(label, content), self._caption(content["caption"]))
        figure["names"].append(nodes.fully_normalize_name(label))
        self.set_source_info(figure)
        self.state.document.note_explicit_target(figure, figure)
        return [figure, *self.numbers(content)]

    def shown(self, label: str, content: dict[str, Any]) -> nodes.Element:
        """Return the node of the picture itself."""
        raise NotImplementedError

    def numbers(self, content: dict[str, Any]) -> list[nodes.Node]:
        """Return the table of what was drawn; a drawing says its numbers itself."""
        return []

    def _caption(self, text: str) -> nodes.caption:
        found = _FIRST_SENTENCE.match(text)
        first, rest = (found[1], text[found.end() :]) if found else (text, "")
        parts: list[nodes.Node] = [nodes.strong("", "", *self.parse_inline(first)[0])]
        if rest:
            parts += [nodes.Text(" "), *self.parse_inline(rest)[0]]
        return nodes.caption(text, "", *parts)


def _numbers(panels: list[dict[str, Any]]) -> list[nodes.Node]:
    """The numbers of a plot as a table for each panel, folded."""
    tables = [part for panel in panels if panel["rows"] for part in _titled(panel)]
    if not tables:
        return []
    line = summary("", "", nodes.Text("The numbers of this figure"))
    return [details("", line, *tables, classes=["figure-numbers"])]


def _titled(panel: dict[str, Any]) -> list[nodes.Node]:
    # Not the table's own title, which would give it a number.
    title = [nodes.paragraph("", panel["title"])] if panel["title"] else []
    return [*title, _table(panel)]


def _table(panel: dict[str, Any]) -> nodes.table:
    spread = any(row[3] for row in panel["rows"])
    heads = ["Series", panel["x"] or "x", panel["y"] or "y", *(["10 %", "90 %"] if spread else [])]
    return table(heads, ([[nodes.Text(cell)] for cell in row[: len(heads)]] for row in panel["rows"]))


class Plotted(_Shown):
    """``{plotted} fig-...``: images, one for each width and theme."""

    def shown(self, label: str, content: dict[str, Any]) -> nodes.Element:
        """Replace the stand-in colours by the inks of each theme."""
        themes = {
            theme: {
                width: _inked(svg, content["inks"], index) for width, svg in sorted(content["svg"].items())
            }
            for index, theme in enumerate(("light", "dark"))
        }
        return picture("", label=label, alt=content["alt"], drawings=themes)

    def numbers(self, content: dict[str, Any]) -> list[nodes.Node]:
        """Return a table for each panel, folded."""
        return _numbers(content.get("data", []))


class Drawn(_Shown):
    """``{drawn} fig-...``: inline SVG, whose colours are the style sheet's."""

    def shown(self, label: str, content: dict[str, Any]) -> nodes.Element:
        """Keep both drawings as they are."""
        return drawing("", label=label, alt=content["alt"], drawings=content["svg"])


def _inked(svg: str, inks: dict[str, list[str]], index: int) -> str:
    for sentinel, pair in inks.items():
        svg = svg.replace(sentinel, pair[index])
    return svg


def _size(svg: str) -> tuple[str, str]:
    found = _SIZE.search(svg)
    if found is None:
        raise ExtensionError("a drawing does not say how large it is")
    width, height = (part for part in found.groups() if part)
    return width, height


def file_name(label: str, svg: str) -> str:
    """Name a drawing by its label and its content, so that a browser never shows a stale one."""
    return f"{label}.{hashlib.sha256(svg.encode()).hexdigest()[:10]}.svg"


def figure_number(env: BuildEnvironment, label: str, kind: str = "figure") -> str:
    """The number of a figure, or of what else is counted as figures are, as all pages together count it."""
    docname, anchor = env.domains.standard_domain.anonlabels[label]
    return ".".join(map(str, env.toc_fignumbers[docname][kind][anchor]))


def visit_picture(self: Any, node: picture) -> None:
    """Write the files and two ``<picture>``, of which the theme shows one; the dark one is fetched when shown."""
    for theme, drawings in node["drawings"].items():
        if theme == "light" or self.builder.name != "epub":
            self.body.append(_picture(self, node, theme, drawings))
    raise nodes.SkipNode


def _picture(self: Any, node: picture, theme: str, drawings: dict[str, str]) -> str:
    address = {width: _written(self, node["label"], svg) for width, svg in drawings.items()}
    lazy = ' loading="lazy"' if theme == "dark" else ""
    return (
        f'<picture class="only-{theme}">'
        f'<source media="{_WIDE}" srcset="{address["wide"]}" {_dimensions(drawings["wide"])}/>'
        f'<img src="{address["narrow"]}" {_dimensions(drawings["narrow"])} '
        f'alt="{escape(node["alt"])}"{lazy}/></picture>\n'
    )


def _dimensions(svg: str) -> str:
    width, height = _size(svg)
    return f'width="{width}" height="{height}"'


def _written(self: Any, label: str, svg: str) -> str:
    """Write a drawing among the images of the site, if it is not there, and return its address."""
    name = file_name(label, svg)
    path = Path(self.builder.outdir, self.builder.imagedir, name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(svg, "utf-8")
    return f"{self.builder.imgpath}/{name}"


def visit_drawing(self: Any, node: drawing) -> None:
    """Write both drawings into the page; the style sheet shows one."""
    label = f'role="img" aria-label="{escape(node["alt"])}"'
    self.body.append('<div class="diagram">')
    for width in ("wide", "narrow"):
        if width == "wide" or self.builder.name != "epub":
            svg = node["drawings"][width].replace("<svg ", f"<svg {label} ", 1)
            self.body.append(f'<div class="{width}">{svg}</div>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def visit_text(self: Any, node: nodes.Element) -> None:
    """Say what the picture shows where none can be."""
    self.add_text(f"[{node['alt']}]")
    raise nodes.SkipNode


def _skip(self: Any, node: nodes.Element) -> None:
    raise nodes.SkipNode


def _noted(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """Return, by page, its figures (label -> line and files) and the labels that it mentions."""
    if not hasattr(env, "resgrad_pictures"):
        env.resgrad_pictures = {}  # type: ignore[attr-defined]
    noted: dict[str, dict[str, Any]] = env.resgrad_pictures  # type: ignore[attr-defined]
    return noted


def note_page(app: Sphinx, doctree: nodes.document) -> None:
    """Remember the figures of a page and those that it mentions."""
    figures = {node["label"]: _files(node) for node in doctree.findall(nodes.Element) if _is_shown(node)}
    entry = {"figures": figures, "mentions": sorted(set(_mentions(doctree)))}
    _noted(app.env)[app.env.current_document.docname] = entry


def _is_shown(node: nodes.Element) -> bool:
    return isinstance(node, picture | drawing)


def _files(node: nodes.Element) -> list[str]:
    if isinstance(node, drawing):
        return []
    return [file_name(node["label"], svg) for pair in node["drawings"].values() for svg in pair.values()]


def _mentions(doctree: nodes.document) -> Iterator[str]:
    """Yield the labels of figures that links and cross-references point to."""
    for node in doctree.findall(nodes.Element):
        for name in ("reftarget", "refid", "refuri", "refname"):
            target = str(node.get(name, "")).rpartition("#")[2]
            if target.startswith("fig-") and not isinstance(node, nodes.target):
                yield target


def _unmentioned(env: BuildEnvironment) -> Iterator[tuple[str, str]]:
    pages = _noted(env)
    mentioned = {label for page in pages.values() for label in page["mentions"]}
    for docname, page in sorted(pages.items()):
        yield from ((docname, label) for label in page["figures"] if label not in mentioned)


def stop_at_unmentioned(app: Sphinx, env: BuildEnvironment) -> None:
    """Stop the build at a figure that no text speaks of."""
    found = [
        f"{env.doc2path(docname)}: {label} is not mentioned in any text"
        for docname, label in _unmentioned(env)
    ]
    if found:
        raise ExtensionError("; ".join(found))


def pages_with_faults(app: Sphinx, env: BuildEnvironment, *changes: Iterable[str]) -> list[str]:
    """Return pages to read again, so that a second build does not pass over their fault."""
    return sorted({docname for docname, _ in _unmentioned(env)} & env.found_docs)


def _purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _noted(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    _noted(env).update({name: page for name, page in _noted(other).items() if name in docnames})


def remove_stale(app: Sphinx, exception: Exception | None) -> None:
    """Remove drawings that an earlier build left and no page shows now."""
    if exception is None and app.builder.format == "html":
        pages = _noted(app.env).values()
        kept = {name for page in pages for files in page["figures"].values() for name in files}
        for path in Path(app.outdir, getattr(app.builder, "imagedir", "_images")).glob("fig-*.*.svg"):
            if path.name not in kept:
                path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register directives, nodes and the check; tell the kernels that figures are to be fences."""
    os.environ["RESGRAD_FENCES"] = "1"
    others: dict[str, Any] = dict.fromkeys(("latex", "man", "texinfo"), (_skip, None))
    app.add_node(picture, html=(visit_picture, None), text=(visit_text, None), **others)
    app.add_node(drawing, html=(visit_drawing, None), text=(visit_text, None), **others)
    app.add_directive("plotted", Plotted)
    app.add_directive("drawn", Drawn)
    app.connect("doctree-read", note_page)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.connect("env-get-outdated", pages_with_faults)
    app.connect("env-check-consistency", stop_at_unmentioned)
    app.connect("build-finished", remove_stale)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
