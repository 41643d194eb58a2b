"""Execute a page once for each state of what it runs, and keep the outputs.

MyST-NB's own cache knows a notebook by its cells alone: after an edit of a module it serves stale outputs. Here
the outputs of a page lie in a file named by the `page_key` of its code, and MyST-NB is handed the executed
notebook to show. A file reaches its place by one renaming, so an interrupted build leaves nothing half done.
A page that cannot be executed is an error of the build, which goes on to find the others.

MyST-NB's settings for execution hold, except that every mode but "off" means this one, and that no error of a
page stops the build at once. Further settings, in ``conf.py``; paths are relative to its folder:

``page_keys_roots``
    Where modules are looked for, in this order. Modules from elsewhere count by the version of their library.
``page_keys_locks``
    Files on whose content every page depends: the lock of the environment.

The outputs lie in ``nb_execution_cache_path`` or else in ``cache`` beside the folder that is built.
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import nbformat
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import Parser as NotebookParser
from sphinx.util import logging

import kernels
from code_keys import digest, digest_of, page_key
from code_uses import CodeError

if TYPE_CHECKING:
    from docutils import nodes
    from nbformat import NotebookNode
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)
# Tags of cells that say how they are run; all others say how they are shown.
_RUN = frozenset({"raises-exception", "skip-execution"})
# A page is shown from the executed notebook, by the reader of that format.
_READER = "myst_nb.core.read.standard_nb_read"


@dataclass(frozen=True)
class Settings:
    """Where to look, and what every key holds besides a page's own code."""

    top: Path
    roots: tuple[Path, ...]
    cache: Path
    extra: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """What a page was when it was read; all but the cells are hashes."""

    text: str
    cells: tuple[str, ...] = ()
    settings: str = ""  # of its cells and its kernel
    key: str = ""
    depends: str = ""  # the files that Sphinx knows it to depend on
    failed: bool = False


class Parser(NotebookParser):  # type: ignore[misc]
    """MyST-NB's parser for pages that are executed here."""

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Parse a page, executing it unless it has been executed as it is."""
        env: Any = document.settings.env
        shared, source = env.mystnb_config, Path(env.doc2path(env.docname))
        reader = create_nb_reader(str(source), env.myst_config, shared, inputstring)
        page = Page(digest_of(source))
        if reader:
            notebook = reader.read(inputstring)
            page = _with_outputs(env, env.docname, page, notebook)
            formats: dict[str, Any] = {str(source): (_READER, {}, reader.md_config.commonmark_only)}
            env.mystnb_config = shared.copy(execution_mode="off", custom_formats=formats)
            inputstring = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        try:
            super().parse(inputstring, document)
        finally:
            env.mystnb_config = shared
        pages_of(env)[env.docname] = page


def _with_outputs(env: Any, docname: str, page: Page, notebook: NotebookNode) -> Page:
    """Put the outputs of its code into a page's notebook."""
    config = env.mystnb_config
    config = config.copy(**_take_execution_options(notebook, config))
    page = _with_code(page, notebook)
    if not page.cells or config.execution_mode == "off":
        return page
    try:
        page = replace(page, key=key_of(env, docname, page))
        place = outputs_of(env, docname, page)
        if not place.is_file():
            _run(env, docname, notebook, config)
            if page.key != key_of(env, docname, page):
                return page  # executed while its code was edited: shown now, and executed again by the next build
            _keep(place, notebook)
        _fill(notebook, nbformat.read(place, 4))  # type: ignore[no-untyped-call]
    except CodeError as error:
        return _failed(page, str(error), (docname, None))
    except kernels.CellError as error:
        line = notebook.metadata.get("source_map", {error.cell: 0})[error.cell] + 1
        return _failed(page, f"the cell did not come to its end: {error}", (docname, line))
    return page


def _failed(page: Page, message: str, location: tuple[str, int | None]) -> Page:
    logger.error(message, location=location)
    return replace(page, failed=True)


def _take_execution_options(notebook: NotebookNode, config: Any) -> dict[str, Any]:
    """Take the page's own settings for execution out of its front matter: MyST-NB would follow them too."""
    options = notebook.metadata.get(config.metadata_key, {})
    return {name: options.pop(name) for name in list(options) if name.startswith("execution_")}


def _with_code(page: Page, notebook: NotebookNode) -> Page:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run = [sorted(_RUN.intersection(cell.metadata.get("tags", []))) for cell in code]
    settings = json.dumps([notebook.metadata.get("kernelspec"), run], sort_keys=True)
    return replace(page, cells=tuple(cell.source for cell in code), settings=digest(settings))


def key_of(env: Any, docname: str, page: Page) -> str:
    """Hash all that a page runs, as it is now.

    Raises
    ------
    CodeError
        It cannot be said what the page runs.
    """
    settings: Settings = env.page_keys_settings
    return page_key(
        page.cells,
        roots=settings.roots,
        top=settings.top,
        folder=Path(env.doc2path(docname)).parent,
        extra=[docname, page.settings, *settings.extra],
    )


def outputs_of(env: Any, docname: str, page: Page) -> Path:
    """Name the file that holds the outputs of a page."""
    cache: Path = env.page_keys_settings.cache
    return cache / f"{docname.replace('/', '.')}-{page.key[:24]}.ipynb"


def _run(env: Any, docname: str, notebook: NotebookNode, config: Any) -> None:
    _forget_bytecode(env.page_keys_settings.roots)
    with (
        TemporaryDirectory()
        if config.execution_in_temp
        else nullcontext(env.doc2path(docname).parent) as folder
    ):
        kernels.run(
            notebook,
            Path(folder),
            timeout=config.execution_timeout,
            allow_errors=config.execution_allow_errors,
        )


def _forget_bytecode(roots: tuple[Path, ...]) -> None:
    """Remove what Python compiled: it trusts that by the date and size of the source, and here content decides."""
    for root in roots:
        for compiled in root.rglob("*.pyc"):
            compiled.unlink(missing_ok=True)


def _keep(place: Path, notebook: NotebookNode) -> None:
    begun = place.with_suffix(f".{os.getpid()}")
    place.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, begun)  # type: ignore[no-untyped-call]
    begun.replace(place)


def _fill(notebook: NotebookNode, executed: NotebookNode) -> None:
    """Take the outputs over, always from the file: the first showing and every later one are the same."""
    if "language_info" in executed.metadata:
        notebook.metadata["language_info"] = executed.metadata["language_info"]
    kept = [cell for cell in executed.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            done = kept.pop(0)
            cell.outputs, cell.execution_count = done.outputs, done.execution_count


def pages_of(env: Any) -> dict[str, Page]:
    """Give what is known of the pages that have been read."""
    if not hasattr(env, "page_keys"):
        env.page_keys = {}
    pages: dict[str, Page] = env.page_keys
    return pages


def prepare(app: Sphinx) -> None:
    """Note what holds for all pages of this build."""
    top, config, env = Path(app.confdir), app.config, app.env
    kernel = [f"{name}={value}" for name, value in sorted(kernels.environment(app).items())]
    env.page_keys_settings = Settings(  # type: ignore[attr-defined]
        top=top,
        roots=tuple(top / root for root in config.page_keys_roots),
        cache=Path(top, config.nb_execution_cache_path or Path(app.outdir).parent / "cache"),
        extra=(
            *(digest_of(top / lock) for lock in config.page_keys_locks),
            *kernel,
            f"errors allowed: {config.nb_execution_allow_errors}",
        ),
    )


def purge(app: Sphinx, env: Any, docname: str) -> None:
    """Forget a page that is about to be read again or is gone."""
    pages_of(env).pop(docname, None)


def merge(app: Sphinx, env: Any, docnames: set[str], other: Any) -> None:
    """Take over the pages that another process has read."""
    pages_of(env).update({name: page for name, page in pages_of(other).items() if name in docnames})


def finish(app: Sphinx, exception: Exception | None) -> None:
    """After a build, remove all files but those that a page was shown from; fail if a page failed."""
    if exception is None:
        pages = pages_of(app.env)
        if any(page.failed for page in pages.values()):
            app.statuscode = 1
        keep = {outputs_of(app.env, docname, page) for docname, page in pages.items()}
        for place in app.env.page_keys_settings.cache.glob("*-" + "[0-9a-f]" * 24 + ".*"):  # type: ignore[attr-defined]
            if place not in keep:
                place.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Put the executing parser in the place of MyST-NB's."""
    app.setup_extension("myst_nb")
    app.setup_extension("kernels")
    app.add_config_value("page_keys_roots", ["src"], "env", [list, tuple])
    app.add_config_value("page_keys_locks", [], "env", [list, tuple])
    app.add_source_parser(Parser, override=True)
    app.connect("builder-inited", prepare, priority=900)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("build-finished", finish)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
