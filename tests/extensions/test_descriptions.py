"""Every page is described in plain text: no TeX, no tag, one line."""

import pytest
from docutils import nodes

from descriptions import answer_of, describe, plain_math, shortened


class App:
    class config:
        project = "Site"
        descriptions = {"search": "Find a page."}  # noqa: RUF012


@pytest.mark.parametrize(
    ("tex", "plain"),
    [
        (r"\bar x = \bar y + \bar y J_F", "x̄ = ȳ + ȳJ_F"),
        (r"W_2^\top", "W₂ᵀ"),
        (r"2^L \le 10^{-3}", "2^L ≤ 10⁻³"),
        (r"\bar x_{l+1}", "x̄ₗ₊₁"),
        (r"\frac{1}{\sqrt{1 + l/2}}", "1/(√(1 + l/2))"),
        (r"\sum_{k=0}^{L} \hat x_{F,k}", "∑ₖ₌₀^Lx̂_(F,k)"),
        (r"\phi'(a) \odot \skippath{\bar y}", "ϕ′(a) ⊙ ȳ"),
    ],
)
def test_a_formula_becomes_one_line_of_unicode(tex, plain):
    assert plain_math(tex) == plain


def page(*after_title):
    section = nodes.section("", nodes.title("", "Title"), *after_title)
    document = nodes.document(None, None)
    document += [nodes.paragraph("", "The question?"), section]
    return document


def test_the_answer_is_what_stands_under_the_title_up_to_the_figure():
    first = nodes.paragraph(
        "", "", nodes.Text("Here "), nodes.math("", r"\bar y"), nodes.Text(" is\ncopied.")
    )
    found = answer_of(
        page(first, nodes.paragraph("", "", nodes.emphasis("", "Twice.")), nodes.figure(), first)
    )
    assert found == "Here ȳ is\ncopied. Twice."


@pytest.mark.parametrize(
    ("text", "longest", "short"),
    [
        ("One two\n three.", 40, "One two three."),
        ("One two. Three four five", 20, "One two."),
        ("A b. Then a long sentence follows", 20, "A b. Then a long…"),
        ("Words, and a few more", 12, "Words, and…"),
    ],
)
def test_a_long_text_is_cut_behind_a_sentence_or_a_word(text, longest, short):
    assert shortened(text, longest) == short
    assert len(short) <= longest


@pytest.mark.parametrize(
    ("pagename", "context", "description"),
    [
        ("search", {}, "Find a page."),
        ("t/R001", {"body": "<p>Its <b>sum</b> is &lt; 1</p><p>Yes.</p>"}, "Its sum is &lt; 1. Yes."),
        ("odd", {"title": "<em>Odd</em>"}, "Odd: Site."),
    ],
)
def test_a_generated_page_is_described_too(pagename, context, description):
    describe(App, pagename, "page.html", context, None)
    assert context["metatags"] == f'<meta name="description" content="{description}" />'


def test_what_the_author_wrote_stays():
    context = {"metatags": '<meta name="description" content="Mine" />'}
    describe(App, "search", "page.html", context, None)
    assert context["metatags"] == '<meta name="description" content="Mine" />'
