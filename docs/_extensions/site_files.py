"""Files of the whole site: ``llms.txt``, ``references.bib`` and, where it has an address, ``sitemap.xml``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from sphinx.application import Sphinx

from addresses import address
from page_graph import reading_order
from page_tools import last_changed, source_file


def write_files(app: Sphinx, exception: Exception | None) -> None:
    """Write the files once all pages are there."""
    if exception is not None or app.builder.name != "html":
        return
    top = Path(app.outdir)
    (top / "llms.txt").write_text(llms(app), "utf-8")
    for file in getattr(app.config, "bibtex_bibfiles", []):
        shutil.copyfile(Path(app.confdir, file), top / Path(file).name)
    if site := address(app.config, "site"):
        (top / "sitemap.xml").write_text(sitemap(app, site), "utf-8")
        (top / "robots.txt").write_text(f"User-agent: *\nSitemap: {site}/sitemap.xml\n", "utf-8")


def llms(app: Sphinx) -> str:
    """What the site is and where the Markdown of each page lies, in the order of reading (llmstxt.org)."""
    site = address(app.config, "site")
    top = f"{site}/" if site else ""
    pages = [f"- [{app.env.titles[page].astext()}]({top}{page}.md)" for page in reading_order(app.env)]
    return "\n".join(
        [f"# {app.config.project}", "", f"> {app.config.summary}", "", "## Pages", "", *pages, ""]
    )


def sitemap(app: Sphinx, site: str) -> str:
    """The addresses of all pages with the day of their last change (sitemaps.org, 0.9)."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
    ]
    for page in reading_order(app.env):
        day = last_changed(app.confdir, source_file(app, page))
        changed = f"<lastmod>{day}</lastmod>" if day else ""
        lines.append(f"<url><loc>{escape(site)}/{app.builder.get_target_uri(page)}</loc>{changed}</url>")
    return "\n".join([*lines, "</urlset>", ""])


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the files when the build has finished."""
    app.setup_extension("page_tools")
    app.add_config_value("summary", "", "html", str)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
