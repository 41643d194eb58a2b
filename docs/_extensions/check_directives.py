"""Directives of a checked page: ``{derivation}``, ``{not-run}``, ``{checked}`` (the mark under an equation)."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from check_domain import domain_of
from checking import Fault, NearMiss, Record
from folds import details, summary
from mathml import depart_derivation, depart_derivation_step, visit_derivation, visit_derivation_step
from reader import rows


class derivation(nodes.Element):
    """The rows of a derivation, with a number and an anchor like a displayed equation."""


class derivation_step(nodes.TextElement):
    """One row: its step as TeX, split where it aligns, and its reason as children."""


class Derivation(SphinxDirective):
    """Rows ``step | reason``, each shown by itself, evaluated as one chain under one label."""

    has_content = True
    option_spec: ClassVar = {"label": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Number the derivation like an equation and lay out its rows."""
        label = self.options["label"]
        domain = self.env.domains.math_domain
        node = derivation("", derivation=label, docname=self.env.current_document.docname)
        node["ids"] = [nodes.make_id(f"equation-{label}")]
        self.set_source_info(node)
        domain.note_equation(node["docname"], label, location=node)
        node["number"] = domain.get_equation_number_for(label)
        for row in rows("\n".join(self.content)):
            step = derivation_step("", "", step=row.step)
            step += self.parse_inline(row.reason)[0]
            node += step
        self.state.document.note_explicit_target(node)
        return [node]


class Checked(SphinxDirective):
    """The mark under an equation, made from the record that the page's kernel left."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Note the record and show its strength, with the code and the near misses in a fold."""
        fields = json.loads("\n".join(self.content))
        record, docname = _record(fields), self.env.current_document.docname
        entry = {**fields, "sentence": record.sentence(), "docname": docname}
        domain_of(self.env).note_record(entry)
        fold = details("", classes=["check"], check=record.label, ids=[f"check-{record.label}"])
        fold += summary(
            "",
            "",
            nodes.inline("", f"{_sign(record)} ", classes=["sign"]),
            nodes.Text(_unbroken(record.sentence())),
        )
        fold += _code(record.code)
        if record.near:
            fold += near_misses(record.near)
        return [fold]


class Check(SphinxDirective):
    """A check that `reader` did not turn into a cell."""

    has_content = True
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Refuse it: nothing would run it."""
        raise self.error("a check needs a label and stands at the top level of its page")


class NotRun(SphinxDirective):
    """A code block that the build does not run, with the reason."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar = {"because": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Show the code and, below it, why the build does not run it."""
        if "because" not in self.options:
            raise self.error("{not-run} needs the option :because:, the reason why the build does not run it")
        code = nodes.literal_block("\n".join(self.content), "\n".join(self.content))
        code.update_all_atts({"language": self.arguments[0], "runs": "not"})
        because = nodes.paragraph("", "", classes=["not-run"])
        because += [nodes.Text("Not run by this build: "), *self.parse_inline(self.options["because"])[0]]
        return [code, because]


def _record(fields: dict[str, Any]) -> Record:
    near = tuple(NearMiss(**miss) for miss in fields["near"])
    faults = tuple(Fault(**fault) for fault in fields["faults"])
    return Record(**{**fields, "near": near, "faults": faults, "calls": tuple(fields["calls"])})


def _unbroken(sentence: str) -> str:
    """The sentence with its powers of ten kept on one line."""
    return sentence.replace("e-", "e\N{NON-BREAKING HYPHEN}")


def _sign(record: Record) -> str:
    """An equation, an inequality, or a statement that only its examples check."""
    return (
        "\N{ALMOST EQUAL TO}"
        if record.why_not
        else "="
        if record.slack is None
        else "\N{LESS-THAN OR EQUAL TO}"
    )


def _code(code: str) -> nodes.literal_block:
    return nodes.literal_block(code, code, language="pycon", runs="check")


def near_misses(near: tuple[NearMiss, ...]) -> nodes.bullet_list:
    """The near misses, struck through, each with its distance and what is wrong with it."""
    items = nodes.bullet_list("", classes=["near-misses"])
    for miss in near:
        how = "rejected by its shapes" if miss.off is None else f"off by {miss.off:.2g}"
        text = nodes.paragraph("", "", nodes.inline("", "wrong: ", classes=["visually-hidden"]))
        text += nodes.inline("", "", nodes.math(miss.tex, miss.tex), classes=["near-miss"])
        text += nodes.Text(f" {how}" + (f" ({miss.remark})" if miss.remark else ""))
        items += nodes.list_item("", text)
    return items


def _title(node: Any) -> str:
    return str(node["derivation"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and their nodes."""
    app.setup_extension("check_domain")
    app.setup_extension("folds")
    # Numbered with the equations; Sphinx numbers no node without a title.
    visitors = (visit_derivation, depart_derivation)
    app.add_enumerable_node(derivation, "displaymath", _title, html=visitors)
    app.add_node(derivation_step, html=(visit_derivation_step, depart_derivation_step))
    app.add_directive("derivation", Derivation)
    app.add_directive("check", Check)
    app.add_directive("checked", Checked)
    app.add_directive("not-run", NotRun)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
