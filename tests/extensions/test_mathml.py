"""The TeX of the pages becomes MathML that three browsers set right and that obeys the site's policy."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

import font_subset
import mathml

SAMPLES = [
    r"\bar x = \skippath{\bar y} + \branch{\bar y J_F}",
    r"\bar x = \bar y + \left( \bar y W_2^\top \odot \phi'(a) \right) W_1^\top",
    r"\begin{aligned} \bar x_l &= \bar x_L \prod_{k=l}^{L-1} (I + J_k) \\ &\approx \tfrac12 \end{aligned}",
    r"|x| = \begin{cases} x & x > 0 \\ -x & \text{otherwise} \end{cases}",
    r"\binom{L}{k} c^{2k}",
    r"\lVert \bar y \rVert \le \left\lVert \frac{\partial \mathcal L}{\partial x} \right\rVert \!+ 1",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} \in \mathbb R^{n \times n}",
    r"\begin{array}{lr} a & b \end{array} \operatorname{rank} J \ne \max_i \sqrt{x_i}",
    r"\underbrace{\bar y}_{\text{skip}} + \overbrace{\bar y J_F}^{\text{branch}}",
    r"\langle u, v \rangle \quad \to 0 \mapsto \infty",
    r"\overline{ab} \underline{c} \hat x \tilde \beta \dot z \vec v \mathbf{x} \mathrm d x \ldots \cdots",
]


@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("tex", SAMPLES)
def test_no_inline_style_and_no_named_entity(tex, display):
    written = mathml.to_mathml(tex, display=display)
    assert "style=" not in written.replace("mathstyle=", "").replace("displaystyle=", "")
    assert "&Apply" not in written
    assert ('display="block"' in written) is display


@pytest.mark.parametrize(
    ("tex", "letter", "height"),
    [(r"\bar x", "x", "0.62em"), (r"\bar b", "b", "0.84em"), (r"\bar W", "W", "0.84em")],
)
def test_a_bar_stands_on_a_box_a_little_taller_than_its_letter(tex, letter, height):
    box = f'<mpadded height="{height}"><mi>{letter}</mi></mpadded>'
    bar = '<mo stretchy="true">\u203e</mo>'
    assert mathml.to_mathml(tex, display=False) == f'<math><mover accent="true">{box}{bar}</mover></math>'


@pytest.mark.parametrize("tex", SAMPLES)
def test_the_font_has_every_sign(tex):
    shown = re.findall(r"<(\w+)([^>]*)>([^<]+)<", mathml.to_mathml(tex, display=True))
    font = TTFont(font_subset.FONT)
    for tag, attributes, text in shown:
        italic = tag == "mi" and len(text) == 1 and "normal" not in attributes
        signs = {ord(_italic(text)) if italic else ord(sign) for sign in text} - {0x2061, 0x2063}
        assert signs <= set(font.getBestCmap()), text


def _italic(letter):
    """Return what browsers show for a lone letter."""
    if letter == "h":
        return "\u210e"
    for first, last, italic in (
        ("A", "Z", 0x1D434),
        ("a", "z", 0x1D44E),
        ("Α", "Ω", 0x1D6E2),
        ("α", "ω", 0x1D6FC),
    ):
        if first <= letter <= last:
            return chr(ord(letter) - ord(first) + italic)
    return letter


def test_the_font_is_small_and_free():
    assert font_subset.FONT.stat().st_size < 60_000
    assert "SIL OPEN FONT LICENSE" in (font_subset.FONT.parent / "OFL.txt").read_text("utf-8")
    assert set(TTFont(font_subset.FONT).getBestCmap()) >= font_subset.characters()


def test_terms_are_coloured_by_class():
    written = mathml.to_mathml(r"\skippath{a} + \branch{b}", display=True)
    assert '<mrow class="skip"><mi>a</mi></mrow>' in written
    assert '<mrow class="branch"><mi>b</mi></mrow>' in written


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\foo", "Unknown command"),
        (r"\color{blue} x", r"\\skippath"),
        (r"\textcolor{red}{x}", r"\\branch"),
        (r"\boxed{x}", "not rendered"),
        (r"a & b", "table"),
        ("ж", "the font lacks ж"),
        (r"\frac{1}{", "."),
    ],
)
def test_what_cannot_be_shown_is_refused(tex, message):
    with pytest.raises(mathml.MathError, match=message):
        mathml.to_mathml(tex, display=True)


def test_a_style_without_a_class_is_refused(monkeypatch):
    monkeypatch.setattr(mathml, "CLASSES", {})
    with pytest.raises(mathml.MathError, match="no class stands for the style"):
        mathml.to_mathml(r"a \! b \! c", display=True)


def test_every_class_has_a_rule():
    css = (Path(mathml.__file__).parents[1] / "_static" / "css" / "resgrad.css").read_text("utf-8")
    assert all(f".{name}" in css for name in mathml.CLASSES.values())


@given(st.text(alphabet="abx\\{}_^&+= 12barfct", max_size=30))
def test_any_text_is_written_or_refused(tex):
    try:
        written, offset = mathml.to_mathml(tex, display=False), 0
    except mathml.MathError as error:
        written, offset = "<math>", error.offset
    assert written.startswith("<math")
    assert 0 <= offset <= len(tex)


def test_steps_are_split_where_they_align():
    aligned = mathml.step_html(r"\bar x &= \bar y")
    assert aligned.startswith('<div class="lhs"><math')
    assert '<div class="rhs"' in aligned
    assert mathml.step_html("x = y").startswith('<div class="whole">')


def test_only_a_wide_equation_is_reached_by_the_tab_key():
    assert "tabindex" not in mathml.equation_html("x = y")
    assert 'aria-label="Equation 3"' in mathml.equation_html(
        " + ".join("abcdefghijklmnop"), name="Equation 3"
    )


def _build(folder: Path, text: str, builder: str) -> Path:
    source = folder / "source"
    source.mkdir()
    (source / "conf.py").write_text(
        "extensions = ['mathml']\nhtml_theme = 'furo'\nproject = 'p'\nnumfig = True\n"
        "version = '1'\nepub_show_urls = 'no'\n",
        "utf-8",
    )
    (source / "index.rst").write_text(text, "utf-8")
    out = folder / builder
    with docutils_namespace():
        app = Sphinx(source, source, out, folder / "doctrees", builder, status=None, warning=io.StringIO())
        app.build()
    return out


_PAGE = """Title
=====

.. math:: \\bar x = \\bar y + \\bar y J_F
   :label: eq-one

Inline :math:`\\bar x`, :math:`x` and :eq:`eq-one`.
"""


def test_a_page_shows_number_link_and_no_tex(tmp_path):
    page = (_build(tmp_path, _PAGE, "html") / "index.html").read_text("utf-8")
    assert 'id="equation-eq-one"' in page
    assert '<span class="eqno">(1)<a class="headerlink" href="#equation-eq-one"' in page
    assert 'href="#equation-eq-one">(1)</a>' in page
    assert "\\bar" not in page
    assert page.count('<span class="closed"><math>') == page.count("</math>,</span>") == 1
    assert "mathjax" not in page.lower()


@pytest.mark.parametrize("builder", ["text", "singlehtml", "epub"])
def test_other_formats_are_built(tmp_path, builder):
    out = _build(tmp_path, _PAGE, builder)
    if builder == "epub":
        assert 'xmlns="http://www.w3.org/1998/Math/MathML"' in (out / "index.xhtml").read_text("utf-8")


def test_bad_tex_stops_the_build_at_its_line(tmp_path):
    with pytest.raises(ExtensionError, match=r'index\.rst:4: Unknown command "\\foo"'):
        _build(tmp_path, "Title\n=====\n\n.. math:: \\foo\n", "html")


def test_a_prime_stands_on_the_line_and_is_not_raised_twice() -> None:
    assert '<mrow><mi>ϕ</mi><mo lspace="0" rspace="0">′</mo></mrow>' in mathml.to_mathml(
        r"\phi'(a)", display=False
    )
    assert "<msup>" in mathml.to_mathml("x^2", display=False)


def test_a_comma_before_a_parenthesis_takes_no_space() -> None:
    assert '<mo rspace="0">,</mo>' in mathml.to_mathml("(m,)", display=False)
    assert "<mo>,</mo>" in mathml.to_mathml("(m, n)", display=False)
