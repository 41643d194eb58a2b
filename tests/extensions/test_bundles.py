"""One style sheet and one script for all pages, made of what the pages name, in its order."""

import pytest

from bundles import Bundles

PAGE = (
    '<head><link rel="stylesheet" type="text/css" href="../_static/a.css?v=1" />\n'
    '    <link rel="stylesheet" href="../_static/css/b.css"><script defer src="../_static/a.js?v=2"></script>'
    '<script defer src="../_static/js/explorers.js"></script><script defer src="../_static/b.js"></script>'
    '<script defer src="../searchindex.js"></script></head>'
)


@pytest.fixture
def static(tmp_path):
    (tmp_path / "css").mkdir()
    (tmp_path / "a.css").write_text("a { color: red }\n/*# sourceMappingURL=a.css.map*/", "utf-8")
    (tmp_path / "css" / "b.css").write_text('b { src: url("../fonts/f.woff2") }\n', "utf-8")
    (tmp_path / "a.js").write_text("const a = 1\n//# sourceMappingURL=a.js.map", "utf-8")
    (tmp_path / "b.js").write_text('"use strict";\n(function () {})();', "utf-8")
    return tmp_path


def written(static, page=PAGE):
    bundles = Bundles()
    html = bundles(page)
    bundles.write(static)
    return html


def test_a_page_asks_for_the_joint_files_and_for_what_is_its_own():
    html = Bundles()(PAGE)
    assert html.count("<link") == 1
    assert html.index("../_static/css/site.css?v=") < html.index("../_static/js/site.js?v=")
    assert '<script defer src="../_static/js/explorers.js"></script>' in html
    assert '<script defer src="../searchindex.js"></script>' in html
    assert html.count("<script") == 3


def test_the_joint_files_hold_the_others_in_their_order(static):
    written(static)
    assert (static / "css" / "site.css").read_text("utf-8").splitlines() == [
        "a { color: red }",
        'b { src: url("../fonts/f.woff2") }',
    ]
    # Nothing runs into the next file, and the strictness of one is not that of all.
    assert (static / "js" / "site.js").read_text("utf-8").split("\n;") == [
        "const a = 1",
        '\n"use strict";\n(function () {})();',
        "",
    ]


def test_the_joint_files_have_what_is_there_when_all_pages_are(static):
    bundles = Bundles()
    bundles(PAGE)
    (static / "a.css").write_text("a { color: blue }", "utf-8")
    bundles.write(static)
    assert "blue" in (static / "css" / "site.css").read_text("utf-8")


def test_the_same_files_have_the_same_address_and_others_another():
    bundles = Bundles()
    first = bundles(PAGE)
    assert bundles(PAGE) == first
    assert bundles(first) == first
    assert Bundles()(PAGE.replace("a.css?v=1", "a.css?v=2")) != first


def test_a_page_with_other_files_is_told_which():
    bundles = Bundles()
    bundles(PAGE)
    with pytest.raises(ValueError, match=r"css/site\.css .* differs .* in: a\.css"):
        bundles(PAGE.replace("../_static/a.css", "../other/a.css"))


def test_the_theme_s_script_runs_after_the_first_frame(static):
    (static / "scripts").mkdir()
    (static / "scripts" / "furo.js").write_text("look({ at: 1 })", "utf-8")
    written(static, PAGE.replace("_static/b.js", "_static/scripts/furo.js"))
    first, late = (static / "js" / "site.js").read_text("utf-8").split("\n;\n")
    assert first == "const a = 1"
    assert late.startswith("requestAnimationFrame(")
    assert "\nlook({ at: 1 })\n" in late


def test_the_sheet_has_no_comments(static):
    (static / "a.css").write_text(
        "/* it's */ a { b: c } /* d\n */\ne::before { content: '/* f */' }", "utf-8"
    )
    written(static)
    assert (static / "css" / "site.css").read_text("utf-8").splitlines()[:2] == [
        "a { b: c }",
        "e::before { content: '/* f */' }",
    ]


@pytest.mark.parametrize("text", ["url(f.png)", "url( 'f.png')", '@import "c.css";'])
def test_a_sheet_that_names_a_file_beside_it_is_refused(static, text):
    (static / "a.css").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"a\.css names a file"):
        written(static)


@pytest.mark.parametrize("text", ["url(data:image/svg+xml,x)", "url( 'data:image/png,x')", "url(#mark)"])
def test_a_sheet_may_hold_pictures(static, text):
    (static / "a.css").write_text(text, "utf-8")
    written(static)
    assert text in (static / "css" / "site.css").read_text("utf-8")
