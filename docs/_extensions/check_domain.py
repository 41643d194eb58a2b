"""The Sphinx domain that keeps every display and every check of the site, and stops the build at a fault.

`displays` and `records` are by label, `faults` by page. Nothing is raised while pages are read, so one build
reports all faults of all pages, each with file, line and column; then it stops, before any page is written.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable, Set
from functools import cache, wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakKeyDictionary

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains import Domain
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from page_faults import Fault, faults
from reader import DISPLAYS, Fence, fences

Result = TypeVar("Result")

LOGGER = logging.getLogger(__name__)
_EQUATION_LINK = re.compile(r":eq:`([\w-]+)`")


class CheckDomain(Domain):
    """Displays, checks and faults of all pages."""

    name = "check"
    label = "checked equations"
    data_version = 1
    initial_data: ClassVar[dict[str, Any]] = {"displays": {}, "records": {}, "faults": {}}
    #: Whether this build read any page.
    updated = False

    def note_record(self, record: dict[str, Any]) -> None:
        """Keep the record of a check; a second one of the same label is a fault of the first."""
        first = self.records.setdefault(record["label"], record)
        if first is not record:
            again = {"source": "check", "line": 1, "column": 1, "message": "a second record of this label"}
            first["faults"] = [*first["faults"], again]

    @property
    def displays(self) -> dict[str, dict[str, Any]]:
        """Label -> docname, line, tex, kind, links (labels of the equations its reasons name)."""
        return cast("dict[str, dict[str, Any]]", self.data["displays"])

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """Label -> the record of its check, with docname and sentence."""
        return cast("dict[str, dict[str, Any]]", self.data["records"])

    @property
    def faults(self) -> dict[str, list[Fault]]:
        """Page -> its faults as (line, column, message)."""
        return cast("dict[str, list[Fault]]", self.data["faults"])

    def clear_doc(self, docname: str) -> None:
        """Forget a page before it is read again."""
        for table in (self.displays, self.records):
            for label in [label for label, entry in table.items() if entry["docname"] == docname]:
                del table[label]
        self.faults.pop(docname, None)

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, Any]) -> None:
        """Take over what a parallel reader found in `docnames`."""
        for table in ("displays", "records"):
            found = otherdata[table].items()
            self.data[table].update({k: v for k, v in found if v["docname"] in docnames})
        self.faults.update({page: f for page, f in otherdata["faults"].items() if page in docnames})

    def resolve_any_xref(self, *args: Any) -> list[Any]:
        """Nothing is linked through this domain: equations are the math domain's."""
        return []


def domain_of(env: BuildEnvironment) -> CheckDomain:
    """The check domain of a build."""
    domain = env.get_domain("check")
    assert isinstance(domain, CheckDomain)
    return domain


def once(function: Callable[[BuildEnvironment], Result]) -> Callable[[BuildEnvironment], Result]:
    """Keep the result for as long as there is the environment: what is asked for when no page is read any more."""
    results: WeakKeyDictionary[BuildEnvironment, Result] = WeakKeyDictionary()

    @wraps(function)
    def kept(env: BuildEnvironment) -> Result:
        if env not in results:
            results[env] = function(env)
        return results[env]

    return kept


@once
def rests_on(env: BuildEnvironment) -> dict[str, list[str]]:
    """The equations that each one uses, label -> labels: named in its reasons, or behind the code that it calls.

    Code counts where its equation stands on another page: what a page derives does not rest on its own code.
    """
    domain = domain_of(env)
    displays = domain.displays
    used: dict[str, list[str]] = {}
    for label, display in sorted(displays.items()):
        calls = domain.records.get(label, {}).get("calls", ())
        behind = {link for call in calls for link in equation_links(call) if link in displays}
        elsewhere = {link for link in behind if displays[link]["docname"] != display["docname"]}
        named = set(display["links"]) & displays.keys()
        used[label] = sorted(elsewhere | named - {label})
    return used


def equation_number(env: BuildEnvironment, label: str) -> str:
    """The number of an equation, as all pages together count it; empty if it has none."""
    display = domain_of(env).displays.get(label)
    numbers = env.toc_fignumbers.get(display["docname"], {}).get("displaymath", {}) if display else {}
    return ".".join(map(str, numbers.get(f"equation-{label}", ())))


def whole_tex(display: dict[str, Any]) -> str:
    """The TeX of a display as one formula: the rows of a derivation aligned."""
    tex = str(display["tex"])
    return rf"\begin{{aligned}}{tex}\end{{aligned}}" if display["kind"] == "derivation" else tex


@cache
def equation_links(qualified: str) -> list[str]:
    """The equations that the docstring of ``package.module.function`` links to."""
    module, _, name = qualified.rpartition(".")
    return _EQUATION_LINK.findall(getattr(importlib.import_module(module), name).__doc__ or "")


def source_fences(env: BuildEnvironment, docname: str) -> tuple[Fence, ...]:
    """The fences of a page's source file."""
    return fences(Path(env.doc2path(docname)).read_text("utf-8"))


def note_page(app: Sphinx, doctree: nodes.document) -> None:
    """After a page was read: note its displays and what is wrong with them."""
    docname, domain = app.env.current_document.docname, domain_of(app.env)
    page = source_fences(app.env, docname)
    for fence in page:
        if fence.is_directive and fence.kind in DISPLAYS and fence.label:
            domain.displays[fence.label] = _display(docname, fence, doctree)
    records = {label: record for label, record in domain.records.items() if record["docname"] == docname}
    if found := faults(page, doctree, records):
        domain.faults[docname] = found


def _display(docname: str, fence: Fence, doctree: nodes.document) -> dict[str, Any]:
    return {
        "docname": docname,
        "line": fence.line,
        "kind": fence.kind,
        "tex": fence.tex,
        "links": _links(doctree, fence.label),
    }


def _links(doctree: nodes.document, label: str) -> list[str]:
    """The equations that the reasons of a derivation refer to."""
    for node in doctree.findall(nodes.Element):
        if node.get("derivation") == label:
            return sorted({x["reftarget"] for x in node.findall(pending_xref) if x["refdomain"] == "math"})
    return []


def stop_at_faults(app: Sphinx, env: BuildEnvironment) -> None:
    """Report every fault with its place, then stop the build."""
    domain = domain_of(env)
    for docname, found in sorted(domain.faults.items()):
        for line, column, message in found:
            LOGGER.error(message, location=f"{env.doc2path(docname)}:{line}:{column}")
    count = sum(map(len, domain.faults.values()))
    if count:
        raise ExtensionError(f"{count} fault{'s' if count > 1 else ''} on the pages; no page was written")


def pages_with_faults(app: Sphinx, env: BuildEnvironment, *changes: Iterable[str]) -> list[str]:
    """Pages that must be read again so that a second build does not pass over their faults."""
    return sorted(domain_of(env).faults.keys() & env.found_docs)


def write_json(app: Sphinx, exception: Exception | None) -> None:
    """Write ``checks.json`` beside the pages: the errors, whose last digits differ between machines."""
    if exception is None and app.builder.format == "html":
        records = domain_of(app.env).records
        text = json.dumps({label: records[label] for label in sorted(records)}, indent=1, sort_keys=True)
        Path(app.outdir, "checks.json").write_text(text + "\n", "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Wire the domain into a build."""
    app.add_domain(CheckDomain)
    app.connect("doctree-read", note_page)
    app.connect("env-get-outdated", pages_with_faults)
    app.connect("env-check-consistency", stop_at_faults)
    app.connect("build-finished", write_json)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
