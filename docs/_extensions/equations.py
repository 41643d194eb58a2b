"""The index of all equations and the counts that pages state.

All of it is collected by the build when every page has been read: nobody types a dependency or a count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode

import tags
from check_domain import CheckDomain, domain_of, equation_number, once, rests_on
from folds import details
from page_tools import report_address
from tables import table

#: The page of a tag.
TAGGED = "t/{}"


class equation_index(nodes.Element):
    """Where the index goes once all pages have been read."""


class site_count(nodes.Inline, nodes.TextElement):
    """A count of the site, by name."""


class Equations(SphinxDirective):
    """``{equations}``: the table of all equations of the site."""

    def run(self) -> list[nodes.Node]:
        """Leave a place for the table."""
        return [equation_index()]


class SiteCount(SphinxRole):
    """``{site}`executed` ``: a number that the build counted."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a place for the number."""
        if self.text not in COUNTS:
            raise ExtensionError(f"{{site}}`{self.text}`: it must be one of {', '.join(COUNTS)}")
        return [site_count("", "", count=self.text)], []


def _executed(env: BuildEnvironment) -> int:
    return sum(not record["why_not"] for record in domain_of(env).records.values())


def _near_misses(env: BuildEnvironment) -> int:
    return sum(len(record["near"]) for record in domain_of(env).records.values())


def labelled(env: BuildEnvironment, prefix: str) -> list[str]:
    """The labels of all figures (fig) or all claims (claim)."""
    return [label for label in env.domains.standard_domain.anonlabels if label.startswith(f"{prefix}-")]


COUNTS: dict[str, Callable[[BuildEnvironment], int]] = {
    "pages": lambda env: len(env.found_docs),
    "figures": lambda env: len(labelled(env, "fig")),
    "claims": lambda env: len(labelled(env, "claim")),
    "equations": lambda env: len(domain_of(env).displays),
    "executed": _executed,
    "near-misses": _near_misses,
}


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the index, the counts and what belongs in each fold into a page."""
    domain = domain_of(app.env)
    link = Linker(app, docname)
    for place in list(doctree.findall(site_count)):
        place.replace_self(nodes.Text(str(COUNTS[place["count"]](app.env))))
    for fold in list(doctree.findall(details)):
        if "check" in fold:
            _fill_fold(fold, domain, link)
    for index in list(doctree.findall(equation_index)):
        index.replace_self(list(_tables(domain, link)))


@once
def _tags(env: BuildEnvironment) -> dict[str, tags.Tag]:
    return tags.load()


class Linker:
    """Makes the links from one page."""

    def __init__(self, app: Sphinx, docname: str) -> None:
        self.app, self.docname, self.tags = app, docname, _tags(app.env)
        self.rests_on = rests_on(app.env)

    def used_by(self, label: str) -> list[str]:
        """The equations that rest on this one."""
        return [other for other, needed in self.rests_on.items() if label in needed]

    def equation(self, label: str) -> nodes.Node:
        """The equation's number, linked."""
        env, domain = self.app.env, self.app.env.domains.math_domain
        content = pending_xref("")
        found = domain.resolve_xref(env, self.docname, self.app.builder, "eq", label, content, content)
        return found or nodes.Text(label)

    def page(self, docname: str) -> nodes.Node:
        """The page's title, linked."""
        title = self.app.env.titles[docname].astext()
        return make_refnode(self.app.builder, self.docname, docname, "", nodes.Text(title))

    def tag(self, label: str) -> nodes.Node:
        """The permanent tag, linked to its page."""
        tag = self.tags[label].tag
        uri = self.app.builder.get_relative_uri(self.docname, TAGGED.format(tag))
        return nodes.reference("", tag, refuri=uri, internal=True, classes=["tag"])

    def about_check(self, label: str) -> list[nodes.Node]:
        """The check's own address and, where the site has a repository, the place for what is wrong with it."""
        links: list[nodes.Node] = [
            nodes.reference("", "Link to this check", refid=f"check-{label}", internal=True)
        ]
        if report := report_address(self.app.env, self.tags[label].tag):
            links.append(nodes.reference("", "Error in this equation?", refuri=report))
        return joined(links)

    def code(self, qualified: str) -> nodes.Node:
        """The function's name, linked to its reference entry."""
        name = qualified.rpartition(".")[2]
        env, domain = self.app.env, self.app.env.domains.python_domain
        content = nodes.literal("", name)
        target = pending_xref("")
        found = domain.resolve_xref(env, self.docname, self.app.builder, "func", qualified, target, content)
        return found or content


def _fill_fold(fold: nodes.Element, domain: CheckDomain, link: Linker) -> None:
    label = fold["check"]
    # Beside the fold: a link inside its line would be a control within a control.
    parent, tag = fold.parent, nodes.paragraph("", "", link.tag(label), classes=["check-tag"])
    parent[parent.index(fold)] = nodes.container("", fold, tag, classes=["check-line"])
    for heading, items in relations(domain, label, link):
        fold += nodes.paragraph("", f"{heading} ", *joined(items), classes=["relations"])
    fold += nodes.paragraph("", "", *link.about_check(label), classes=["relations"])


def relations(domain: CheckDomain, label: str, link: Linker) -> Iterator[tuple[str, list[nodes.Node]]]:
    """What an equation rests on and what uses it, as far as there is any."""
    calls = domain.records[label]["calls"]
    yield from (
        (heading, items)
        for heading, items in (
            ("Rests on", [link.equation(other) for other in _in_order(link, link.rests_on[label])]),
            ("Used by", [link.equation(other) for other in _in_order(link, link.used_by(label))]),
            ("Code", [link.code(call) for call in calls]),
        )
        if items
    )


def joined(items: list[nodes.Node]) -> list[nodes.Node]:
    """The items with commas between them."""
    return [part for item in items for part in (item, nodes.Text(", "))][:-1]


_HEADS = (("Equation", 10), ("Tag", 8), ("Check", 40), ("Code", 18), ("Rests on", 12), ("Used by", 12))


def _tables(domain: CheckDomain, link: Linker) -> Iterator[nodes.Node]:
    """A table for each page, in the order of the equations' numbers."""
    ordered = sorted(domain.displays, key=lambda label: _number(link, label))
    for docname, labels in groupby(ordered, key=lambda label: domain.displays[label]["docname"]):
        yield nodes.rubric("", "", link.page(docname))
        yield nodes.container("", _table(domain, labels, link), classes=["table-wrapper"])


def _table(domain: CheckDomain, labels: Iterable[str], link: Linker) -> nodes.table:
    heads, widths = zip(*_HEADS, strict=True)
    rows = (_cells(domain, label, link) for label in labels)
    return table(heads, rows, widths=widths, classes=["equation-index", "colwidths-given"])


def _in_order(link: Linker, labels: Iterable[str]) -> list[str]:
    """Equations in the order of their numbers."""
    return sorted(labels, key=lambda label: _number(link, label))


def _number(link: Linker, label: str) -> tuple[int, str]:
    text = equation_number(link.app.env, label)
    return (int(text) if text.isdigit() else 0, label)


def _cells(domain: CheckDomain, label: str, link: Linker) -> list[list[nodes.Node]]:
    record = domain.records[label]
    return [
        [link.equation(label)],
        [link.tag(label)],
        [nodes.Text(strength(record))],
        joined([link.code(call) for call in record["calls"]]),
        joined([link.equation(other) for other in _in_order(link, link.rests_on[label])]),
        joined([link.equation(other) for other in _in_order(link, link.used_by(label))]),
    ]


def strength(record: dict[str, Any]) -> str:
    """How strong an equation's check is, in words."""
    exact = "; both sides agree to the last bit" if record["error"] == 0 else ""
    return str(record["sentence"]) + exact


def note_tag_faults(app: Sphinx, env: BuildEnvironment) -> None:
    """Stop at equations, figures or claims without a tag and at tags that lost theirs."""
    labels = [*domain_of(env).displays, *labelled(env, "fig"), *labelled(env, "claim")]
    found = list(tags.faults(tags.load(), labels))
    if found:
        raise ExtensionError("; ".join(found))


def note_update(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Remember whether this build reads any page."""
    domain_of(env).updated = bool(docnames)


def pages_to_write(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """All pages once one of them was read: numbers, counts and relations of the others may have moved."""
    return sorted(env.found_docs) if domain_of(env).updated else []


def setup(app: Sphinx) -> dict[str, Any]:
    """Wire index, counts and tag pages into a build."""
    app.setup_extension("check_domain")
    app.add_node(equation_index)
    app.add_node(site_count)
    app.add_directive("equations", Equations)
    app.add_role("site", SiteCount())
    app.connect("doctree-resolved", fill)
    app.connect("env-before-read-docs", note_update)
    app.connect("env-updated", pages_to_write)
    app.connect("env-check-consistency", note_tag_faults, priority=600)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
