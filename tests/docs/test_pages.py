"""Every page runs, and every check on it passes."""

from pathlib import Path

import pytest

from pages import DOCS, pages, run_page


def name(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_check_of_the_page_passes(page: Path) -> None:
    faults = [
        f"{page.name}: {record.label}: {fault.source} line {fault.line}, column {fault.column}: {fault.message}"
        for record in run_page(page)
        for fault in record.faults
    ]
    assert not faults, "\n".join(faults)
