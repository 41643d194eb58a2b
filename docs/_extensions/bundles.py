"""The style sheets of the pages as one file, and the scripts that all pages have as another.

A first visit asks for three files and the font instead of for sixteen files: each costs the browser some
milliseconds in which it could have set formulas. The files stand in ``_static`` beside those that they are made of,
and are made of the same ones on every page, so that they are fetched once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from zlib import crc32

#: Scripts that few pages have; they keep an element of their own.
OF_SOME_PAGES = {"js/explorers.js", "language_data.js", "searchtools.js"}

_SHEET = re.compile(r'\s*<link rel="stylesheet"[^>]*\shref="([^"]*)_static/([^"?]*)[^"]*"[^>]*>')
_SCRIPT = re.compile(r'<script\b[^>]*\ssrc="([^"]*)_static/([^"?]*)[^"]*"[^>]*></script>')
_KINDS = (
    (_SHEET, "css/site.css", '<link rel="stylesheet" href="{}">'),
    (_SCRIPT, "js/site.js", '<script defer src="{}"></script>'),
)
#: An address in a sheet that is relative to where the sheet stands.
_BESIDE = re.compile(r"""url\((?!\s*["']?(?:data:|#))|@import""")
_MAP = re.compile(r"(?://|/\*)# sourceMappingURL=[^\s*]*(?:\s*\*/)?")


class Bundles:
    """The joint files of a site whose static files are in `static`; called with a page, they take its place."""

    def __init__(self, static: Path) -> None:
        self._static = static
        self._written: dict[str, tuple[list[str], str]] = {}

    def __call__(self, html: str) -> str:
        """Return a page that asks for the joint files; the second time, nothing changes.

        Raises
        ------
        ValueError
            For a page with other files than those before, and for a sheet that names a file beside it.
        """
        for pattern, target, element in _KINDS:
            found = [one for one in pattern.finditer(html) if one[2] not in OF_SOME_PAGES]
            names = [one[2] for one in found]
            if not found or names == [target]:
                continue
            address = f"{found[0][1]}_static/{target}?v={self._write(target, names)}"
            for one in reversed(found):
                new = element.format(address) if one is found[0] else ""
                html = html[: one.start()] + new + html[one.end() :]
        return html

    def _write(self, target: str, names: list[str]) -> str:
        """Write a joint file, once; return a key of what it holds."""
        known = self._written.get(target)
        if known is None:
            text = "\n".join(self._text(name, target) for name in names)
            path = self._static / target
            path.parent.mkdir(exist_ok=True)
            # Several processes write pages, and each of them this.
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(text, "utf-8")
            part.replace(path)
            known = self._written[target] = (names, f"{crc32(text.encode()):08x}")
        if known[0] != names:
            other = ", ".join(sorted(set(names) ^ set(known[0]))) or "their order"
            raise ValueError(f"{target} is for all pages, and this one differs from those before in: {other}")
        return known[1]

    def _text(self, name: str, target: str) -> str:
        text = _MAP.sub("", (self._static / name).read_text("utf-8")).strip()
        if not target.endswith(".css"):
            return f"{text}\n;"
        if Path(name).parent != Path(target).parent and (beside := _BESIDE.search(text)):
            raise ValueError(f"{name} names a file ({beside[0]}) and cannot become a part of {target}")
        return text
