"""Faults planted in a page stop the build, each with its file, line and column, and nothing is written."""

import gc
import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace, patch_docutils

from checking import Record

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_extensions"
RIGHT = """
```{math}
:label: eq-page-right
y = x W
```

```{check} eq-page-right
>>> import numpy as np
>>> from resgrad import agree
>>> x, W = np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
>>> y = x @ W
!= y = x W^\\top   % transposed
```
"""

# What is planted, where the mark ! stands in it, and what the build must say.
PLANTED = {
    "a display without a label": ("```{math}\n!y = x W\n```", "without a label"),
    "a display between dollars": ("!$$\ny = x W\n$$", "without a label"),
    "a nested display without a label": ("> ```{math}\n> !y = x\n> ```", "without a label"),
    "a label without a check": ("```{math}\n:label: eq-page-a\n!y = x W\n```", "eq-page-a has no check"),
    "a check without a display": (
        "```{check} eq-page-b\n!>>> 1\n1\n!= y = x\n```",
        "no display of this page",
    ),
    "a check without a label": ("```{check}\n!>>> 1\n1\n```", "a check without a label"),
    "two checks of one label": (
        "```{math}\n:label: eq-page-c\ny = x W\n```\n\n```{check} eq-page-c\n!!= y = 2 x W\n```\n\n"
        "```{check} eq-page-c\n!= y = 2 x W\n```",
        "two checks of eq-page-c",
    ),
    "no near miss": (
        "```{math}\n:label: eq-page-d\ny = x W\n```\n\n```{check} eq-page-d\n!>>> 1\n1\n```",
        "no near miss",
    ),
    "only a near miss that its shapes reject": (
        "```{math}\n:label: eq-page-e\ny = x W\n```\n\n```{check} eq-page-e\n!!= y = W x\n```",
        "no near miss that its numbers reject",
    ),
    "a statement that does not hold": (
        "```{math}\n:label: eq-page-f\n!y = x W^\\top\n```\n\n```{check} eq-page-f\n!= y = 2 x W\n```",
        "eq-page-f: does not hold",
    ),
    "a near miss that is too near": (
        "```{math}\n:label: eq-page-g\ny = x W\n```\n\n"
        "```{check} eq-page-g\n!= y = 2 x W\n!!= y = 1.0001 x W\n```",
        "near miss off by 0.0001 only",
    ),
    "a name that the notation table lacks": (
        "```{math}\n:label: eq-page-h\ny = x !\\Xi\n```\n\n```{check} eq-page-h\n!= y = 2 x W\n```",
        "eq-page-h",
    ),
    "a name that the page does not bind": (
        "```{math}\n:label: eq-page-i\ny = x !J_F\n```\n\n```{check} eq-page-i\n!= y = 2 x W\n```",
        "J_F",
    ),
    "a near miss that cannot be read": (
        "```{math}\n:label: eq-page-j\ny = x W\n```\n\n"
        "```{check} eq-page-j\n!= y = 2 x W\n!= y = !\\wrong x\n```",
        "near miss",
    ),
    "an example whose output differs": (
        "```{math}\n:label: eq-page-k\ny = x W\n```\n\n"
        "```{check} eq-page-k\n!>>> 1 + 1\n3\n!= y = 2 x W\n```",
        "gave '2', not '3'",
    ),
    "a verdict that is not of agree": (
        "```{math}\n:label: eq-page-l\ny = x W\n```\n\n"
        "```{check} eq-page-l\n!>>> bool(1)\nTrue\n!= y = 2 x W\n```",
        "lone agree",
    ),
    "an unevaluated equation without a near miss": (
        "```{math}\n:label: eq-page-m\ny \\approx x\n```\n\n"
        "```{check} eq-page-m\n:not-evaluated: a limit\n!>>> agree(y, y)\nTrue\n```",
        "state a near miss",
    ),
    "a labelled display that is nested": (
        "````{note}\n!```{math}\n:label: eq-page-o\ny = 7 x W\n```\n````",
        "eq-page-o is shown but is no fence at the top level",
    ),
    "a labelled display between dollars": (
        "!$$\ny = 7 x W\n$$ (eq-page-p)",
        "eq-page-p is shown but is no fence at the top level",
    ),
    "an equation on the line of its fence": (
        "```{math} y = 7 x W\n:label: eq-page-q\n!y = x W\n```\n\n```{check} eq-page-q\n!= y = 2 x W\n```",
        "shown and not evaluated",
    ),
    "rows that are read but not shown": (
        "```{math}\n:label: eq-page-r\n!y = x W \\\\ y = x W\n```\n\n```{check} eq-page-r\n!= y = 2 x W\n```",
        "a row break outside aligned",
    ),
    "a mark written by hand": (
        "```{checked} eq-page-right\n!{record}\n```",
        "{checked} is written by a check",
    ),
    "a tolerance that lets anything pass": (
        "```{math}\n:label: eq-page-s\ny = 7 x W\n```\n\n```{check} eq-page-s\n:rtol: 3\n!!= y = 2 x W\n```",
        "rtol is 3",
    ),
    "a line that nothing reads": (
        "```{math}\n:label: eq-page-t\ny = x W\n```\n\n```{check} eq-page-t\n!!=y = x W\n\n!= y = 2 x W\n```",
        "is neither an example nor a near miss",
    ),
    "a thing compared with itself": (
        "```{math}\n:label: eq-page-u\ny = x W\n```\n\n"
        "```{check} eq-page-u\n!>>> agree(y, y)\nTrue\n!= y = 2 x W\n```",
        "compares a thing with itself",
    ),
    "an example that is skipped": (
        "```{math}\n:label: eq-page-v\ny = x W\n```\n\n"
        "```{check} eq-page-v\n!>>> agree(y, 2 * y)  # doctest: +SKIP\nTrue\n!= y = 2 x W\n```",
        "no doctest directive",
    ),
    "code that nothing runs": ("!```python\n1 + 1\n```", "nothing runs this code"),
    "a code-block": ("!```{code-block} python\n1 + 1\n```", "nothing runs this code"),
    "an indented code block": ("para\n\n    !1 + 1\n", "nothing runs this code"),
}

#: What a check that holds leaves behind; here for a mark that somebody writes by hand.
RECORD = json.dumps(asdict(Record("eq-page-right", "", "", 1e-12, "", 0.0, None, (), (), ())))


def write(page: Path, fragments: list[str]) -> list[tuple[int, int]]:
    """Write a page and return where the mark of each fragment stood; a doubled mark stands before a near miss."""
    text, places = "# Page\n" + RIGHT, []
    for fragment in (fragment.replace("{record}", RECORD) for fragment in fragments):
        at = re.search(r"!(?!= )|!(?=!=)", fragment)
        assert at is not None
        before = (text + "\n" + fragment[: at.start()]).split("\n")
        places.append((len(before), len(before[-1]) + 1))
        text += "\n" + fragment[: at.start()] + fragment[at.end() :] + "\n"
    page.write_text(text, "utf-8")
    return places


def build(docs: Path, output: Path) -> str:
    """Build the pages of `docs`; what the build reported."""
    settings = {
        "extensions": ["myst_nb", "check_directives"],
        "nb_custom_formats": {".md": ["reader.notebook_of", {}, False]},
        "nb_execution_mode": "cache",
        "nb_execution_cache_path": str(output / "cache"),
        "nb_render_markdown_format": "myst",
        "nb_mime_priority_overrides": [("*", "text/markdown", 1)],
        "myst_enable_extensions": ["dollarmath"],
        "source_suffix": {".md": "myst-nb"},
    }
    log = output / "log"
    output.mkdir(exist_ok=True)
    with log.open("w", encoding="utf-8") as stream, patch_docutils(), docutils_namespace():
        app = Sphinx(
            docs, None, output / "html", output / "doctrees", "html", settings, status=None, warning=stream
        )
        try:
            app.build()
        except ExtensionError as error:
            stream.write(f"STOPPED {error}")
    del app
    gc.collect()  # of the cache's connections here, where what they warn of is known, not in a later test
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text("utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(EXTENSIONS))
    (tmp_path / "docs").mkdir()
    return tmp_path


@pytest.mark.filterwarnings("ignore")  # what the notebook machinery itself warns of
def test_every_planted_fault_is_reported_at_its_place_and_nothing_is_written(project: Path) -> None:
    page = project / "docs" / "index.md"
    places = write(page, [fragment for fragment, _ in PLANTED.values()])
    log = build(project / "docs", project / "out")
    missed = [
        f"{what}: expected {message!r} at {line}:{column}"
        for (what, (_, message)), (line, column) in zip(PLANTED.items(), places, strict=True)
        if not re.search(rf"index\.md:{line}:\d+: ERROR: .*{re.escape(message)}", log)
    ]
    assert not missed, "\n".join(missed) + "\n" + log
    assert "STOPPED" in log
    assert not (project / "out" / "html" / "index.html").exists()
    assert "STOPPED" in build(project / "docs", project / "out"), "a second build passed over the faults"


@pytest.mark.filterwarnings("ignore")
def test_a_right_page_builds_with_its_mark(project: Path) -> None:
    write(project / "docs" / "index.md", [])
    (project / "docs" / "prose.md").write_text(
        "---\norphan: true\n---\n\n# No equation and no code\n", "utf-8"
    )
    log = build(project / "docs", project / "out")
    assert not log
    html = (project / "out" / "html" / "index.html").read_text("utf-8")
    assert (
        "evaluated from this TeX; holds within 1e\N{NON-BREAKING HYPHEN}12; rejects 1 near miss, off by 0."
        in html
    )
    assert (project / "out" / "html" / "checks.json").exists()
