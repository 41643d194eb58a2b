"""Figures of a built page: numbered, in two widths and two themes, mentioned in the text."""

from __future__ import annotations

import io
import json
import re

import pytest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

import pictures


def _svg(width, height):
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" fill="#010203"/>'


CONTENT = {
    "alt": "A <line> & a point.",
    "caption": "The gap is 0.31. See :math:`x`.",
    "inks": {"#010203": ["#1b1f24", "#e6e9ee"]},
    "svg": {"wide": _svg(640, 320), "narrow": _svg(328, 260)},
}
MENTION = "See :numref:`fig-one-gap`."


def _page(mention=MENTION, directive="plotted", **changes):
    fence = f".. {directive}:: fig-one-gap\n\n   {json.dumps(CONTENT | changes)}\n"
    return f"Title\n=====\n\n{mention}\n\n{fence}"


@pytest.fixture
def build(tmp_path):
    def run(text, builder="html", **settings):
        (tmp_path / "conf.py").write_text(
            "extensions = ['pictures', 'mathml']\nnumfig = True\nexclude_patterns = ['out']\n"
            "version = '1'\ncopyright = 'x'\n"
        )
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / "page.rst").write_text(text)
        (tmp_path / "index.rst").write_text("Home\n====\n\n.. toctree::\n\n   a/page\n")
        out = tmp_path / "out" / builder
        warnings = io.StringIO()
        with docutils_namespace():
            Sphinx(
                tmp_path,
                tmp_path,
                out,
                tmp_path / "out" / "trees",
                builder,
                status=None,
                warning=warnings,
                **settings,
            ).build()
        assert warnings.getvalue() == ""
        return out

    return run


def test_two_pictures_with_all_their_sizes(build):
    out = build(_page())
    html = (out / "a" / "page.html").read_text("utf-8")
    assert [re.findall(rf'<picture class="only-{theme}">', html) for theme in ("light", "dark")] != [[], []]
    assert html.count('media="print, (min-width: 46rem)"') == 2
    assert html.count('width="640" height="320"') == 2
    assert html.count('width="328" height="260"') == 2
    assert html.count('loading="lazy"') == 1
    assert 'alt="A &lt;line&gt; &amp; a point."' in html


def test_the_files_hold_the_inks_of_their_theme(build):
    out = build(_page())
    html = (out / "a" / "page.html").read_text("utf-8")
    light, dark = re.findall(r'<picture class="only-\w+">.*?</picture>', html, re.DOTALL)
    for part, ink in ((light, "#1b1f24"), (dark, "#e6e9ee")):
        for name in re.findall(r'(?:src|srcset)="\.\./(_images/[^"]+)"', part):
            assert ink in (out / name).read_text("utf-8")


def test_numbered_and_referred_to(build):
    html = (build(_page()) / "a" / "page.html").read_text("utf-8")
    assert '<figure class="align-default" id="fig-one-gap">' in html
    assert 'href="#fig-one-gap"><span class="std std-numref">Fig. 1</span>' in html
    assert '<strong>The gap is 0.31.</strong> See <span class="closed"><math>' in html


def test_drawn_inline(build):
    html = (build(_page(directive="drawn")) / "a" / "page.html").read_text("utf-8")
    assert '<div class="wide"><svg role="img" aria-label="A &lt;line&gt; &amp; a point." ' in html
    assert '<div class="narrow"><svg role="img"' in html
    assert "<img" not in html


def test_a_figure_that_is_not_mentioned_stops_the_build_each_time(build):
    for _ in range(2):
        with pytest.raises(ExtensionError, match=r"page\.rst: fig-one-gap is not mentioned in any text"):
            build(_page("Nothing."))


@pytest.mark.parametrize("word", ["alt", "caption"])
def test_a_figure_without_words_stops_the_build(build, word):
    with pytest.raises(ExtensionError, match=f"page.rst:6: fig-one-gap has no {word}"):
        build(_page(**{word: " "}))


def test_a_changed_figure_replaces_its_files(build):
    out = build(_page())
    before = {path.name for path in (out / "_images").iterdir()}
    build(_page(inks={"#010203": ["#000000", "#ffffff"]}))
    after = {path.name for path in (out / "_images").iterdir()}
    assert len(before) == len(after) == 4
    assert not before & after


def test_parallel_builds_write_the_same(build, tmp_path):
    one = (build(_page()) / "a" / "page.html").read_bytes()
    (tmp_path / "out" / "html" / "a" / "page.html").unlink()
    two = (build(_page(), freshenv=True, parallel=2) / "a" / "page.html").read_bytes()
    assert one == two


def test_text_says_what_the_picture_shows(build):
    assert "[A <line> & a point.]" in (build(_page(), "text") / "a" / "page.txt").read_text("utf-8")


def test_a_book_has_one_picture(build):
    page = (build(_page(), "epub") / "a" / "page.xhtml").read_text("utf-8")
    assert page.count("<picture") == 1


@pytest.mark.parametrize(
    ("text", "first"),
    [("One. Two.", "One."), ("Off by 0.31 at L = 9. $x$ too.", "Off by 0.31 at L = 9."), ("No stop", None)],
)
def test_the_first_sentence(text, first):
    found = pictures._FIRST_SENTENCE.match(text)
    assert (found and found[1]) == first
