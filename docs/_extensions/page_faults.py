"""What is wrong with the displays and checks of one page: every way by which an equation could pass unseen.

Pure functions of the page's fences, its doctree and the records of its checks; each fault is (line, column,
message) in the page's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc

from folds import parents
from reader import DISPLAYS, Fence

Fault = tuple[int, int, str]
Records = Mapping[str, Mapping[str, Any]]

NOT_RUN = "nothing runs this code: use {code-cell} python, or {not-run} with a reason"


def faults(page: tuple[Fence, ...], doctree: nodes.document, records: Records) -> list[Fault]:
    """All faults of a page, sorted by place; `records` are those of its checks, by label."""
    fences = [fence for fence in page if fence.is_directive]
    shown = [fence for fence in fences if fence.kind in DISPLAYS]
    found = [
        *_fence_faults(fences),
        *(fault for fence in shown for fault in _display_faults(fence, records)),
        *_hidden_displays(doctree, [fence.label for fence in shown]),
        *_code_faults(doctree),
        *(_place(fault, label, fences) for label, r in records.items() for fault in r["faults"]),
    ]
    return sorted(set(found))


def _fence_faults(fences: list[Fence]) -> Iterator[Fault]:
    """Displays and checks that do not come in pairs, and marks that no check made."""
    below: list[Fence | None] = [*fences[1:], None][: len(fences)]  # a page may be all prose
    checks = [fence.label for fence in fences if fence.kind == "check"]
    for fence, following in zip(fences, below, strict=True):
        if fence.kind in DISPLAYS:
            yield from _pair_faults(fence, following)
        elif fence.kind == "check" and not fence.label:
            yield fence.line, 1, "a check without a label"
        elif fence.kind == "check" and checks.count(fence.label) > 1:
            yield fence.line, 1, f"two checks of {fence.label}"
        elif fence.kind == "checked":
            yield fence.line, 1, "{checked} is written by a check, not by hand"


def _pair_faults(display: Fence, following: Fence | None) -> Iterator[Fault]:
    if display.argument:
        yield display.line, 1, "an equation on the line of its fence is shown and not evaluated: put it below"
    if display.kind == "math" and "\\\\" in display.body and "\\begin{" not in display.body:
        yield (
            display.line,
            1,
            "a row break outside aligned is read but not shown: use aligned or {derivation}",
        )
    if not display.label:
        yield display.line, 1, "a displayed equation without a label"
    elif following is None or (following.kind, following.label) != ("check", display.label):
        yield display.line, 1, f"{display.label} has no check right under it"


def _display_faults(display: Fence, records: Records) -> Iterator[Fault]:
    """A display whose check did not run, or ran for other TeX."""
    record = records.get(display.label)
    if display.label and (record is None or record["tex"] != display.tex):
        yield display.line, 1, f"{display.label}: no check of this equation was run"


def _hidden_displays(doctree: nodes.document, labels: list[str]) -> Iterator[Fault]:
    """Equations that the page shows and that are not, once each, fences at its top level."""
    left = list(labels)
    for node in doctree.findall(nodes.Element):
        if not isinstance(node, nodes.math_block) and "derivation" not in node:
            continue
        label = node.get("derivation") or node.get("label")
        if not label:
            yield node.line or 1, 1, "a displayed equation without a label"
        elif label in left:
            left.remove(label)
        else:
            yield (
                node.line or 1,
                1,
                f"{label} is shown but is no fence at the top level of the page, so not checked",
            )


def _code_faults(doctree: nodes.document) -> Iterator[Fault]:
    """Code that nothing runs, wherever it is nested."""
    for code in doctree.findall(nodes.literal_block):
        if not (code.get("runs") or code.get("language") == "text" or _is_run(code)):
            yield code.line or 1, 1, NOT_RUN


def _is_run(code: nodes.Node) -> bool:
    """Whether a code block is a cell or its output, a docstring's, or taken from the source."""
    return any(
        isinstance(node, desc) or (isinstance(node, nodes.Element) and node.get("nb_element"))
        for node in (code, *parents(code))
    )


def _place(fault: Mapping[str, Any], label: str, fences: list[Fence]) -> Fault:
    """A fault that the kernel found, at its place in the file."""
    in_tex = fault["source"] == "tex"
    for fence in fences:
        if fence.label == label and (fence.kind in DISPLAYS) == in_tex:
            return fence.line + fault["line"] - 1, fault["column"], f"{label}: {fault['message']}"
    return 1, 1, f"{label}: {fault['message']}"
