"""A page's scripts, fetched beside its text and run in their order once all of it has been read.

The theme has them at the end of the page. There a browser finds them last, and fetches each when the one before has
run: Chromium does not look ahead in a page with a policy. And the theme says that scripts work by taking a class
from the root when all stands, for which Chromium styles every element again: here it goes before there is any.
`deferred` is a pure function that changes nothing the second time.
"""

from __future__ import annotations

import re

_SCRIPT = re.compile(r'\s*<script\b([^>]*\ssrc="[^"]*"[^>]*)></script>')
_DEFER = re.compile(r'\sdefer(?:="[^"]*")?')
_WORKS = '<script>document.documentElement.removeAttribute("class")</script>'


def deferred(html: str) -> str:
    """Return a page whose scripts with an address of their own stand, deferred, at the end of its head."""
    scripts = "".join(f"<script defer{_DEFER.sub('', found)}></script>" for found in _SCRIPT.findall(html))
    works = "" if _WORKS in html else _WORKS
    return _SCRIPT.sub("", html).replace("</head>", f"{works}{scripts}</head>", 1)
