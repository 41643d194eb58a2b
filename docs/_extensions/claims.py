"""Claims that are made elsewhere, judged: ``{claim} claim-...`` with its verdict, ``{claims}`` lists those of a page.

The first paragraph of a claim is the claim, in our words; the rest decides it and has a number that the build put
in, or an equation. Claims are counted over the site as figures are; the role ``{claim}`` refers to one by its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

from check_domain import domain_of, source_fences
from equations import Linker
from page_faults import Fault
from pictures import figure_number
from reader import Fence
from tables import table

VERDICTS = ("true", "true under conditions", "false")
#: What kind of statement decides.
KINDS = ("exact identity", "law in expectation", "law at large width", "empirical")
_OPTIONS = {"verdict": VERDICTS, "kind": KINDS}
_DECIDES = re.compile(r"\{(eq|glue(:\w+)?|numref)\}`")


class claim(nodes.General, nodes.Element):
    """A claim: its statement, the line of its verdict, and what decides it."""


class claim_statement(nodes.TextElement):
    """What is claimed."""


class claim_list(nodes.Element):
    """Where the list of a page's claims goes."""


class Claim(SphinxDirective):
    """``{claim} claim-...``: the claim, then what decides it; `verdict` and `kind` are one of those above."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys(_OPTIONS, directives.unchanged)

    def run(self) -> list[nodes.Node]:
        """Take the first paragraph for the claim; `faults` says what is wrong."""
        node = claim("", label=self.arguments[0], names=[nodes.fully_normalize_name(self.arguments[0])])
        for name in _OPTIONS:
            node[name] = self.options.get(name, "")
        stated, *decided = self.parse_content_to_nodes() or [nodes.paragraph()]
        node += [claim_statement("", "", *stated.children), *decided]
        self.set_source_info(node)
        self.state.document.note_explicit_target(node, node)
        return [node]


class Claims(SphinxDirective):
    """``{claims}``: the claims of the page with their numbers and verdicts."""

    def run(self) -> list[nodes.Node]:
        """Leave the place."""
        return [claim_list()]


class ClaimNumber(SphinxRole):
    """``{claim}`claim-...` ``: "claim 7", linked."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Refer to it as to a figure; the build warns of an unknown label."""
        if not self.text.startswith("claim-"):
            raise ExtensionError(f"{self.get_location()}: {{claim}}`{self.text}` is no label of a claim")
        link = pending_xref("", nodes.inline("", self.text), refdomain="std", reftype="numref")
        link.update_all_atts(
            {"reftarget": self.text, "refdoc": self.env.current_document.docname, "refexplicit": False}
        )
        link["refwarn"] = True
        self.set_source_info(link)
        return [link], []


def faults(page: tuple[Fence, ...]) -> Iterator[Fault]:
    """What is wrong with the claims of a page."""
    claims = [fence for fence in page if fence.is_directive and fence.kind == "claim"]
    for fence in claims:
        if not fence.label.startswith("claim-"):
            yield fence.line, 1, "the label of a claim must begin with claim-"
        if [other.label for other in claims].count(fence.label) > 1:
            yield fence.line, 1, f"two claims are labelled {fence.label}"
        for name, allowed in _OPTIONS.items():
            if (value := fence.options.get(name, "")) not in allowed:
                said = f"the {name} {value!r}" if value else f"no {name}"
                yield fence.line, 1, f"{fence.label} has {said}: it must be one of {', '.join(allowed)}"
        if not _DECIDES.search(fence.body.partition("\n\n")[2]):
            yield fence.line, 1, f"{fence.label} has no number below it: no {{glue}}, {{eq}} or {{numref}}"


def note_page(app: Sphinx, doctree: nodes.document) -> None:
    """After a page was read: add its faults to those of its equations, which stop the build."""
    docname = app.env.current_document.docname
    if found := list(faults(source_fences(app.env, docname))):
        domain_of(app.env).faults.setdefault(docname, []).extend(found)


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give each claim of a page its number, its verdict and its tag, and list them."""
    found = list(doctree.findall(claim))
    for place in list(doctree.findall(claim_list)):
        place.replace_self(nodes.container("", _list(app, found), classes=["table-wrapper"]))
    link = Linker(app, docname) if found else None
    for node in found:
        assert link is not None
        node.insert(1, told(node, nodes.Text(" · "), link.tag(node["label"])))
        number, statement = figure_number(app.env, node["label"], "claim"), node[0]
        assert isinstance(statement, claim_statement)
        statement.insert(0, [nodes.inline("", f"Claim {number}.", classes=["claim-number"]), nodes.Text(" ")])


def told(node: claim, *more: nodes.Node) -> nodes.paragraph:
    """Return the line that says the verdict and what kind of statement decides it."""
    word = nodes.strong("", node["verdict"].capitalize(), classes=[node["verdict"].replace(" ", "-")])
    return nodes.paragraph("", "", word, nodes.Text(f" · {node['kind']}"), *more, classes=["verdict"])


def claim_preview(app: Sphinx, label: str) -> str:
    """Write a claim and its verdict as HTML, for a page that refers to it."""
    docname, _ = app.env.domains.standard_domain.anonlabels[label]
    (node,) = (found for found in app.env.get_doctree(docname).findall(claim) if found["label"] == label)
    statement = nodes.paragraph("", "", *node.children[0].deepcopy().children, classes=["claimed"])
    builder: Any = app.builder
    return "".join(str(builder.render_partial(part)["fragment"]) for part in (statement, told(node)))


def _list(app: Sphinx, found: list[claim]) -> nodes.table:
    rows = (_listed(app, node) for node in found)
    classes = ("claim-list", "colwidths-given")
    return table(("No.", "Claim", "Verdict"), rows, widths=(8, 70, 22), classes=classes)


def _listed(app: Sphinx, node: claim) -> list[list[nodes.Node]]:
    number = figure_number(app.env, node["label"], "claim")
    link = nodes.reference("", number, refid=node["ids"][0], internal=True)
    return [[link], [child.deepcopy() for child in node[0].children], [nodes.Text(node["verdict"])]]


def visit_claim(self: Any, node: claim) -> None:
    """Open the claim, which has its address."""
    self.body.append(self.starttag(node, "div", CLASS="claim"))


def depart_claim(self: Any, node: claim) -> None:
    """Close it."""
    self.body.append("</div>\n")


def visit_statement(self: Any, node: claim_statement) -> None:
    """Open the statement, a heading without a place in the table of contents."""
    self.body.append('<h3 class="claim-statement">')


def depart_statement(self: Any, node: claim_statement) -> None:
    """Add the link to the claim."""
    if self.builder.add_permalinks:
        self.add_permalink_ref(node.parent, "Link to this claim")
    self.body.append("</h3>\n")


def _pass(self: Any, node: nodes.Element) -> None:
    """Go on with what is inside."""


def _title(node: nodes.Node) -> str:
    """Return what is claimed, which a reference may show."""
    return next((child.astext() for child in node.children if isinstance(child, claim_statement)), "")


def _format(app: Sphinx, config: Config) -> None:
    config.numfig_format.setdefault("claim", "claim %s")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register directives, role and nodes."""
    app.setup_extension("equations")
    others: dict[str, Any] = dict.fromkeys(("latex", "man", "texinfo", "text"), (_pass, _pass))
    app.add_enumerable_node(claim, "claim", _title, html=(visit_claim, depart_claim), **others)
    app.add_node(claim_statement, html=(visit_statement, depart_statement), **others)
    app.add_node(claim_list)
    app.add_directive("claim", Claim)
    app.add_directive("claims", Claims)
    app.add_role("claim", ClaimNumber())
    app.connect("config-inited", _format, priority=900)
    app.connect("doctree-read", note_page, priority=600)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
