"""Every page says what it may load and run: its own inline scripts by their hashes, no attribute, no other host."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from policy import policy, with_policy

PAGE = '<!doctype html><html><head><meta charset="utf-8"><title>t</title></head><body>{}</body></html>'


def hashed(text):
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def sources(html, directive):
    return re.search(rf"{directive} ([^;]*)", policy(html))[1].split()


def test_the_policy_comes_before_anything_that_it_governs():
    html = with_policy(PAGE.format("<script>let a</script>"))
    assert html.startswith('<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Sec')


def test_each_inline_script_and_style_is_allowed_once_by_its_hash():
    body = (
        "<script>let a = '<b>'</script><script>let a = '<b>'</script><STYLE>p {}</STYLE>\n<script>\n</script>"
    )
    assert sources(PAGE.format(body), "script-src") == ["'self'", hashed("let a = '<b>'"), hashed("\n")]
    assert sources(PAGE.format(body), "style-src") == ["'self'", hashed("p {}")]


def test_a_script_that_is_loaded_or_is_data_has_no_hash():
    body = '<script src="a.js"></script><script type="application/json">{"a": 1}</script><!-- <script>x</script> -->'
    assert sources(PAGE.format(body), "script-src") == ["'self'"]


def test_nothing_is_allowed_from_another_host_or_by_kind():
    allowed = with_policy(PAGE.format("<script>1</script>"))
    assert "unsafe" not in allowed
    assert not re.search(r"https?:|\*", re.search(r'content="([^"]*)"', allowed)[1])


@pytest.mark.parametrize(
    ("tag", "rest"),
    [
        ('<col style="width: 12.0%" />', '<col class="styled-{}" />'),
        ('<p style="width: 12.0%;" class="a b">', '<p class="a b styled-{}">'),
        ("<p id='i' style='width: 12.0%'>", "<p class=\"styled-{}\" id='i'>"),
    ],
)
def test_a_style_attribute_becomes_a_class(tag, rest):
    name = sha256(b"width: 12.0%").hexdigest()[:8]
    html = with_policy(PAGE.format(tag))
    rule = f".styled-{name}:not(#_){{width: 12.0%}}"
    assert rest.format(name) in html
    assert f"<style>{rule}</style></head>" in html
    assert hashed(rule) in html


def test_what_only_looks_like_an_attribute_stays():
    body = (
        '<script>let a = \'<p style="x">\'</script><pre>&lt;p style="x"&gt; style="y"</pre><math mathstyle="x">'
        "<img alt='no one = 1, style=\"x\"'>"
    )
    assert body in with_policy(PAGE.format(body))


@pytest.mark.parametrize(
    "body", ['<p style="color: red"><script>1</script>', "<p>plain", "<!-- a --><style>p{}</style>"]
)
def test_a_second_time_changes_nothing(body):
    once = with_policy(PAGE.format(body))
    assert with_policy(once) == once


@pytest.mark.parametrize("tag", ['<p onclick="a()">', "<a href='javascript:a()'>", "<body ONLOAD=a()>"])
def test_what_no_hash_allows_stops_the_build(tag):
    with pytest.raises(ValueError, match=r"(?i)onclick|javascript|onload"):
        with_policy(PAGE.format(tag))


def test_a_page_without_an_encoding_is_refused():
    with pytest.raises(ValueError, match="encoding"):
        with_policy("<html><head></head></html>")
