"""Permanent tags: ``docs/tags.csv`` gives every equation, figure and claim a name that never changes or disappears.

A tag is the letter R and three digits of base 32 without I, L, O and U, given in the order of appearance.
``python docs/_extensions/tags.py VERSION`` gives tags to the labels that have none; nothing edits or removes a line.
A label that leaves the site keeps its line, with the reason in the column ``retired``.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from reader import displays, fences, notebook_of

PATH = Path(__file__).parents[1] / "tags.csv"
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KINDS = {"eq": "equation", "fig": "figure", "claim": "claim"}


@dataclass(frozen=True)
class Tag:
    """One line of the table; `since` is the version of the site in which the label first stood."""

    tag: str
    label: str
    kind: str
    since: str
    retired: str = ""


def spelled(number: int) -> str:
    """The tag of the given number: 1 is R001, 32 is R010."""
    if not 0 < number < 32**3:
        raise ValueError(f"no tag for number {number}: it must be from 1 to {32**3 - 1}")
    return "R" + "".join(DIGITS[number // 32**place % 32] for place in (2, 1, 0))


def load(path: Path = PATH) -> dict[str, Tag]:
    """The table, by label."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["label"]: Tag(**row) for row in csv.DictReader(file)}


def faults(tags: dict[str, Tag], labels: Iterable[str]) -> Iterator[str]:
    """What is wrong between the table and the labels of the site."""
    standing = set(labels)
    for number, tag in enumerate(tags.values(), start=1):
        if tag.tag != spelled(number):
            yield f"tags.csv: {tag.tag} stands where {spelled(number)} belongs; a tag never moves or disappears"
        if tag.kind != kind_of(tag.label):
            yield f"tags.csv: {tag.tag} is a {tag.kind}, but {tag.label} is labelled otherwise"
        if (tag.label in standing) == bool(tag.retired):
            yield f"tags.csv: {tag.tag} ({tag.label}) must either stand on the site or say why it is retired"
    for label in sorted(standing - tags.keys()):
        yield f"{label} has no tag yet: run make tags"


def kind_of(label: str) -> str:
    """The kind that a label's first part names."""
    prefix = label.partition("-")[0]
    if prefix not in KINDS:
        raise ValueError(f"label {label!r} must begin with one of {', '.join(KINDS)} and a hyphen")
    return KINDS[prefix]


def extended(tags: dict[str, Tag], labels: Iterable[str], since: str) -> list[Tag]:
    """The table with a line for each label that has none."""
    table = list(tags.values())
    for label in labels:
        if label not in tags:
            table.append(Tag(spelled(len(table) + 1), label, kind_of(label), since))
    return table


def write(table: Iterable[Tag], path: Path = PATH) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["tag", "label", "kind", "since", "retired"])
        writer.writerows(astuple(tag) for tag in table)


def site_labels(docs: Path) -> list[str]:
    """All labels of the pages' equations and claims and of the figures that their cells make."""
    labels: list[str] = []
    for page in sorted(docs.rglob("*.md")):
        text = page.read_text("utf-8")
        labels += displays(text)
        for cell in notebook_of(text).cells:
            if cell.cell_type == "code" and "check" not in cell.metadata.get("tags", []):
                labels += re.findall(r'"(fig-[a-z0-9-]+)"', cell.source)
        labels += [fence.label for fence in fences(text) if fence.is_directive and fence.kind == "claim"]
    return labels


if __name__ == "__main__":
    write(extended(load(), site_labels(PATH.parent), sys.argv[1]))
