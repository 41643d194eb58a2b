"""Which page rests on which: collected from what the equations rest on, typed by nobody.

All of it is asked for when pages are written, and nothing of it changes then: it is worked out once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sphinx import addnodes
from sphinx.environment import BuildEnvironment

from check_domain import domain_of, once, rests_on

#: So many pages are named on each side of a page.
SHOWN = 4


def reading_order(env: BuildEnvironment) -> list[str]:
    """All pages, each followed by those below it in its table of contents."""

    def below(docname: str) -> Iterator[str]:
        yield docname
        for child in env.toctree_includes.get(docname, []):
            yield from below(child)

    return list(dict.fromkeys(below(env.config.root_doc)))


@once
def short_names(env: BuildEnvironment) -> dict[str, str]:
    """What the tables of contents call a page, ``Name <page>``: page -> name."""
    trees = (tree for toc in env.tocs.values() for tree in toc.findall(addnodes.toctree))
    return {page: name for tree in trees for name, page in tree["entries"] if name}


def short_name(env: BuildEnvironment, page: str) -> str:
    """A page's short name; where nobody gave one, its stem, or its folder's for the folder's first page."""
    path = Path(page)
    stem = (path.parent if path.name == "index" and path.parent.name else path).name
    return short_names(env).get(page, stem)


@once
def edges(env: BuildEnvironment) -> dict[str, Counter[str]]:
    """How many equations of a page rest on each earlier page: page -> earlier page -> count."""
    domain, place = domain_of(env), {name: index for index, name in enumerate(reading_order(env))}
    found: dict[str, Counter[str]] = {}
    for label, display in domain.displays.items():
        page = display["docname"]
        pages = {domain.displays[other]["docname"] for other in rests_on(env)[label]}
        earlier = [other for other in pages if place.get(other, 0) < place.get(page, 0)]
        found.setdefault(page, Counter()).update(earlier)
    return found


@once
def needs(env: BuildEnvironment) -> dict[str, list[str]]:
    """What to read before each page, in the order of reading.

    First come the pages that no other page in the list rests on, since to read one of these is not enough; the others
    by the number of equations that rest on them, and among equals the nearest.
    """
    order, found = reading_order(env), edges(env)
    below: dict[str, set[str]] = {}
    for page in order:  # whatever a page rests on stands before it
        direct = found.get(page, Counter())
        below[page] = set(direct).union(*(below[other] for other in direct))
    result = {}
    for page, counts in found.items():
        implied = set().union(*(below[other] for other in counts))
        first = sorted(counts, key=lambda other: (other in implied, -counts[other], -order.index(other)))
        result[page] = sorted(first[:SHOWN], key=order.index)
    return result


@once
def leads_to(env: BuildEnvironment) -> dict[str, list[str]]:
    """The pages of which the largest share rests on each page, in the order of reading."""
    order, found = reading_order(env), edges(env)
    result = {}
    for page in order:
        weight = {other: counts[page] / counts.total() for other, counts in found.items() if counts[page]}
        most = sorted(weight, key=lambda other: (-weight[other], order.index(other)))[:SHOWN]
        result[page] = sorted(most, key=order.index)
    return result
