"""What stands in prose must be decided by the build: no typed figures, no absolute word without its check."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

from pages import DOCS, pages

#: Words that claim more than a page may claim without a check beside them.
ABSOLUTE = re.compile(r"\b(never|always|at least|guarantee\w*)\b", re.IGNORECASE)
FIGURE = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?:e[-+]?\d+)?%?(?![\w.]*\w)")
#: What is not prose: code, maths, roles with their text, addresses of links, comments, targets of links.
NOT_PROSE = re.compile(
    r"\{[\w:-]+\}`[^`]*`|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<!--.*?-->|^\{[.#][^}]*\}$|^\([\w-]+\)=$",
    re.DOTALL | re.MULTILINE,
)
#: A check that decides the sentence stands beside it: an equation or a number that the build put in.
DECIDED = re.compile(r"\{(eq|glue:text|numref)\}`")
#: Figures that name something and measure nothing.
NAMES = re.compile(
    r"\b(19|20)\d\d\b|\barXiv \d{4}\.\d{4,5}\b|\bequations? \d+( (to|and) \d+)?\b|\b(algorithm|section|table) \d[\d.]*"
    r"|\b(ResNet|CIFAR)-\d+|\b\d by \d\b|^\*?\*?\d+\.\*?\*?|\bMachine Learning Repository \d+",
    re.IGNORECASE,
)
#: A link that says nothing when it is read by itself, as screen readers and search engines do.
EMPTY_LINK = re.compile(r"\[(click here|here|go|more|read more|this|start|information)\]\(", re.IGNORECASE)
#: Sentences that no number decides, each with the reason why it may stand.
ALLOWED = {
    "it never names another equation": "a promise about tags, kept by a test of tags.csv",
}


def paragraphs(page: Path) -> list[tuple[int, str]]:
    """The paragraphs, headings and list items of a page with their first lines."""
    return list(_paragraphs(page.read_text("utf-8")))


def _paragraphs(text: str, before: int = 0) -> Iterator[tuple[int, str]]:
    for token in MarkdownIt("commonmark").use(front_matter_plugin).parse(text):
        if token.type == "inline" and token.map:
            yield before + token.map[0] + 1, token.content
        elif token.type == "fence" and token.map and token.info.startswith("{claim}"):
            # The claim itself is somebody else's: what decides it begins below the first empty line.
            claimed, _, decided = token.content.partition("\n\n")
            yield from _paragraphs(decided, before + token.map[0] + claimed.count("\n") + 3)


def name(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@pytest.mark.parametrize("page", pages(), ids=name)
def test_a_link_says_where_it_leads(page: Path) -> None:
    assert [found for _, text in paragraphs(page) for found in EMPTY_LINK.findall(text)] == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_an_absolute_word_stands_beside_what_decides_it(page: Path) -> None:
    bare = [
        f"{page.name}:{line}: {text}"
        for line, text in paragraphs(page)
        if ABSOLUTE.search(NOT_PROSE.sub("", text))
        and not DECIDED.search(text)
        and not any(sentence in text for sentence in ALLOWED)
    ]
    assert not bare, "\n".join(bare)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_no_figure_is_typed_into_prose(page: Path) -> None:
    typed = [
        f"{page.name}:{line}: {found.group()} in {text!r}"
        for line, text in paragraphs(page)
        for found in FIGURE.finditer(NAMES.sub("", NOT_PROSE.sub("", text)))
    ]
    assert not typed, "\n".join(typed)


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("it keeps 0.93 of it", True),
        ("in 1998 by He", False),
        ("the 93% of", True),
        ("a 2 by 2 matrix", False),
    ],
)
def test_the_test_sees_a_typed_figure(text: str, caught: bool) -> None:
    assert bool(FIGURE.search(NAMES.sub("", NOT_PROSE.sub("", text)))) is caught
