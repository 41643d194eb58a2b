"""Explorers: ``{explored}`` shows a figure whose states a reader can choose, complete without a script.

The fence holds JSON: all of a plotted figure (`pictures`), and ``name``, ``controls``, ``say``, ``sentence``,
``python``, ``bet``, ``tries``, ``table`` and ``data`` (`resgrad.lab.explorer` makes them). The page gets the claim,
the bet, the form, the picture, the sentence of the default state, links to other states, the table of all states
and the data; the script ``explorers.js``, which only pages with an explorer load, draws what the form chooses.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from folds import details, summary
from pictures import Plotted

_BUTTONS = ("reset", "copy link", "copy Python", "table")


class explorer(nodes.General, nodes.Element):
    """A numbered figure that can be explored; its children stand in the order of reading."""


class explorer_claim(nodes.caption):
    """Its caption, which does not have to stand last as that of a figure has to."""


class markup(nodes.General, nodes.Element):
    """A part of an explorer as HTML; `live` if it is of no use without a script."""


class Explored(Plotted):
    """``{explored} fig-...``: an explorer from the JSON that a kernel printed."""

    def run(self) -> list[nodes.Node]:
        """Put the parts of an explorer around its picture."""
        label, content = self.arguments[0], json.loads("\n".join(self.content))
        (figure,) = super().run()
        assert isinstance(figure, nodes.figure)
        picture, caption = figure.children
        assert isinstance(caption, nodes.caption)
        shown = explorer("", names=figure["names"], explores=content["name"])
        shown["ids"] = figure["ids"]
        stage = nodes.container("", picture, classes=["stage"])
        if "panels" in content:  # every state is drawn, and a style chooses by the form
            shown["classes"].append("still")
            stage += markup("", html="".join(map(panel, content["panels"])), live=False)
        shown += [
            explorer_claim(caption.rawsource, "", *caption.children),
            self._bet(content["bet"]),
            markup("", html=form(content), live=True),
            stage,
            markup("", html=below(label, content), live=False),
        ]
        self.set_source_info(shown)
        document = self.state.document
        document.ids.update(dict.fromkeys(shown["ids"], shown))
        return [shown]

    def numbers(self, content: dict[str, Any]) -> list[nodes.Node]:
        """Return nothing: an explorer has a table of its own."""
        return []

    def _bet(self, bet: dict[str, Any]) -> nodes.Element:
        """Return the question and its answers, each with the verdict folded below it."""
        asked = nodes.paragraph("", "", *self.parse_inline(bet["question"])[0])
        answers: list[nodes.Node] = []
        for answer, verdict in bet["options"]:
            told = nodes.paragraph("", "", *self.parse_inline(verdict)[0])
            answers.append(details("", summary("", "", *self.parse_inline(answer)[0]), told))
        return nodes.container("", asked, *answers, classes=["bet"])


def form(content: dict[str, Any]) -> str:
    """Write the controls."""
    fields = "".join(_field(content["name"], control) for control in content["controls"])
    return f'<form autocomplete="off">{fields}</form>'


def _field(name: str, control: dict[str, Any]) -> str:
    words, default, texts = escape(control["words"]), control["default"], control["texts"]
    if not control["row"]:
        return (
            f'<label class="control" data-control="{control["name"]}"><span>{words}: <b>{escape(texts[default])}</b>'
            f'</span><input type="range" min="0" max="{len(texts) - 1}" step="1" value="{default}" '
            f'aria-label="{words}" aria-valuetext="{escape(texts[default])}"/></label>'
        )
    choices = "".join(
        f'<label><input type="radio" name="{name}-{control["name"]}" value="{index}"'
        f"{' checked' * (index == default)}/>{escape(text)}</label>"
        for index, text in enumerate(texts)
    )
    return (
        f'<fieldset class="control" data-control="{control["name"]}"><legend>{words}</legend>'
        f'<div class="choices">{choices}</div></fieldset>'
    )


def panel(content: dict[str, Any]) -> str:
    """Write the drawing of one state, in both widths, and its sentence; the style knows it by its stops."""
    stops = " ".join(f"{letter}{index}" for letter, index in zip("abc", content["at"], strict=False))
    drawings = "".join(f'<div class="{width}">{content[width]}</div>' for width in ("wide", "narrow"))
    return f'<div class="panel diagram {stops}">{drawings}<p>{escape(content["sentence"])}</p></div>'


def below(label: str, content: dict[str, Any]) -> str:
    """Write what stands below the picture: the sentence, buttons, states to try, the table and the data."""
    buttons = "".join(f'<button type="button">{word}</button>' for word in _BUTTONS)
    tries = "".join(
        f'<li><a href="{escape(href)}">{escape(words)}</a> {escape(rest)}</li>'
        for words, rest, href in content["tries"]
    )
    states = table(content["name"], content["table"])
    told = ("name", "controls", "say", "python", "data")
    data = {key: content[key] for key in told} | {k: content["table"][k] for k in ("across", "results")}
    inline = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True).replace("</", "<\\/")
    return (
        f'<output aria-live="polite">{escape(content["sentence"])}</output>'
        f'<p class="remark" role="status" hidden></p><div class="buttons">{buttons}</div>'
        f'<ul class="tries">{tries}</ul>{states}<script type="application/json">{inline}</script>'
    )


def table(name: str, content: dict[str, Any]) -> str:
    """Write the table of all states, folded."""
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in content["head"])
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in content["rows"]
    )
    return (
        f"<details><summary>Table of all states</summary><p>{escape(content['stored'])}</p>"
        f'<div class="table-wrapper" tabindex="0" role="region" aria-label="All states of the explorer {name}">'
        f'<table class="docutils"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def visit_explorer(self: Any, node: explorer) -> None:
    """Open the figure."""
    self.body.append(self.starttag(node, "figure", CLASS="explorer", **{"data-explorer": node["explores"]}))


def depart_explorer(self: Any, node: explorer) -> None:
    """Close it."""
    self.body.append("</figure>\n")


def visit_claim(self: Any, node: explorer_claim) -> None:
    """Open the caption and write its number."""
    self.body.append("<figcaption><p>")
    self.add_fignumber(node.parent)


def depart_claim(self: Any, node: explorer_claim) -> None:
    """Add the link to the figure."""
    if self.builder.add_permalinks:
        self.add_permalink_ref(node.parent, "Link to this figure")
    self.body.append("</p></figcaption>\n")


def visit_markup(self: Any, node: markup) -> None:
    """Write a part; a book has no script."""
    if self.builder.name != "epub":
        self.body.append(node["html"])
    raise nodes.SkipNode


def _skip(self: Any, node: nodes.Element) -> None:
    raise nodes.SkipNode


def _pass(self: Any, node: nodes.Element) -> None:
    """Go on with what is inside."""


def title_of(node: nodes.Node) -> str:
    """Return the caption of an explorer, for its number in lists and references."""
    return next((child.astext() for child in node.children if isinstance(child, explorer_claim)), "")


def add_script(app: Sphinx, page: str, template: str, context: Any, doctree: nodes.document | None) -> None:
    """Give the script to pages with an explorer alone."""
    if doctree is not None and any(doctree.findall(explorer)):
        app.add_js_file("js/explorers.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the nodes."""
    app.setup_extension("pictures")
    app.setup_extension("folds")
    others: dict[str, Any] = dict.fromkeys(("latex", "man", "texinfo", "text"), (_pass, _pass))
    skipped: dict[str, Any] = dict.fromkeys(("latex", "man", "texinfo", "text"), (_skip, None))
    app.add_enumerable_node(explorer, "figure", title_of, html=(visit_explorer, depart_explorer), **others)
    app.add_node(explorer_claim, html=(visit_claim, depart_claim), **others)
    app.add_node(markup, html=(visit_markup, None), **skipped)
    app.add_directive("explored", Explored)
    app.connect("html-page-context", add_script)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
