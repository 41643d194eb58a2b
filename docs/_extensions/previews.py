"""Previews: what a link to an equation or a claim shows on hover and focus stands in the page since the build."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from check_domain import domain_of, equation_number, whole_tex
from claims import claim_preview
from folds import in_fold
from mathml import to_mathml

_ANCHOR = "equation-"


def mark_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Name, at each link in the text, what it goes to; lists of relations and of claims stay as they are."""
    for link in doctree.findall(nodes.reference):
        label = _label(app.env, link)
        if label and not in_fold(link):
            link["preview"] = label


def _label(env: BuildEnvironment, link: nodes.reference) -> str:
    page, _, anchor = str(link.get("refuri", "")).rpartition("#")
    target = link.get("refid") or anchor
    label = target.removeprefix(_ANCHOR)
    if label != target:
        return label if label in domain_of(env).displays else ""
    return label if page and "://" not in page and label.startswith("claim-") else ""


def add_previews(
    app: Sphinx, docname: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the previews behind the text of a page, and mark the links that have one."""
    if app.builder.name != "html":
        return
    app.add_js_file("js/previews.js", loading_method="defer")
    if doctree is None or "body" not in context:
        return
    labels = sorted({link["preview"] for link in doctree.findall(nodes.reference) if "preview" in link})
    body = _attributed(context["body"], labels)
    context["body"] = body + "".join(
        f'<template id="preview-{label}">{_preview(app, label)}</template>' for label in labels
    )


def _attributed(body: str, labels: list[str]) -> str:
    """The page's HTML with the label at each link that has a preview."""
    for label in labels:
        link = re.compile(
            rf'(<a class="reference internal") (href="[^"]*#(?:{_ANCHOR})?{re.escape(label)}">)'
        )
        body = link.sub(rf'\1 data-preview="{label}" \2', body)
    return body


def _preview(app: Sphinx, label: str) -> str:
    return claim_preview(app, label) if label.startswith("claim-") else preview(app.env, label)


def preview(env: BuildEnvironment, label: str) -> str:
    """An equation with its number and the title of its page."""
    display = domain_of(env).displays[label]
    where = env.titles[display["docname"]].astext()
    return f"{to_mathml(whole_tex(display), display=True)}<p>({equation_number(env, label)}) {where}</p>"


def setup(app: Sphinx) -> dict[str, Any]:
    """Mark the links and add the previews."""
    app.setup_extension("claims")
    app.connect("doctree-resolved", mark_links, priority=400)
    app.connect("html-page-context", add_previews)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
