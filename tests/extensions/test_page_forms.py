"""A page's other forms hold what the page holds and run by themselves; what needs a public address waits for one."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from tags import Tag

TOP = Path(__file__).parents[2]
EXTENSIONS = TOP / "docs" / "_extensions"
INDEX = """{.question}
Which?

# Both paths carry all of it

The answer, $\\skippath{y}$, with {eq}`eq-linear-forward` of the [second page](second.md).

```{toctree}
Product <second>
```
"""
SECOND = """{.question}
What is $x W$?

# A product

## In code

Nothing.

## In maths

```{code-cell} python
:tags: [remove-cell]
import numpy as np
from myst_nb import glue
from resgrad import agree
x, W = np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
glue("size", x.size, display=False)
```

There are {glue:text}`size` numbers.

```{math}
:label: eq-linear-forward
y = x W
```

```{check} eq-linear-forward
>>> y = x @ W
>>> agree(y, np.dot(x, W))
True
>>> agree(y, x)
False
>>> y.shape
(1, 2)
!= y = x W^\\top   % transposed
```

```{derivation}
:label: eq-linear-vjp
y &= x W | by {eq}`eq-linear-forward`, shape $(1, 2)$
&= \\branch{x W} | 100 % of it
```

```{check} eq-linear-vjp
>>> y = x @ W
!= y = 2 x W   % doubled
```

- one
- two

```{fold} Solution
Folded text.
```
"""
TAGS = {
    label: Tag(f"R00{number}", label, "equation", "1.2")
    for number, label in enumerate(["eq-linear-forward", "eq-linear-vjp"], start=1)
}
ADDRESSES = {
    "site": "https://docs.example/r/",
    "repository": "https://code.example/r",
    "colab": "https://colab.example/{page}.ipynb",
    "pdf": "https://docs.example/r/all.pdf",
}


def build(folder: Path, addresses: dict[str, str]) -> Path:
    docs, output = folder / "docs", folder / "out"
    docs.mkdir(exist_ok=True)
    output.mkdir(exist_ok=True)
    (docs / "index.md").write_text(INDEX, "utf-8")
    (docs / "second.md").write_text(SECOND, "utf-8")
    settings = {
        "extensions": [
            "myst_nb",
            "check_directives",
            "equations",
            "previews",
            "page_list",
            "page_tools",
            "tag_pages",
            "cards",
            "mathml",
        ],
        "project": "Site",
        "author": "Those",
        "copyright": "2026, those",
        "release": "1.2",
        "summary": "What it is about.",
        "public_addresses": addresses,
        "html_math_renderer": "mathml",
        "numfig": True,
        "nb_custom_formats": {".md": ["reader.notebook_of", {}, False]},
        "nb_execution_mode": "cache",
        "nb_execution_cache_path": str(output / "cache"),
        "nb_render_markdown_format": "myst",
        "nb_mime_priority_overrides": [("*", "text/markdown", 1)],
        "myst_enable_extensions": ["dollarmath", "attrs_block"],
        "source_suffix": {".md": "myst-nb"},
    }
    log = output / "log"
    with log.open("w", encoding="utf-8") as stream, patch_docutils(), docutils_namespace():
        trees = output / "doctrees"
        app = Sphinx(docs, None, output / "html", trees, "html", settings, status=None, warning=stream)
        app.build()
    del app
    gc.collect()  # of the cache's connections here, where what they warn of is known, not in a later test
    assert not log.read_text("utf-8")
    return output / "html"


def _site(tmp_path_factory, addresses):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(EXTENSIONS))
        patch.setattr("tags.load", lambda: TAGS)
        return build(tmp_path_factory.mktemp("site"), addresses)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return _site(tmp_path_factory, {})


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    return _site(tmp_path_factory, ADDRESSES)


pytestmark = pytest.mark.filterwarnings("ignore")  # what the notebook machinery itself warns of


def test_markdown_has_the_numbers_the_formulas_and_the_folds(site):
    text = (site / "second.md").read_text("utf-8")
    assert "There are 2 numbers." in text
    assert "y = x W \\tag{1}" in text
    assert r"\text{by }\text{(1)}\text{, shape }(1, 2)" in text
    assert r"&= {x W} && \text{100 \% of it} \\" in text
    assert "- wrong: $y = x W^\\top$" in text
    assert "- one\n- two" in text
    assert "**Solution**\n\nFolded text." in text
    assert "myst_nb" not in text


def test_markdown_links_to_markdown(site):
    text = (site / "index.md").read_text("utf-8")
    assert "[(1)](second.md#equation-eq-linear-forward)" in text
    assert "$" in text
    assert "skippath" not in text


def test_the_notebook_is_valid_and_its_ids_stay(site, tmp_path):
    notebook = nbformat.read(site / "second.ipynb", 4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert "check-eq-linear-forward" in ids
    assert len(set(ids)) == len(ids)
    assert [cell.source for cell in notebook.cells if cell.id == "check-eq-linear-forward"] == [
        "# Equation 1 (eq-linear-forward): evaluated from this TeX; holds within 1e-12; rejects 1 near miss, "
        "off by 0.18\n# y = x W\n# not y = x W^\\top   off by 0.18; transposed\n"
        "y = x @ W\nassert agree(y, np.dot(x, W))\nassert not agree(y, x)\nprint(y.shape)  # (1, 2)"
    ]


def test_the_script_runs_by_itself(site, tmp_path):
    done = subprocess.run(
        [sys.executable, str(site / "second.py")], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "size = 2\n(1, 2)\n"


def test_a_wrong_statement_stops_the_script(site, tmp_path):
    text = (site / "second.py").read_text("utf-8").replace("y = x @ W", "y = x @ W.T")
    (tmp_path / "wrong.py").write_text(text, "utf-8")
    done = subprocess.run([sys.executable, "wrong.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "AssertionError" in done.stderr


def test_a_page_without_code_has_no_notebook(site):
    assert not (site / "index.ipynb").exists()
    assert (site / "index.md").exists()


def test_without_addresses_nothing_leads_to_another_site(site):
    for page in ("index", "second"):
        html = (site / f"{page}.html").read_text("utf-8")
        tools = html[html.index('class="page-tools"') : html.index("</aside>", html.index("page-tools"))]
        assert "http" not in tools
        assert "og:image" not in html
    setup = nbformat.read(site / "second.ipynb", 4).cells[0].source
    assert "git+" not in setup
    assert '-e "' in setup
    assert not (site / "sitemap.xml").exists()


def test_with_addresses_every_link_is_there(public):
    html = (public / "second.html").read_text("utf-8")
    assert 'href="https://colab.example/second.ipynb"' in html
    assert '<a href="https://docs.example/r/all.pdf">All pages as PDF</a>' in html
    assert "EPUB" not in html
    assert "https://code.example/r/issues/new?title=On%20the%20page%20second" in html
    assert "Error in this equation?" in html
    assert "url = {https://docs.example/r/second.html}" in html
    image = re.search(r'property="og:image" content="https://docs.example/r/([^"]+)"', html)
    assert (public / image[1]).read_bytes()[:4] == b"\x89PNG"
    assert "git+https://code.example/r@v1.2" in (public / "second.ipynb").read_text("utf-8")
    assert "<loc>https://docs.example/r/second.html</loc>" in (public / "sitemap.xml").read_text("utf-8")
    assert "(https://docs.example/r/second.md)" in (public / "llms.txt").read_text("utf-8")


def test_every_page_has_its_facts_and_a_citation(site):
    html = (site / "second.html").read_text("utf-8")
    assert '<p class="page-facts">1 min' in html
    contents = html[html.index('<details class="page-contents">') : html.index("</nav></details>")]
    assert re.findall(r'href="(#[^"]+)"', contents) == ["#in-code", "#in-maths"]
    assert "@misc{resgrad-second," in html
    assert 'href="_sources/second.md.txt"' in html
    assert (site / "_sources" / "second.md.txt").exists()


def test_a_link_to_an_equation_has_its_preview_in_the_page(site):
    html = (site / "index.html").read_text("utf-8")
    assert 'data-preview="eq-linear-forward"' in html
    template = html[html.index('<template id="preview-eq-linear-forward">') : html.index("</template>")]
    assert "<math" in template
    assert "(1) A product" in template


def test_the_forms_are_the_same_twice(site, tmp_path_factory):
    again = _site(tmp_path_factory, {})
    for name in ("second.md", "second.py", "llms.txt"):
        assert (site / name).read_bytes() == (again / name).read_bytes()
    cells = [
        json.loads((folder / "second.ipynb").read_text("utf-8"))["cells"][1:] for folder in (site, again)
    ]
    assert cells[0] == cells[1]


def test_a_list_of_pages_has_the_short_name_the_statement_and_the_question(site):
    html = (site / "index.html").read_text("utf-8")
    listed = html[html.index("page-list") : html.index("</dl>")]
    assert re.search(r'<dt>\s*<a [^>]*href="second.html"[^>]*><span>Product</span></a>', listed)
    assert "<p>A product</p>" in listed
    assert re.search(
        r'<p class="page-question">What is <span class="closed"><math.*</math>\?</span></p>',
        listed,
        re.DOTALL,
    )
    assert ">Product</a>" in (site / "search.html").read_text(
        "utf-8"
    )  # the navigation has the short name alone


def test_a_page_of_a_tag_says_all_that_a_citation_needs(public):
    html = (public / "t" / "R001.html").read_text("utf-8")
    assert 'href="../second.html#equation-eq-linear-forward">A product</a>, since version 1.2.' in html
    assert "Check: evaluated from this TeX; holds within 1e-12; rejects 1 near miss, off by 0.18" in html
    assert " off by 0.18 (transposed)" in html
    assert "@misc{resgrad-R001," in html
    assert "version 1.2, tag R001" in html
    assert "url = {https://docs.example/r/t/R001.html}" in html


def test_the_page_of_a_retired_tag_explains_itself():
    from tag_pages import _retired

    body = _retired(Tag("R009", "eq-old-rule", "equation", "1.0", "merged with R001 & R002"))
    assert "R009 is retired" in body
    assert "merged with R001 &amp; R002" in body
    assert "eq-old-rule" in body
