"""A page is written when it is finished, by the last steps and in their order; a book of pages is left alone."""

import pytest
from sphinx.application import Sphinx
from sphinx.errors import ThemeError
from sphinx.util.docutils import docutils_namespace, patch_docutils

PAGE = "Title\n=====\n\n.. raw:: html\n\n   <pre{}>{}</pre>\n"


@pytest.fixture
def page(tmp_path):
    def build(attribute, builder="html"):
        (tmp_path / "index.rst").write_text(PAGE.format(attribute, "a" * 40), "utf-8")
        out = tmp_path / builder
        with patch_docutils(), docutils_namespace():
            settings = {"extensions": ["finished"], "project": "Site", "author": "Those", "version": "1"}
            Sphinx(
                tmp_path, None, out, tmp_path / "trees", builder, settings, status=None, warning=None
            ).build()
        return next(out.glob("index.*html")).read_text("utf-8")

    return build


def test_a_page_has_its_policy_and_what_keyboards_need(page):
    html = page("")
    assert html.count("Content-Security-Policy") == 1
    assert f'<pre tabindex="0">{"a" * 40}</pre>' in html


def test_a_page_in_a_book_has_neither(page):
    html = page("", "epub")
    assert "Content-Security-Policy" not in html
    assert "tabindex" not in html


def test_what_no_policy_allows_stops_the_build_and_is_named(page):
    with pytest.raises(ThemeError, match=r"page index\.\n.*onclick"):
        page(' onclick="a()"')
