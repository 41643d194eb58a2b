"""What keyboards and screen readers need and neither theme nor writer gives, put into every finished page.

What opens the list of pages on a narrow window stands in the header, beside its sign. A box that scrolls sideways can
be reached by the tab key (tables, and code and near misses too wide for a phone), an identifier stands once (the theme
wraps equations in boxes that repeat it), the two asides have names, the entries of the bibliography are items of a
list, and an empty corner of a table is no header. `accessible` is a pure function that changes nothing the second time.
"""

from __future__ import annotations

import re
from html import unescape

#: So many characters of code, and so many signs of a formula, fit on the narrowest phone, 320 pixels wide.
_NARROW = 26
_SIGNS = 18

_NAMES = {"sidebar-drawer": "All pages", "toc-drawer": "On this page"}
_ASIDE = re.compile(r'<aside class="(sidebar-drawer|toc-drawer)([^"]*)">')
_SWITCH = re.compile(r'<input type="checkbox" class="sidebar-toggle" name="__navigation"[^>]*>')
_SIGN = '<label class="nav-overlay-icon"'
_CODE = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
_NEAR = re.compile(r'<span class="near-miss">(<math.*?</math>)', re.DOTALL)
_CORNER = re.compile(r'<th class="(head[^"]*)"><p></p></th>')
_WRAPPER = re.compile(r'(<div class="(?:math|table)-wrapper[^"]*") id="[^"]*">')
_TABLE = re.compile(r'<div class="table-wrapper([^"]*)">')


def accessible(html: str) -> str:
    """Return a page whose scroll boxes can be reached and whose asides have names."""
    html = _ASIDE.sub(
        lambda found: f'<aside class="{found[1]}{found[2]}" aria-label="{_NAMES[found[1]]}">', html
    )
    if (switch := _SWITCH.search(html)) and _SIGN in html:
        html = html.replace(switch[0], "", 1).replace(_SIGN, switch[0] + _SIGN, 1)
    html = _WRAPPER.sub(r"\1>", html)
    html = _TABLE.sub(r'<div class="table-wrapper\1" tabindex="0">', html)
    html = html.replace('role="doc-biblioentry"', 'role="listitem"')
    html = _CORNER.sub(r'<td class="\1"></td>', html)
    html = _NEAR.sub(lambda found: _reachable(found[0], "<span", _wide(found[1], _SIGNS)), html)
    return _CODE.sub(lambda found: _reachable(found[0], "<pre", _wide(found[1], _NARROW)), html)


def _reachable(html: str, tag: str, wide: bool) -> str:
    return html.replace(tag, f'{tag} tabindex="0"', 1) if wide else html


def _wide(html: str, most: int) -> bool:
    return any(len(line) > most for line in unescape(re.sub(r"<[^>]*>", "", html)).splitlines())
