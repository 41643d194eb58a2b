"""The whole site as PDF and EPUB, as ``make formats`` left them: complete, with outline, structure and maths."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

TOP = Path(__file__).parents[2]
BOOKS = TOP / "build" / "formats"
PAGES = sorted(path.relative_to(TOP / "docs").with_suffix("") for path in (TOP / "docs").rglob("[!_]*.md"))


def book(name):
    path = BOOKS / name
    if not path.exists():
        if os.environ.get("RESGRAD_REQUIRE_FORMATS"):
            pytest.fail(f"{name} is not there")
        pytest.skip("make formats has not been run")
    return path


def _objects(pdf):
    """The bytes of a PDF with its compressed streams opened."""
    data = pdf.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL)
    return data + b"".join(map(_opened, streams))


def _opened(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_the_pdf_has_an_outline_a_structure_and_pages():
    data = _objects(book("residual-gradients.pdf"))
    assert b"/Outlines" in data
    assert b"/StructTreeRoot" in data
    assert len(re.findall(rb"/Type\s*/Page\b", data)) > len(PAGES)


def test_the_epub_is_one_of_well_formed_pages_with_mathml():
    with zipfile.ZipFile(book("residual-gradients.epub")) as epub:
        assert epub.namelist()[0] == "mimetype"
        assert epub.read("mimetype") == b"application/epub+zip"
        pages = [name for name in epub.namelist() if name.endswith(".xhtml")]
        roots = [ElementTree.fromstring(epub.read(name)) for name in pages]
    maths = [root.find(".//{http://www.w3.org/1998/Math/MathML}math") for root in roots]
    assert sum(math is not None for math in maths) > 20
    assert {Path(name).stem for name in pages} >= {path.name for path in PAGES}


def test_the_epub_has_the_font_of_its_formulas():
    with zipfile.ZipFile(book("residual-gradients.epub")) as epub:
        manifest = epub.read("content.opf").decode()
        fonts = [name for name in epub.namelist() if name.endswith(".woff2")]
        styles = "".join(epub.read(name).decode() for name in epub.namelist() if name.endswith(".css"))
    assert len(fonts) == 1
    [item] = re.findall(r"<item [^>]*woff2[^>]*>", manifest)
    assert 'media-type="font/woff2"' in item
    assert Path(fonts[0]).name in styles


def test_the_epub_loads_nothing_from_outside():
    with zipfile.ZipFile(book("residual-gradients.epub")) as epub:
        for name in epub.namelist():
            if name.endswith(".xhtml"):
                loads = re.findall(
                    r'<(?:img|script|link)[^>]*(?:src|href)="(https?:[^"]*)"', epub.read(name).decode()
                )
                assert not loads, name
