"""Explorers on a built page: complete without a script, numbered, and the only pages that load it."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import pytest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="{}" fill="#010203"/>'
CONTENT = {
    "alt": "A line.",
    "caption": "It is 0.5. More of it.",
    "inks": {"#010203": ["#1b1f24", "#e6e9ee"]},
    "svg": {"wide": SVG.format(640, 320), "narrow": SVG.format(328, 260)},
    "name": "gate",
    "controls": [
        {"name": "bias", "words": "a <bias>", "tokens": list("012345"), "texts": list("abcdef")}
        | {"default": 2, "row": False},
        {"name": "depth", "words": "blocks", "tokens": ["1", "2"], "texts": ["1", "2"], "default": 0, "row": True},
    ],
    "say": "{bias}: {kept}",
    "sentence": "c: 0.5",
    "python": 'python -c "print({bias})"',
    "bet": {"question": "How *much*?", "options": [["All", "No."], ["Half", "Yes."]]},
    "tries": [["Two", "of <them>.", "?gate=0,2#fig-one-gate"]],
    "table": {"head": ["bias", "kept"], "rows": [["a", "0.5"]], "across": "", "results": ["kept"], "stored": "Tenths."},
    "data": {"x": [1, 2], "text": "</script>"},
}  # fmt: skip


@pytest.fixture
def build(tmp_path):
    def run(builder="html", mention="See :numref:`fig-one-gate`.", **changes):
        (tmp_path / "conf.py").write_text(
            "extensions = ['explorers', 'mathml']\nnumfig = True\nexclude_patterns = ['out']\n"
            "version = '1'\ncopyright = 'x'\n"
        )
        fence = f".. explored:: fig-one-gate\n\n   {json.dumps(CONTENT | changes)}\n"
        (tmp_path / "page.rst").write_text(f"Title\n=====\n\n{mention}\n\n{fence}")
        (tmp_path / "index.rst").write_text("Home\n====\n\n.. toctree::\n\n   page\n")
        out, warnings = tmp_path / "out" / builder, io.StringIO()
        trees = tmp_path / "out" / "trees"
        with docutils_namespace():
            Sphinx(tmp_path, tmp_path, out, trees, builder, status=None, warning=warnings).build()
        assert warnings.getvalue() == ""
        return out

    return run


class Order(HTMLParser):
    """What opens inside the explorer, in order."""

    def __init__(self, html):
        super().__init__()
        self.names = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)


def test_the_parts_in_the_order_of_reading(build):
    html = (build() / "page.html").read_text("utf-8")
    (figure,) = re.findall(
        r'<figure class="explorer" data-explorer="gate" id="fig-one-gate">.*?</figure>', html, re.DOTALL
    )
    wanted = ["figcaption", "details", "form", "picture", "output", "button", "ul", "table", "script"]
    names = Order(figure).names
    places = [names.index(name) for name in wanted]
    assert places == sorted(places)
    assert "<strong>It is 0.5.</strong>" in figure
    assert "How <em>much</em>?" in figure
    assert '<output aria-live="polite">c: 0.5</output>' in figure
    assert '<a href="?gate=0,2#fig-one-gate">Two</a> of &lt;them&gt;.' in figure
    assert 'aria-label="a &lt;bias&gt;" aria-valuetext="c"' in figure
    assert '<input type="radio" name="gate-depth" value="0" checked/>1' in figure
    assert "<td>0.5</td>" in figure


def test_the_data_are_json_in_the_page(build):
    html = (build() / "page.html").read_text("utf-8")
    (inline,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    told = json.loads(inline)
    assert told["data"] == CONTENT["data"]
    assert told["results"] == ["kept"]
    assert [c["default"] for c in told["controls"]] == [2, 0]


def test_nothing_that_a_policy_forbids(build):
    html = (build() / "page.html").read_text("utf-8")
    (figure,) = re.findall(r"<figure class=\"explorer.*?</figure>", html, re.DOTALL)
    assert not re.search(r' (style|on\w+)="', figure)


def test_numbered_and_referred_to(build):
    html = (build() / "page.html").read_text("utf-8")
    assert 'href="#fig-one-gate"><span class="std std-numref">Fig. 1</span>' in html
    assert '<span class="caption-number">Fig. 1 </span>' in html


def test_only_its_pages_load_the_script(build):
    out = build()
    script = '<script defer="defer" src="_static/js/explorers.js'
    assert script in (out / "page.html").read_text("utf-8")
    assert script not in (out / "index.html").read_text("utf-8")


def test_a_book_has_no_form_and_the_text_its_claim(build):
    page = (build("epub") / "page.xhtml").read_text("utf-8")
    assert "<form" not in page
    assert "<picture" in page
    assert "It is 0.5." in (build("text") / "page.txt").read_text("utf-8")


def test_one_that_no_text_mentions_stops_the_build(build):
    with pytest.raises(ExtensionError, match="fig-one-gate is not mentioned"):
        build(mention="Nothing.")


def test_states_that_are_all_drawn_stand_in_the_page_with_their_sentences(build):
    panels = [
        {"at": [i, j], "wide": "<svg>w</svg>", "narrow": "<svg>n</svg>", "sentence": f"{i} < {j}"}
        for i, j in ((0, 0), (0, 1))
    ]
    html = (build(panels=panels) / "page.html").read_text("utf-8")
    assert re.search(r'<figure[^>]*class="still explorer"', html)
    found = re.findall(r'<div class="panel diagram (a0 b[01])">.*?<p>(.*?)</p>', html)
    assert found == [("a0 b0", "0 &lt; 0"), ("a0 b1", "0 &lt; 1")]
    assert html.count("<svg>w</svg>") == html.count("<svg>n</svg>") == 2
    assert 'class="still explorer"' not in (build() / "page.html").read_text("utf-8")
