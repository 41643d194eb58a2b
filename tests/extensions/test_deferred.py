"""Scripts stand deferred in the head, in their order; what must run first runs before the style sheets."""

from deferred import deferred

WORKS = """<script>document.documentElement.className =
  !location.hash && performance.getEntriesByType("navigation")[0]?.type === "navigate" ? "piecewise" : "";</script>"""
SHEET = '<link rel="stylesheet" href="a.css" />'
FIRST, SECOND = '<script src="a.js?v=1"></script>', '<script defer="defer" id="b" src="b.js"></script>'
THEME = 'document.body.dataset.theme = localStorage.getItem("theme") || "auto";'


def test_scripts_move_into_the_head_and_keep_their_order():
    page = f"<html><head><title>t</title>{SHEET}</head><body><p>text</p>{FIRST}\n  {SECOND}</body></html>"
    scripts = '<script defer src="a.js?v=1"></script><script defer id="b" src="b.js"></script>'
    moved = f"<html><head><title>t</title>{WORKS}{SHEET}{scripts}</head><body><p>text</p></body></html>"
    assert deferred(page) == moved
    assert deferred(deferred(page)) == deferred(page)


def test_no_script_waits_for_a_style_sheet():
    page = f"<html><head>{SHEET}</head><body>\n<script>\n  {THEME}\n</script>\n<p>text</p></body></html>"
    early, _, late = deferred(page).partition(SHEET)
    assert THEME in early
    assert "MutationObserver" in early  # there is no body yet
    assert "<script>" not in late
    assert deferred(deferred(page)) == deferred(page)


def test_data_code_and_other_scripts_stay_where_they_are():
    inline = (
        '<script>other()</script><script type="application/json">{"src": "x"}</script>'
        "<pre>&lt;script src=&quot;a.js&quot;&gt;&lt;/script&gt;</pre>"
    )
    page = f"<html><head><title>t</title>{WORKS}</head><body>{inline}</body></html>"
    assert deferred(page) == page
