"""A Content-Security-Policy in every page, written when its HTML is finished.

A page may load what lies beside it and run what stood in it when it was built: the policy names the hash of every
inline script and style. What no hash can allow is taken out: a ``style`` attribute becomes a class of the page's
own style element, and an event attribute or a ``javascript:`` link stops the build.

`with_policy` is a pure function, and the same pages always get the same policy: the order of the hashes is theirs.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape, unescape

#: What every page may do. Firefox prefetches only what ``default-src`` allows, and for it a folder's pages are not
#: each other's ``'self'``, which would stop the search form; the theme's icons are images in its style sheet.
DIRECTIVES = {
    "default-src": "'self'",
    "img-src": "'self' data:",
    "frame-src": "'none'",
    "media-src": "'none'",
    "object-src": "'none'",
    "worker-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self' file:",
}

_META = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_CHARSET = re.compile(r"<meta charset=[^>]*>", re.IGNORECASE)
#: Elements whose text is no markup, and comments.
_OPAQUE = re.compile(r"(<(script|style)\b([^>]*)>(.*?)</\2\s*>|<!--.*?-->)", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\s+([^\s=>"'/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_TAG = re.compile(rf"<[a-zA-Z][^\s/>]*(?:{_ATTRIBUTE.pattern})+\s*/?>")
#: Only tags with this are taken apart; the others are nearly all.
_SUSPECT = re.compile(r"\s(?:on|style)|javascript:", re.IGNORECASE)
_TYPE = re.compile(r"""\stype\s*=\s*["']?([^"'\s>]*)""", re.IGNORECASE)
_RUN = {"", "module", "text/javascript", "application/javascript"}


def with_policy(html: str) -> str:
    """Return a page without style attributes and with its policy, the first thing after its encoding.

    Parameters
    ----------
    html : str
        A whole page; one that has its policy comes out as it went in.

    Raises
    ------
    ValueError
        For an event attribute or a ``javascript:`` link, and for a page that does not state its encoding.
    """
    html = _without_style_attributes(_META.sub("", html))
    charset = _CHARSET.search(html)
    if charset is None:
        raise ValueError("the page does not state its encoding")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy(html)}">'
    return html[: charset.end()] + meta + html[charset.end() :]


def policy(html: str) -> str:
    """Return the policy that allows a page its own inline scripts and styles, and no others."""
    inline = {
        f"{kind}-src": " ".join(["'self'", *dict.fromkeys(_hashes(html, kind))])
        for kind in ("script", "style")
    }
    return "; ".join(f"{name} {sources}" for name, sources in {**DIRECTIVES, **inline}.items())


def _hashes(html: str, kind: str) -> Iterator[str]:
    for _, tag, attributes, text in _OPAQUE.findall(html):
        kept = _TYPE.search(attributes)
        if tag.lower() != kind or re.search(r"\ssrc\s*=", attributes):
            continue
        if kind == "style" or (kept[1].lower() if kept else "") in _RUN:
            yield f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _without_style_attributes(html: str) -> str:
    """Move style attributes into one style element at the end of the head."""
    rules: dict[str, str] = {}
    parts, end = [], 0
    for found in _OPAQUE.finditer(html):
        parts += [_TAG.sub(lambda tag: _restyled(tag[0], rules), html[end : found.start()]), found[0]]
        end = found.end()
    parts.append(_TAG.sub(lambda tag: _restyled(tag[0], rules), html[end:]))
    if not rules:
        return "".join(parts)
    # An attribute outranks every selector that has no id, and a script may still set it: so does and may this.
    sheet = "".join(f".{name}:not(#_){{{rules[name]}}}" for name in sorted(rules))
    return "".join(parts).replace("</head>", f"<style>{sheet}</style></head>", 1)


def _restyled(tag: str, rules: dict[str, str]) -> str:
    """Return a tag with a class instead of its style attribute, whose rule goes into `rules`."""
    if not _SUSPECT.search(unescape(tag)):
        return tag
    attributes = {found[1].lower(): found for found in _ATTRIBUTE.finditer(tag)}
    for name, found in attributes.items():
        if name.startswith("on") or _value(found).lower().startswith("javascript:"):
            raise ValueError(f"{found[0].strip()}: the policy of the pages does not run it")
    if "style" not in attributes:
        return tag
    style = _value(attributes["style"]).rstrip(";")
    name = f"styled-{sha256(style.encode()).hexdigest()[:8]}"
    rules[name] = style
    classes = " ".join([_value(attributes["class"]), name] if "class" in attributes else [name])
    gone = [attributes[key].span() for key in ("style", "class") if key in attributes]
    for start, end in sorted(gone, reverse=True):
        tag = tag[:start] + tag[end:]
    return re.sub(r"^<[^\s/>]+", lambda head: f'{head[0]} class="{escape(classes)}"', tag)


def _value(found: re.Match[str]) -> str:
    """Return the value of an attribute without its quotes."""
    value = found[2] or ""
    return unescape(value[1:-1] if value[:1] in ("'", '"') else value).strip()
