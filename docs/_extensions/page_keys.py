"""Read a page again when what it shows may have changed: contents, never dates.

Sphinx reads a page again when a file is younger than the last reading. Here it is also read again when its text,
the key of what it runs (`executions`), a file that it depends on or the code of an extension is another than it
was. A build that was interrupted, failed or warned leaves a mark, and the next one reads all pages again; none is
executed that was executed as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code_keys import digest, digest_of, page_key
from code_uses import CodeError
from executions import Page, Settings, key_of, pages_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Find the pages to read again that Sphinx does not know of."""
    code = _extensions(app)
    before = getattr(env, "page_keys_code", code)
    env.page_keys_code = code  # type: ignore[attr-defined]
    if before != code or _mark(app).exists():
        return set(env.found_docs)
    return {docname for docname in env.found_docs - added - changed if _changed(env, docname)}


def _extensions(app: Sphinx) -> str:
    """Hash the code that reads and writes pages, as far as it lies below the roots, and its files."""
    readers = [str(reader).rpartition(".")[0] for reader, *_ in app.config.nb_custom_formats.values()]
    code = [f"import {name}" for name in [*app.config.extensions, *filter(None, readers)]]
    settings: Settings = app.env.page_keys_settings  # type: ignore[attr-defined]
    return page_key(code, roots=settings.roots, top=settings.top, folder=settings.top, strict=False)


def _changed(env: Any, docname: str) -> bool:
    page = pages_of(env).get(docname)
    if page is None or page.text != digest_of(Path(env.doc2path(docname))):
        return True
    try:
        return page.depends != _depends(env, docname) or (
            page.key != "" and page.key != key_of(env, docname, page)
        )
    except CodeError:  # reading the page says where
        return True


def _depends(env: Any, docname: str) -> str:
    return digest(*(digest_of(Path(env.srcdir, name)) for name in sorted(env.dependencies.get(docname, ()))))


def note_dependencies(app: Sphinx, env: BuildEnvironment) -> None:
    """Note what the pages just read depend on; pages of other parsers are known from here on."""
    pages = pages_of(env)
    for docname in env.found_docs:
        page = pages.get(docname) or Page(digest_of(Path(env.doc2path(docname))))
        if not page.depends:
            pages[docname] = replace(page, depends=_depends(env, docname))


def _mark(app: Sphinx) -> Path:
    return Path(app.doctreedir) / "unfinished"


def begin(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Leave the mark of a build that has begun to read."""
    if docnames:
        _mark(app).touch()


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Remove the mark unless the next build has something to say again."""
    if exception is None and not app._warncount:  # Sphinx has no public count
        _mark(app).unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Wire the keys into a build."""
    app.setup_extension("executions")
    app.connect("env-get-outdated", outdated)
    app.connect("env-before-read-docs", begin)
    app.connect("env-updated", note_dependencies)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
