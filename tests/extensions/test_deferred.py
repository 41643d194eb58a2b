"""Scripts stand deferred in the head, in their order."""

from deferred import deferred

WORKS = '<script>document.documentElement.removeAttribute("class")</script>'
HEAD = "<head><title>t</title>{}</head>"
FIRST, SECOND = '<script src="a.js?v=1"></script>', '<script defer="defer" id="b" src="b.js"></script>'


def test_scripts_move_into_the_head_and_keep_their_order():
    page = f"<html>{HEAD.format('')}<body><p>text</p>{FIRST}\n  {SECOND}</body></html>"
    scripts = '<script defer src="a.js?v=1"></script><script defer id="b" src="b.js"></script>'
    assert deferred(page) == f"<html>{HEAD.format(WORKS + scripts)}<body><p>text</p></body></html>"
    assert deferred(deferred(page)) == deferred(page)


def test_inline_scripts_data_and_code_stay_where_they_are():
    inline = (
        '<script>theme()</script><script type="application/json">{"src": "x"}</script>'
        "<pre>&lt;script src=&quot;a.js&quot;&gt;&lt;/script&gt;</pre>"
    )
    page = f"<html>{HEAD.format(WORKS)}<body>{inline}</body></html>"
    assert deferred(page) == page
