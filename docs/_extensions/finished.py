"""Every page goes through the last steps before it is written, once; no page is read or written again for them.

A step is a function of a page's HTML. What it raises stops the build, which then names the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.jinja2glue import BuiltinTemplateLoader

from accessible import accessible
from bundles import Bundles
from deferred import deferred
from entries import entries
from policy import with_policy


class Templates(BuiltinTemplateLoader):
    """Sphinx's templates, and behind them the steps."""

    def __init__(self) -> None:
        self.bundles = Bundles()

    def render(self, template: str, context: dict[str, Any]) -> str:  # type: ignore[override]
        """Write a page of the site, finished; what is no page of a site comes out as it is."""
        page = super().render(template, context)
        if template.endswith(".html") and context.get("builder") in ("html", "dirhtml", "singlehtml"):
            # The policy is the last: it holds hashes of what stands in the page.
            page = with_policy(self.bundles(deferred(entries(accessible(page)))))
        return page


def write_bundles(app: Sphinx, exception: Exception | None) -> None:
    """Write what all pages ask for."""
    templates = getattr(app.builder, "templates", None)
    if exception is None and isinstance(templates, Templates):
        templates.bundles.write(Path(app.outdir, "_static"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Put these templates in the place of Sphinx's."""
    app.config.template_bridge = f"{__name__}.{Templates.__name__}"
    app.connect("build-finished", write_bundles, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
