"""One check: its examples, its statement, its near misses, and the words for its strength."""

from typing import Any

import numpy as np
import pytest

from checking import Record, check

X, W = np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
NEAR = "!= y = x W^\\top  % transposed"


def record(tex: str, body: str, **settings: str) -> Record:
    return check("eq-a-b", tex, body, {"x": X, "W": W, "y": X @ W}, **settings)


def messages(tex: str, body: str, **settings: str) -> str:
    return "; ".join(fault.message for fault in record(tex, body, **settings).faults)


def test_a_right_statement_says_how_strongly_it_was_checked() -> None:
    found = record("y = x W", f"{NEAR}\n!= y = W x\n!= y = 1.5 x W")
    assert not found.faults
    assert found.executed
    assert found.error == 0.0
    assert found.sentence() == (
        "evaluated from this TeX; holds within 1e-12; rejects 3 near misses, the nearest off by 0.18, 1 by shape"
    )


def test_names_that_the_examples_bind_stay_in_the_namespace() -> None:
    namespace: dict[str, Any] = {}
    check("eq-a-b", "y = 2 x", "| >>> x = 3.0\n| >>> y = 2 * x\n| != y = x", namespace)
    assert namespace["y"] == 6.0


def test_an_inequality_says_its_slack() -> None:
    found = record(r"\lVert x \rVert \le \lVert y \rVert", r"!= \lVert y \rVert \le \lVert x \rVert")
    assert not found.faults
    assert "holds with a relative slack of 0.82" in found.sentence()


def test_examples_name_the_library_that_they_use() -> None:
    body = (
        ">>> from resgrad import residual, linear\n>>> block = residual(linear)\n"
        ">>> import numpy as np\n>>> z, vjp = block(x, W, np.zeros(2))\n" + NEAR
    )
    assert record("y = x W", body).calls == (
        "resgrad.blocks.residual.residual",
        "resgrad.rules.linear.linear",
    )


def test_what_is_not_evaluated_says_why_and_shows_both_verdicts() -> None:
    body = ">>> from resgrad import agree\n>>> agree(y, x @ W)\nTrue\n>>> agree(y, x @ W.T)\nFalse\n"
    found = record(r"y \approx x W", body, not_evaluated="a limit")
    assert not found.faults
    assert found.sentence() == "checked by its examples, not from this TeX (a limit)"


@pytest.mark.parametrize(
    ("tex", "body", "said"),
    [
        pytest.param("y = 2 x W", NEAR, "does not hold: off by 0.5", id="a wrong statement"),
        pytest.param("y = x W", "", "no near miss", id="no near miss"),
        pytest.param("y = x W", "!= y = W x", "no near miss that its numbers", id="only by shape"),
        pytest.param("y = x W", "!= y = 1.0001 x W", "less than 0.001", id="too near"),
        pytest.param("y = x W", "!= y = x J_F", "no value here", id="a near miss that cannot be computed"),
        pytest.param("y = \\nonsense", NEAR, "nonsense", id="unknown TeX"),
        pytest.param("", NEAR, "no display", id="no display"),
        pytest.param("y = x W", f">>> 1/0\n{NEAR}", "ZeroDivisionError", id="an example that raises"),
        pytest.param("y = x W", f">>> 2\n3\n{NEAR}", "gave '2', not '3'", id="another output"),
        pytest.param("y = x W", f">>> 1 == 1\nTrue\n{NEAR}", "lone agree", id="a verdict not of agree"),
    ],
)
def test_each_fault_is_said(tex: str, body: str, said: str) -> None:
    assert said in messages(tex, body)


def test_a_fault_knows_its_line() -> None:
    found = record("y = x W", f">>> a = 1\n>>> 2\n3\n\n{NEAR}\n!= y = 1.0001 x W")
    assert [(fault.source, fault.line) for fault in found.faults] == [("check", 2), ("check", 6)]
