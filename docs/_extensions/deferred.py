"""A page's scripts: what must run first runs before the style sheets, all else once the page has been read.

The theme has its scripts at the end of the page. There a browser finds them last, and fetches each when the one before
has run: Chromium does not look ahead in a page with a policy. They stand deferred in the head.

The theme also says that scripts work by taking a class from the root when all stands, for which Chromium styles every
element again, and chooses light or dark in a script that begins the body. A script behind a style sheet waits for it,
and with it the rest of the page. Both are done in front of the sheets, which a page is now read beside: no body is
there yet whose theme could be set, so that it is set when there is one, which is before anything is drawn.

The class that takes the place of the theme's lets the style sheet lay out a long page piece by piece, as it is scrolled
to. Who comes to a place within it, by its address or back to where they were, gets it whole: that place depends on the
height of all that is above.

`deferred` is a pure function that changes nothing the second time.
"""

from __future__ import annotations

import re

_SCRIPT = re.compile(r'\s*<script\b([^>]*\ssrc="[^"]*"[^>]*)></script>')
_DEFER = re.compile(r'\sdefer(?:="[^"]*")?')
_THEME = re.compile(r"\s*<script>\s*(document\.body\.dataset\.theme = [^<]*?;)\s*</script>")
_SHEET = re.compile(r'\s*<link rel="stylesheet"|</head>')
_FIRST = """<script>document.documentElement.className =
  !location.hash && performance.getEntriesByType("navigation")[0]?.type === "navigate" ? "piecewise" : "";{}</script>"""
_IN_BODY = """
new MutationObserver((_, self) => {{
  if (!document.body) return;
  self.disconnect();
  {}
}}).observe(document.documentElement, {{ childList: true }});"""


def deferred(html: str) -> str:
    """Return a page whose scripts with an address of their own stand, deferred, at the end of its head."""
    scripts = "".join(f"<script defer{_DEFER.sub('', found)}></script>" for found in _SCRIPT.findall(html))
    html = _SCRIPT.sub("", html).replace("</head>", f"{scripts}</head>", 1)
    if _FIRST.partition("{")[0] in html:
        return html
    theme = _THEME.search(html)
    first = _FIRST.format(_IN_BODY.format(theme[1]) if theme else "")
    return _SHEET.sub(lambda sheet: first + sheet[0], _THEME.sub("", html), count=1)
