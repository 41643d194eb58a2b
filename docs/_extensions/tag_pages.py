"""The permanent page of each tag, ``t/R017.html``: what it names, how it is checked, where it stands, how to cite it.

The page of a figure shows the figure itself, that of a claim the whole verdict. That of a retired tag says why it is
retired: no tag names anything else later, so a citation never leads astray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from html import escape
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

import tags
from check_directives import near_misses
from check_domain import domain_of, equation_number, whole_tex
from checking import NearMiss
from claims import claim, told
from equations import TAGGED, Linker, joined, relations, strength
from mathml import equation_html
from page_tools import bibtex
from pictures import drawing, figure_number, picture


def tag_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """All pages of tags; those of figures by the page they stand on, which is then loaded once."""
    builder: Any = app.builder
    builder.imgpath = f"../{builder.imagedir}"  # where a picture looks for its files
    navigation = _navigation(app)
    everyone = sorted(tags.load().values(), key=lambda tag: (_place(app, tag)[0], tag.tag))
    for tag in everyone:
        body = _retired(tag) if tag.retired else _body(app, tag)
        context = {"title": f"{tag.tag}, {_name(app, tag)}", "body": body, "toctree": navigation}
        yield TAGGED.format(tag.tag), context, "page.html"


def _navigation(app: Sphinx) -> Callable[..., str]:
    """The tree of all pages, worked out once: it is the same on every page of a tag, and it takes its time."""
    tree: Callable[..., str] = app.builder._get_local_toctree  # type: ignore[attr-defined]
    return lru_cache(lambda **settings: tree(TAGGED.format("R001"), **settings))


def _place(app: Sphinx, tag: tags.Tag) -> tuple[str, str]:
    """The page on which something stands, and its anchor there."""
    if tag.retired:
        return "", ""
    if tag.kind == "equation":
        return domain_of(app.env).displays[tag.label]["docname"], f"equation-{tag.label}"
    docname, anchor = app.env.domains.standard_domain.anonlabels[tag.label]
    return docname, anchor


def _name(app: Sphinx, tag: tags.Tag) -> str:
    """What a reader calls it: its kind and its number, which may be another in the next version."""
    if tag.retired:
        return f"retired {tag.kind}"
    if tag.kind == "equation":
        return f"equation ({equation_number(app.env, tag.label)})"
    return f"{tag.kind} {figure_number(app.env, tag.label, tag.kind)}"


def _retired(tag: tags.Tag) -> str:
    return (
        f"<h1>{tag.tag} is retired</h1>"
        f"<p>It named the {tag.kind} <code>{tag.label}</code>, from version {tag.since} on.</p>"
        f"<p>Why it left: {escape(tag.retired)}</p>"
        "<p>This page stays, and the tag names nothing else, so that what cites it stays clear.</p>"
    )


def _body(app: Sphinx, tag: tags.Tag) -> str:
    """The page of something that stands on the site."""
    docname, anchor = _place(app, tag)
    here, title = TAGGED.format(tag.tag), escape(app.env.titles[docname].astext())
    uri = app.builder.get_relative_uri(here, docname)
    shown = {"equation": _equation, "figure": _figure, "claim": _claim}[tag.kind](app, tag)
    return (
        f'<h1><span class="tag">{tag.tag}</span>, {_name(app, tag)}</h1>'
        f'<p>On the page <a class="reference" href="{uri}#{anchor}">{title}</a>, since version {tag.since}.</p>'
        f"{shown}<h2>To cite it</h2>"
        f"<p>The tag stays; a number may change with the version. "
        f'<a class="reference" href="{tag.tag}.html">Permanent link</a></p>'
        f'<pre class="citation">{escape(bibtex(app, docname, tag.tag))}</pre>'
    )


def _equation(app: Sphinx, tag: tags.Tag) -> str:
    """The statement, how strong its check is, the mistakes that it rejects and what it is connected with."""
    domain, here = domain_of(app.env), TAGGED.format(tag.tag)
    display, record = domain.displays[tag.label], domain.records[tag.label]
    parts: list[nodes.Node] = [nodes.paragraph("", f"Check: {strength(record)}.", classes=["strength"])]
    if record["near"]:
        parts += [
            nodes.paragraph("", "Near misses that the check rejects:"),
            near_misses(tuple(NearMiss(**miss) for miss in record["near"])),
        ]
    for heading, items in relations(domain, tag.label, Linker(app, here)):
        parts.append(nodes.paragraph("", f"{heading} ", *joined(items), classes=["relations"]))
    html = equation_html(whole_tex(display), name=f"Equation {equation_number(app.env, tag.label)}")
    return f'<div class="equation">{html}</div>{_html(app, parts)}'


def _figure(app: Sphinx, tag: tags.Tag) -> str:
    """The picture and its caption."""
    for kind in (picture, drawing):
        found: Iterable[nodes.Element] = _doctree(app, _place(app, tag)[0]).findall(kind)
        for shown in found:
            if shown["label"] == tag.label:
                caption = _caption(shown)
                return (
                    f"<figure>{_html(app, [shown])}<figcaption>{_html(app, [caption])}</figcaption></figure>"
                )
    return ""


def _caption(shown: nodes.Node) -> nodes.Node:
    """The caption of a picture, without the links, which count from its own page."""
    while shown.parent is not None:
        shown = shown.parent
        for caption in shown.children:
            if isinstance(caption, nodes.caption):
                return _unlinked(nodes.paragraph("", "", *(child.deepcopy() for child in caption.children)))
    return nodes.paragraph()


def _claim(app: Sphinx, tag: tags.Tag) -> str:
    """The claim, its verdict and what decides it."""
    for node in _resolved(app, _place(app, tag)[0]).findall(claim):
        if node["label"] == tag.label:
            statement, _, *decided = node.deepcopy().children
            stated = nodes.paragraph("", "", *statement.children[2:], classes=["claimed"])
            parts: list[nodes.Node] = [stated, told(node), *decided]
            return _html(app, [_unlinked(part) for part in parts])
    return ""


def _unlinked(part: nodes.Node) -> nodes.Node:
    """The same without the links that count from its own page."""
    for link in [*part.findall(pending_xref), *part.findall(nodes.reference)]:
        if "://" not in link.get("refuri", ""):
            link.parent.replace(link, nodes.inline("", link.astext()))
    return part


@lru_cache(maxsize=1)
def _doctree(app: Sphinx, docname: str) -> nodes.document:
    return app.env.get_doctree(docname)


@lru_cache(maxsize=1)
def _resolved(app: Sphinx, docname: str) -> nodes.document:
    return app.env.get_and_resolve_doctree(docname, app.builder)


def _html(app: Sphinx, parts: list[nodes.Node]) -> str:
    """Nodes as the page's own writer writes them."""
    builder: Any = app.builder
    return "".join(str(builder.render_partial(part)["fragment"]) for part in parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages after the others."""
    app.setup_extension("claims")
    app.setup_extension("pictures")
    app.connect("html-collect-pages", tag_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
