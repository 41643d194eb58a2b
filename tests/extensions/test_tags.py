"""Tags are given once, in order, and what is wrong with the table is said."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tags
from tags import Tag


def table(*labels: str) -> dict[str, Tag]:
    return {tag.label: tag for tag in tags.extended({}, labels, "1.0")}


@given(st.integers(1, 32**3 - 1), st.integers(1, 32**3 - 1))
def test_different_numbers_have_different_tags_in_order(one: int, other: int) -> None:
    assert (one < other) == (tags.spelled(one) < tags.spelled(other))
    assert not set("ILOU") & set(tags.spelled(one)[1:])


def test_the_first_tags() -> None:
    assert [tags.spelled(n) for n in (1, 31, 32, 33)] == ["R001", "R00Z", "R010", "R011"]


def test_new_labels_are_added_below_and_nothing_else_changes() -> None:
    before = table("eq-a-x", "fig-a-y")
    after = tags.extended(before, ["eq-b-z", "eq-a-x"], "2.0")
    assert after[:2] == list(before.values())
    assert after[2:] == [Tag("R003", "eq-b-z", "equation", "2.0")]


def test_the_table_survives_writing_and_reading(tmp_path: Path) -> None:
    written = table("eq-a-x", "fig-a-y")
    tags.write(written.values(), tmp_path / "tags.csv")
    assert tags.load(tmp_path / "tags.csv") == written


def test_labels_are_found_in_the_pages(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "```{claim} claim-b\n:verdict: false\nWrong.\n```\n\n```{math}\n:label: eq-page-x\ny = x\n```\n\n"
        '```{code-cell} python\nfigure("fig-page-y")\n```\n',
        "utf-8",
    )
    labels = tags.site_labels(tmp_path)
    assert labels == ["eq-page-x", "fig-page-y", "claim-b"]
    assert [tags.kind_of(label) for label in labels] == ["equation", "figure", "claim"]


RIGHT = table("eq-a-x", "fig-a-y")


@pytest.mark.parametrize(
    ("changed", "labels", "said"),
    [
        pytest.param(RIGHT, ["eq-a-x"], "must either stand on the site", id="a label left the site"),
        pytest.param(RIGHT, [*RIGHT, "eq-b-z"], "eq-b-z has no tag yet", id="a label without a tag"),
        pytest.param({"fig-a-y": RIGHT["fig-a-y"]}, ["fig-a-y"], "belongs", id="a line was removed"),
        pytest.param(
            {"eq-a-x": Tag("R001", "eq-a-x", "figure", "1.0")}, ["eq-a-x"], "is a figure", id="kind changed"
        ),
        pytest.param(
            {"eq-a-x": Tag("R001", "eq-a-x", "equation", "1.0", "was wrong")},
            ["eq-a-x"],
            "must either stand",
            id="retired but standing",
        ),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, Tag], labels: list[str], said: str) -> None:
    assert any(said in fault for fault in tags.faults(changed, labels))


def test_a_retired_label_and_a_right_table_have_no_fault() -> None:
    retired = Tag("R001", "eq-a-x", "equation", "1.0", "stated twice")
    assert not list(tags.faults({"eq-a-x": retired}, []))
    assert not list(tags.faults(RIGHT, RIGHT))


def test_every_label_of_the_site_has_its_tag() -> None:
    assert not list(tags.faults(tags.load(), tags.site_labels(tags.PATH.parent)))


def test_tags_of_the_site_are_distinct() -> None:
    found = [tag.tag for tag in tags.load().values()]
    assert all(one < other for one, other in itertools.pairwise(found))
