"""What stands around every page: its facts below the title, its forms and its citation below the text.

Facts: minutes of reading, the pages that it rests on and those that rest on it. Forms: notebook, script, Markdown,
source; where the site has public addresses, also the links that edit it, report it or open it elsewhere.
"""

from __future__ import annotations

import math
import re
import subprocess
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import page_graph
from addresses import address
from exports import has_code
from folds import in_fold

#: Words a minute, and seconds for an equation or a figure that is read with care.
_WORDS, _SECONDS = 230, 8
#: What a page's table of contents lists below its title.
_BELOW_TITLE = re.compile(r"\A\s*<ul>\s*<li>.*?</a>\s*(<ul>.*</ul>)\s*</li>\s*</ul>\s*\Z", re.DOTALL)


def minutes(doctree: nodes.document) -> int:
    """How long a page takes to read: its words outside of folds and code, its equations and figures."""
    words = seconds = 0
    for node in doctree.findall(nodes.Element):
        if in_fold(node):
            continue
        if isinstance(node, nodes.math_block | nodes.figure) or "derivation" in node:
            seconds += _SECONDS
        elif isinstance(node, nodes.paragraph | nodes.title | nodes.caption | nodes.term):
            words += len(node.astext().split())
    return max(1, math.ceil(words / _WORDS + seconds / 60))


def _asks(doctree: nodes.document) -> bool:
    """Whether it is a page to be read, with a question; lists and indexes are looked up."""
    return any("question" in paragraph["classes"] for paragraph in doctree.findall(nodes.paragraph))


def add_tools(
    app: Sphinx, docname: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the facts below the title and the forms below the text."""
    if doctree is None or app.builder.name != "html" or "body" not in context:
        return
    head, mark, rest = context["body"].partition("</h1>")
    if not mark:
        return
    facts = ""
    if docname != app.config.root_doc and _asks(doctree):
        facts = _facts(app, docname, doctree) + _contents(context.get("toc", ""))
    context["body"] = head + mark + facts + rest + _tools(app, docname)


def _facts(app: Sphinx, docname: str, doctree: nodes.document) -> str:
    parts = [f"{minutes(doctree)} min"]
    for words, pages in (("needs", page_graph.needs), ("leads to", page_graph.leads_to)):
        if found := pages(app.env).get(docname):
            parts.append(f"{words} " + ", ".join(_link(app, docname, page) for page in found))
    return f'<p class="page-facts">{" · ".join(parts)}</p>'


def _link(app: Sphinx, docname: str, page: str) -> str:
    title = escape(app.env.titles[page].astext())
    name = escape(page_graph.short_name(app.env, page))
    return f'<a href="{app.builder.get_relative_uri(docname, page)}" title="{title}">{name}</a>'


def _contents(toc: str) -> str:
    """The headings of a page, folded, for screens that have no room for them beside the text."""
    below = _BELOW_TITLE.search(toc)
    if not below or below[1].count("<li>") < 2:
        return ""
    return (
        '<details class="page-contents"><summary>On this page</summary>'
        f'<nav aria-label="On this page">{below[1]}</nav></details>'
    )


def _tools(app: Sphinx, docname: str) -> str:
    forms = "".join(f'<li><a href="{escape(uri)}">{words}</a></li>' for words, uri in _forms(app, docname))
    changed = last_changed(app.confdir, source_file(app, docname))
    dated = f"<p>Last changed {changed}.</p>" if changed else ""
    return (
        '<aside class="page-tools" aria-label="This page in other forms">'
        f"<ul>{forms}</ul>{dated}"
        f"<details><summary>Cite this page</summary><pre>{escape(bibtex(app, docname))}</pre></details></aside>"
    )


#: The whole site in one file, and the names of its addresses.
_BOOKS = (("All pages as PDF", "pdf"), ("All pages as EPUB", "epub"))


def _forms(app: Sphinx, docname: str) -> list[tuple[str, str]]:
    """The forms of a page and their addresses."""
    name = Path(docname).name
    top = "../" * docname.count("/")
    found = [("Markdown", f"{name}.md"), ("Source", f"{top}_sources/{docname}.md.txt")]
    if has_code(app.env, docname):
        found = [("Notebook", f"{name}.ipynb"), ("Python", f"{name}.py"), *found]
        for words in ("Colab", "Binder"):
            if opener := address(app.config, words.lower()):
                found.append((f"Open in {words}", opener.replace("{page}", quote(docname))))
    books = [(words, address(app.config, name)) for words, name in _BOOKS]
    return found + [book for book in books if book[1]] + _on_repository(app, docname)


def _on_repository(app: Sphinx, docname: str) -> list[tuple[str, str]]:
    if not (repository := address(app.config, "repository")):
        return []
    about = {"title": f"On the page {docname} ({app.config.release})"}
    return [
        ("Edit", f"{repository}/edit/main/{source_file(app, docname)}"),
        ("Report an error", f"{repository}/issues/new?{urlencode(about, quote_via=quote)}"),
    ]


def source_file(app: Sphinx, docname: str) -> str:
    """The page's file, from the top of the project."""
    path = Path(app.env.doc2path(docname))
    return path.relative_to(app.confdir).as_posix() if path.is_relative_to(app.confdir) else path.name


def bibtex(app: Sphinx, docname: str, tag: str = "") -> str:
    """An entry for a page, or for what has a tag on it; it names the version, and the address if there is one."""
    site = address(app.config, "site")
    key = tag or docname.removesuffix("/index").replace("/", "-")
    fields = {
        "author": f"{{{app.config.author}}}",
        "title": app.env.titles[docname].astext() if docname else app.config.project,
        "howpublished": f"{app.config.project}, version {app.config.release}"
        + (f", tag {tag}" if tag else ""),
        "year": app.config.copyright[:4],
        **({"url": f"{site}/{f't/{tag}' if tag else docname}.html"} if site else {}),
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{resgrad-{key},\n{lines}\n}}"


def last_changed(top: Path | str, source: str) -> str:
    """The day of the last commit that changed a file; empty without a full history."""
    return _days(str(top)).get(source, "")


@cache
def _days(top: str) -> dict[str, str]:
    """File -> day of its last commit, read in one go."""
    if _git(top, "rev-parse", "--is-shallow-repository").strip() != "false":
        return {}
    days: dict[str, str] = {}
    for block in _git(top, "log", "--format=%x00%cs", "--name-only", "--relative", "--", "docs").split("\0")[
        1:
    ]:
        day, *files = block.split("\n")
        for file in filter(None, files):
            days.setdefault(file, day)
    return days


def _git(top: str, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=top, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def report_address(env: BuildEnvironment, tag: str) -> str:
    """Where an error in an equation is reported; empty if the site has no repository."""
    repository = address(env.config, "repository")
    title = urlencode({"title": f"Error in equation {tag} ({env.config.release})"}, quote_via=quote)
    return f"{repository}/issues/new?{title}" if repository else ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the tools when a page is written, after its other forms."""
    app.setup_extension("exports")
    app.connect("html-page-context", add_tools)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
