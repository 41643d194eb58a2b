"""A claim has its number, verdict and tag wherever it is shown, and one that nothing decides stops the build."""

import gc
import re
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace, patch_docutils

from claims import KINDS, VERDICTS, faults
from reader import fences
from tags import Tag

PAGE = """# Claims

{site}`claims` claims, the second {claim}`claim-copied`.

```{claims}
```

## One

```{claim} claim-halved
:verdict: false
:kind: exact identity
The gradient $\\bar y$ is halved.

It is copied, {numref}`claim-copied`, as [the other page](other.md) says.

Seen in [a thread](https://thread.example/1).
```

## Two

```{claim} claim-copied
:verdict: true under conditions
:kind: law in expectation
It is copied.

See {numref}`claim-halved`.
```
"""
OTHER = "# Elsewhere\n\nThis is {claim}`claim-copied`.\n"
TAGS = {
    label: Tag(f"R00{number}", label, "claim", "1.2")
    for number, label in enumerate(["claim-halved", "claim-copied"], start=1)
}


def build(folder: Path, monkeypatch: pytest.MonkeyPatch, page: str, other: str = OTHER) -> str:
    """Build two pages; what the build reported."""
    docs, output = folder / "docs", folder / "out"
    docs.mkdir()
    output.mkdir()
    toctree = "\n```{toctree}\nother\n```\n"
    (docs / "index.md").write_text(page + toctree, "utf-8")
    (docs / "other.md").write_text(other, "utf-8")
    settings = {
        "extensions": ["myst_nb", "check_directives", "claims", "tag_pages", "exports", "previews", "mathml"],
        "release": "1.2",
        "html_math_renderer": "mathml",
        "numfig": True,
        "nitpicky": True,
        "nb_execution_mode": "off",
        "nb_custom_formats": {".md": ["reader.notebook_of", {}, False]},
        "myst_enable_extensions": ["dollarmath"],
        "source_suffix": {".md": "myst-nb"},
    }
    monkeypatch.setattr("tags.load", lambda: TAGS)
    log = output / "log"
    with log.open("w", encoding="utf-8") as stream, patch_docutils(), docutils_namespace():
        trees = output / "doctrees"
        app = Sphinx(docs, None, output / "html", trees, "html", settings, status=None, warning=stream)
        try:
            app.build()
        except ExtensionError as error:
            stream.write(f"STOPPED {error}")
    del app
    gc.collect()
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text("utf-8"))


pytestmark = pytest.mark.filterwarnings("ignore")  # what the notebook machinery itself warns of


def test_a_claim_is_shown_with_all_that_belongs_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not build(tmp_path, monkeypatch, PAGE)
    site = tmp_path / "out" / "html"
    html = (site / "index.html").read_text("utf-8")
    shown = html[html.index('id="claim-copied"') :]
    assert re.match(r'[^>]*>\s*<h3 class="claim-statement"><span class="claim-number">Claim 2.</span>', shown)
    assert '<a class="headerlink" href="#claim-copied" title="Link to this claim">' in shown
    assert (
        '<strong class="true-under-conditions">True under conditions</strong> · law in expectation' in shown
    )
    assert 'href="t/R002.html"' in shown
    assert "<p>2 claims, the second" in html
    listed = html[html.index("claim-list") : html.index("</table>")]
    assert re.findall(r'href="#(claim-\w+)">(\d)</a>', listed) == [
        ("claim-halved", "1"),
        ("claim-copied", "2"),
    ]
    assert "<math" in listed
    assert re.findall(r"<td><p>([a-z ]+)</p></td>", listed) == ["false", "true under conditions"]
    assert "data-preview" not in html
    assert "<template" not in html


def test_a_link_to_it_has_its_preview_in_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, monkeypatch, PAGE)
    html = (tmp_path / "out" / "html" / "other.html").read_text("utf-8")
    assert '<a class="reference internal" data-preview="claim-copied" href="index.html#claim-copied">' in html
    template = html[html.index('<template id="preview-claim-copied">') : html.index("</template>")]
    assert re.sub(r"<[^>]*>|\s+", " ", template).split() == (
        ["It", "is", "copied.", "True", "under", "conditions", "·", "law", "in", "expectation"]
    )


def test_markdown_has_the_number_the_verdict_and_the_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path, monkeypatch, PAGE)
    site = tmp_path / "out" / "html"
    text = (site / "index.md").read_text("utf-8")
    assert "**Claim 1. The gradient $\\bar y$ is halved.**\n\n**False** · exact identity · [R001](" in text
    assert "| [2](#claim-copied) | It is copied. | true under conditions |" in text
    assert "This is [claim 2](index.md#claim-copied)." in (site / "other.md").read_text("utf-8")


def test_the_page_of_its_tag_has_the_whole_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, monkeypatch, PAGE)
    html = (tmp_path / "out" / "html" / "t" / "R001.html").read_text("utf-8")
    article = html[html.index("<h1") : html.index("</pre>")]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", article.replace("</h1>", " ")))
    assert text.startswith("R001, claim 1 On the page Claims, since version 1.2.")
    assert "is halved. False · exact identity It is copied, claim 2, as the other page says." in text
    assert "tag R001" in text
    assert 'href="https://thread.example/1"' in article
    assert 'href="../index.html#claim-halved"' in article
    assert "other.html" not in article


RIGHT = "```{claim} claim-x\n:verdict: false\n:kind: empirical\nIt is.\n\nNo: {glue:text}`n`.\n```\n"


@pytest.mark.parametrize(
    ("page", "line", "said"),
    [
        pytest.param(RIGHT.replace(":verdict: false\n", ""), 3, "claim-x has no verdict", id="no verdict"),
        pytest.param(
            RIGHT.replace("false", "half true"),
            4,
            "claim-x has the verdict 'half true'",
            id="unknown verdict",
        ),
        pytest.param(RIGHT.replace("empirical", "obvious"), 4, "the kind 'obvious'", id="unknown kind"),
        pytest.param(RIGHT.replace(":kind: empirical\n", ""), 3, "claim-x has no kind", id="no kind"),
        pytest.param(RIGHT + "\n" + RIGHT, 4, "two claims are labelled claim-x", id="same label twice"),
        pytest.param(RIGHT.replace("{glue:text}`n`", "7"), 4, "claim-x has no number", id="a typed number"),
        pytest.param(
            RIGHT.replace("It is.", "It is {glue:text}`n`.").replace("No: {glue:text}`n`.", "No."),
            4,
            "claim-x has no number",
            id="a number in the claim itself only",
        ),
        pytest.param(RIGHT.replace("claim-x", "x"), 4, "must begin with claim-", id="another label"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(page: str, line: int, said: str) -> None:
    found = list(faults(fences(page)))
    assert any(at == line and said in message for at, _, message in found), found


def test_a_right_claim_has_no_fault() -> None:
    for number in ("{glue}`n`", "{eq}`eq-a-b`", "{numref}`fig-a-b`"):
        assert not list(faults(fences(RIGHT.replace("{glue:text}`n`", number))))
    assert set(VERDICTS) == {"true", "true under conditions", "false"}
    assert "exact identity" in KINDS


@pytest.mark.parametrize(
    ("page", "other", "said"),
    [
        pytest.param(
            PAGE.replace(":verdict: false", ":verdict: maybe"), OTHER, r"index\.md:13:1: ERROR: .*'maybe'", id="verdict"
        ),
        pytest.param(PAGE, "# B\n\n{claim}`eq-copied`\n", r"STOPPED .*other\.md.*no label of a claim", id="no claim"),
        pytest.param(
            PAGE, "# B\n\n{claim}`claim-lost`\n", r"other\.md:\d+: WARNING: undefined label: 'claim-lost'", id="unknown"
        ),
    ],
)  # fmt: skip
def test_the_build_names_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, other: str, said: str
) -> None:
    log = build(tmp_path, monkeypatch, page, other)
    assert re.search(said, log), log
