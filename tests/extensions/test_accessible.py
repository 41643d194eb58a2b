"""Every box that may scroll can be reached by the tab key, and every aside has its name."""

import pytest

from accessible import accessible

SWITCH = '<input type="checkbox" class="sidebar-toggle" name="__navigation" id="__navigation">'
SIGN = '<label class="nav-overlay-icon" for="__navigation">'
WIDE = "x = function_of(a, b, c_bar)"


@pytest.mark.parametrize(
    ("html", "completed"),
    [
        ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
        ('<aside class="toc-drawer no-toc">', '<aside class="toc-drawer no-toc" aria-label="On this page">'),
        (f"{SWITCH}<header>{SIGN}", f"<header>{SWITCH}{SIGN}"),
        ('<div class="table-wrapper docutils">', '<div class="table-wrapper docutils" tabindex="0">'),
        (
            '<div class="table-wrapper" id="a"><table id="a">',
            '<div class="table-wrapper" tabindex="0"><table id="a">',
        ),
        ('<div class="math-wrapper" id="a"><div id="a">', '<div class="math-wrapper"><div id="a">'),
        (f"<pre>a\n<b>{WIDE}</b></pre>", f'<pre tabindex="0">a\n<b>{WIDE}</b></pre>'),
        ('<div class="citation" role="doc-biblioentry">', '<div class="citation" role="listitem">'),
        ('<th class="head stub"><p></p></th>', '<td class="head stub"></td>'),
        ('<span class="near-miss"><math><mi>x</mi></math>',) * 2,
        (
            f'<span class="near-miss"><math><mtext>{WIDE}</mtext></math>',
            f'<span tabindex="0" class="near-miss"><math><mtext>{WIDE}</mtext></math>',
        ),
        ("<pre>a = 1\nb = &lt;&gt;&lt;&gt;&lt;&gt;&lt;&gt;</pre>",) * 2,
    ],
)
def test_what_is_completed_and_that_it_is_so_once(html, completed):
    assert accessible(html) == completed
    assert accessible(completed) == completed
