"""The style sheets of the pages as one file, and the scripts that all pages have as another.

A first visit asks for three files and the font instead of for sixteen files: each costs the browser some
milliseconds in which it could have set formulas. The files stand in ``_static`` beside those that they are made of,
and are made of the same ones on every page, so that they are fetched once. They are written last: the theme finishes
its own when all pages are there.

The sheet has no comments: they would cost a slow connection a round trip. The theme's script waits for the first
frame.
"""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

#: Scripts that few pages have; they keep an element of their own.
OF_SOME_PAGES = {"js/explorers.js", "language_data.js", "searchtools.js"}

_SHEET = re.compile(r'\s*<link rel="stylesheet"[^>]*\shref="([^"]*)_static/([^"?]*)([^"]*)"[^>]*>')
_SCRIPT = re.compile(r'<script\b[^>]*\ssrc="([^"]*)_static/([^"?]*)([^"]*)"[^>]*></script>')
_KINDS = (
    (_SHEET, "css/site.css", '<link rel="stylesheet" href="{}">'),
    (_SCRIPT, "js/site.js", '<script defer src="{}"></script>'),
)
#: An address in a sheet that is relative to where the sheet stands.
_BESIDE = re.compile(r"""url\((?!\s*["']?(?:data:|#))|@import""")
#: A comment, or a string, which may hold what looks like one.
_COMMENT = re.compile(r"""("[^"]*"|'[^']*')|\s*/\*.*?\*/\s*""", re.DOTALL)
#: The theme's script asks at once how far the page is scrolled, and later where each heading stands: before the first
#: frame, the page would be laid out for it twice. It waits for an event that has been by then.
_AFTER_THE_FIRST_FRAME = {"scripts/furo.js"}
_LATE = """requestAnimationFrame(function () {{
  setTimeout(function () {{
    document.addEventListener = function (type, act) {{ setTimeout(act); }};
    try {{
{}
    }} finally {{ delete document.addEventListener; }}
  }});
}});"""
_MAP = re.compile(r"//# sourceMappingURL=\S*")


class Bundles:
    """The joint files of a site; called with a page, they take the place of its own."""

    def __init__(self) -> None:
        self._parts: dict[str, list[str]] = {}

    def __call__(self, html: str) -> str:
        """Return a page that asks for the joint files; the second time, nothing changes.

        Raises
        ------
        ValueError
            For a page with other files than those before.
        """
        for pattern, target, element in _KINDS:
            found = [one for one in pattern.finditer(html) if one[2] not in OF_SOME_PAGES]
            names = [one[2] for one in found]
            if not found or names == [target]:
                continue
            known = self._parts.setdefault(target, names)
            if names != known:
                other = ", ".join(sorted(set(names) ^ set(known))) or "their order"
                raise ValueError(
                    f"{target} is for all pages, and this one differs from those before in: {other}"
                )
            # Each part's address has a key of what it holds.
            key = crc32((_LATE + "".join(one[2] + one[3] for one in found)).encode())
            address = f"{found[0][1]}_static/{target}?v={key:08x}"
            for one in reversed(found):
                new = element.format(address) if one is found[0] else ""
                html = html[: one.start()] + new + html[one.end() :]
        return html

    def write(self, static: Path) -> None:
        """Write the joint files beside their parts.

        Raises
        ------
        ValueError
            For a sheet that names a file beside it, which would not be found from another folder.
        """
        for target, names in self._parts.items():
            path = static / target
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(_text(static, name, target) for name in names), "utf-8")


def _text(static: Path, name: str, target: str) -> str:
    text = (static / name).read_text("utf-8")
    if not target.endswith(".css"):
        text = _MAP.sub("", text).strip()
        return f"{_LATE.format(text) if name in _AFTER_THE_FIRST_FRAME else text}\n;"
    text = _COMMENT.sub(lambda found: found[1] or "\n", text).strip()
    if Path(name).parent != Path(target).parent and (beside := _BESIDE.search(text)):
        raise ValueError(f"{name} names a file ({beside[0]}) and cannot become a part of {target}")
    return text
