"""What other sites show of a page that is linked there: its title, its description and a card with both.

The pictures need whole addresses, so there are cards only where the site has one. A page of its own gets a card of
its own, a generated page (a tag, an index) the card of the site.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from html import escape, unescape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from addresses import address
from resgrad.lab.palette import PALETTE

#: In pixels, as sites that show cards ask for.
WIDTH, HEIGHT = 1200, 630
_DESCRIPTION = re.compile(r'<meta name="description" content="([^"]*)"')


def add_card(
    app: Sphinx, docname: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the tags of the Open Graph protocol into a page's head (ogp.me), after its description is there."""
    if app.builder.name != "html":
        return
    title = unescape(re.sub(r"<[^>]*>", "", context.get("title", ""))) or app.config.project
    found = _DESCRIPTION.search(context.get("metatags", ""))
    about = unescape(found[1]) if found else app.config.summary
    tags = {"og:type": "article" if doctree else "website", "og:site_name": app.config.project}
    tags |= {"og:title": title, "og:description": about}
    if site := address(app.config, "site"):
        own = doctree is not None and docname != app.config.root_doc
        words = (title, about) if own else (app.config.project, app.config.summary)
        tags |= {
            "og:url": f"{site}/{app.builder.get_target_uri(docname)}",
            "og:image": f"{site}/{_card(app, docname if own else 'site', *words)}",
            "og:image:width": str(WIDTH),
            "og:image:height": str(HEIGHT),
            "og:image:alt": f"{words[0]}. {words[1]}",
        }
    lines = [f'<meta property="{name}" content="{escape(value)}" />' for name, value in tags.items()]
    lines.append('<meta name="twitter:card" content="summary_large_image" />')
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def _card(app: Sphinx, docname: str, title: str, about: str) -> str:
    """Draw the card of a page unless it is there already, and return its address below the site's."""
    version = hashlib.sha256(f"{title}\n{about}".encode()).hexdigest()[:8]
    place = f"_images/cards/{docname.replace('/', '-')}.{version}.png"
    path = Path(app.outdir, place)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(app.config.project, title, about))
    return place


def draw(project: str, title: str, about: str) -> bytes:
    """A card as PNG: the mark and the name of the site, the title, the description.

    Parameters
    ----------
    project, title, about : str
        Plain text; what does not fit is cut with an ellipsis.

    Returns
    -------
    bytes
        The same for the same words: no date is written.
    """
    import io

    from matplotlib.figure import Figure

    ink, muted, skip, branch = (PALETTE[role].light for role in ("ink", "muted", "skip", "branch"))
    canvas = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    axes = canvas.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    # The mark: the bus, and the branch that leaves it and comes back.
    axes.plot((72, 216), (524, 524), color=skip, linewidth=9, solid_capstyle="butt")
    axes.plot((108, 108, 180, 180), (524, 572, 572, 524), color=branch, linewidth=5, solid_joinstyle="miter")
    axes.text(244, 534, project, size=22, color=muted, va="center")
    lines = textwrap.wrap(title, 36, max_lines=4, placeholder=" …")
    axes.text(72, 448, "\n".join(lines), size=34, color=ink, weight="bold", va="top", linespacing=1.25)
    below = textwrap.wrap(about, 78, max_lines=3, placeholder=" …")
    axes.text(72, 48, "\n".join(below), size=19, color=muted, va="bottom", linespacing=1.35)
    written = io.BytesIO()
    canvas.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the tags after the description."""
    app.setup_extension("site_files")
    app.connect("html-page-context", add_card, priority=700)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
