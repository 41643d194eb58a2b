"""Each vjp, replaced by zeros, its negative or half of it, makes its page and its own tests fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from breaking import break_everywhere, changes, exported
from pages import DOCS, run_page

TESTS = Path(__file__).parent
CASES = [pytest.param(name, change, id=f"{name}-{change}") for name in exported() for change in changes(name)]


def place(qualified: str) -> tuple[str, str]:
    """``resgrad.rules.linear.linear`` lies on the floor rules and has the stem linear."""
    _, floor, stem, _ = qualified.split(".")
    return floor, stem


@pytest.mark.parametrize(("name", "change"), CASES)
def test_the_page_fails(name: str, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    break_everywhere(name, change, monkeypatch.setattr)
    _, stem = place(name)
    try:
        failed = any(record.faults for record in run_page(DOCS / "derivations" / f"{stem}.md"))
    except Exception:  # of a cell of the page; unbroken, it runs: see test_pages
        failed = True
    assert failed


@pytest.mark.parametrize(("name", "change"), CASES)
def test_its_own_tests_fail(name: str, change: str) -> None:
    floor, stem = place(name)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "breaking", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(TESTS / floor / f"test_{stem}.py")],
        env={**os.environ, "RESGRAD_BREAK": f"{name}:{change}", "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
