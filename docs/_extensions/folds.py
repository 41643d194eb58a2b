"""Folds: HTML's ``<details>``, which open without JavaScript. ``{fold} Title`` folds a solution or a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class details(nodes.Element):
    """A fold; its first child is the `summary`."""


class summary(nodes.TextElement):
    """The line of a fold that is always shown."""


class Fold(SphinxDirective):
    """``{fold} Title``: its content is folded below its title."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Parse the title and the content."""
        fold = details("", summary("", "", *self.parse_inline(self.arguments[0])[0]))
        fold += self.parse_content_to_nodes()
        return [fold]


def parents(node: nodes.Node) -> Iterator[nodes.Node]:
    """All that a node stands in, from the nearest on."""
    while node.parent is not None:
        node = node.parent
        yield node


def in_fold(node: nodes.Node) -> bool:
    """Whether a node is shown only when a fold is open."""
    return any(isinstance(parent, details) for parent in parents(node))


def _visit(self: Any, node: nodes.Element) -> None:
    self.body.append(self.starttag(node, type(node).__name__, suffix=""))


def _depart(self: Any, node: nodes.Element) -> None:
    self.body.append(f"</{type(node).__name__}>\n")


def _visit_text(self: Any, node: nodes.Element) -> None:
    if isinstance(node, summary):
        self.visit_paragraph(node)


def _depart_text(self: Any, node: nodes.Element) -> None:
    if isinstance(node, summary):
        self.depart_paragraph(node)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and its nodes."""
    for node in (details, summary):
        app.add_node(node, html=(_visit, _depart), text=(_visit_text, _depart_text))
    app.add_directive("fold", Fold)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
