"""A function's entry has the address; what is no entry keeps its own."""

from entries import entries


def test_the_address_moves_to_the_entry():
    page = (
        '<dl class="py function">\n<dt class="sig sig-object py" id="a.b">b()<a href="#a.b">#</a></dt></dl>'
    )
    moved = (
        '<dl class="py function" id="a.b">\n<dt class="sig sig-object py">b()<a href="#a.b">#</a></dt></dl>'
    )
    assert entries(page) == moved
    assert entries(moved) == moved


def test_the_entry_of_a_method_has_its_own():
    method = '<dl class="py method">\n<dt class="sig" id="C.m">m</dt></dl>'
    page = f'<dl class="py class">\n<dt class="sig" id="C">C</dt><dd>{method}</dd></dl>'
    assert entries(page).count("<dl") == entries(page).count("<dl class") == 2
    assert '<dl class="py class" id="C">' in entries(page)
    assert '<dl class="py method" id="C.m">' in entries(page)


def test_a_glossary_is_left_alone():
    page = '<dl class="glossary">\n<dt id="term-x">x</dt></dl>'
    assert entries(page) == page
