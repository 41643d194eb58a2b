"""What a page says to read before it: first what nothing else in that list leads to."""

from collections import Counter

import pytest

import page_graph


class Environment:
    """One for each test: what is worked out from it is kept with it."""


@pytest.fixture
def pages(monkeypatch):
    def of(found):
        monkeypatch.setattr(page_graph, "reading_order", lambda env: list(found))
        monkeypatch.setattr(page_graph, "edges", lambda env: {p: Counter(c) for p, c in found.items() if c})
        return page_graph.needs(Environment())

    return of


CHAIN = {
    "add": {},
    "linear": {"add": 1},
    "norm": {"linear": 1},
    "block": {"linear": 5, "add": 2},
    "stack": {"block": 9},
}


def test_a_page_that_nothing_else_leads_to_is_named_before_one_that_more_equations_rest_on(pages):
    found = pages({**CHAIN, "order": {"add": 4, "linear": 9, "block": 9, "stack": 7, "norm": 1}})
    assert found["order"] == ["linear", "norm", "block", "stack"]


def test_a_page_behind_a_page_between_is_implied_too(pages):
    found = pages({**CHAIN, "far": {"add": 9, "linear": 9, "block": 9, "norm": 1, "stack": 1}})
    assert "norm" in found["far"]
    assert "add" not in found["far"]


def test_the_list_is_in_the_order_of_reading(pages):
    assert pages({**CHAIN, "last": {"stack": 1, "norm": 3}})["last"] == ["norm", "stack"]


def test_a_page_that_rests_on_none_has_no_list(pages):
    assert "add" not in pages(CHAIN)
