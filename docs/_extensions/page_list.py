"""A visible table of contents lists each page with its short name, its statement and its question.

The short name stands in the table, ``Name <page>``; the statement is the page's title and the question its first
paragraph, so nothing is typed twice. The theme's navigation shows the short names alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode


def note_question(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the question of a page that was read: words and formulas, without links."""
    for paragraph in doctree.findall(nodes.paragraph):
        if "question" in paragraph["classes"]:
            _questions(app.env)[app.env.current_document.docname] = list(_plain(paragraph))
            return


def _plain(node: nodes.Element) -> Iterator[nodes.Node]:
    """What stands in a paragraph, taken out of whatever needs a page around it."""
    for child in node.children:
        if isinstance(child, nodes.Text | nodes.math | nodes.literal | nodes.emphasis):
            yield child.deepcopy()
        elif isinstance(child, nodes.Element):
            yield from _plain(child)


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put a list of pages in the place of each visible table of contents."""
    for tree in list(doctree.findall(addnodes.toctree)):
        if not tree["hidden"] and app.builder.format == "html":
            items = [
                _item(app, docname, name, page) for name, page in tree["entries"] if page in app.env.titles
            ]
            tree.replace_self(nodes.definition_list("", *items, classes=["page-list"]))


def _item(app: Sphinx, docname: str, name: str | None, page: str) -> nodes.definition_list_item:
    title = app.env.titles[page]
    shown: list[nodes.Node] = [nodes.Text(name)] if name else _copies(title.children)
    link = make_refnode(app.builder, docname, page, "", nodes.inline("", "", *shown))
    told = [nodes.paragraph("", "", *_copies(title.children))] if name and name != title.astext() else []
    if question := _questions(app.env).get(page):
        told.append(nodes.paragraph("", "", *_copies(question), classes=["page-question"]))
    return nodes.definition_list_item("", nodes.term("", "", link), nodes.definition("", *told))


def _copies(children: Any) -> list[nodes.Node]:
    return [child.deepcopy() for child in children]


def _questions(env: BuildEnvironment) -> dict[str, list[nodes.Node]]:
    """The questions of the pages, by page."""
    if not hasattr(env, "resgrad_questions"):
        env.resgrad_questions = {}  # type: ignore[attr-defined]
    questions: dict[str, list[nodes.Node]] = env.resgrad_questions  # type: ignore[attr-defined]
    return questions


def _purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _questions(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    _questions(env).update({page: found for page, found in _questions(other).items() if page in docnames})


def setup(app: Sphinx) -> dict[str, Any]:
    """Collect the questions and write the lists."""
    app.connect("doctree-read", note_question)
    app.connect("doctree-resolved", fill)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
