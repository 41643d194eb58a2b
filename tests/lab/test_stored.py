import json
from typing import NamedTuple

import pytest

from pages import DOCS
from resgrad.lab.stored import label, record, report, stored
from resgrad.lab.study import STUDIES

FILES = sorted((DOCS / "evidence/studies").glob("*.json"))


class Setting(NamedTuple):
    kind: str
    depth: int


class Outcome(NamedTuple):
    loss: float
    error: float


def test_a_record_has_the_setting_and_a_list_for_each_field():
    made = record(Setting("plain", 8), (3, 4), [Outcome(1, 0.5), Outcome(2, 0.25)], group="many")
    assert made == {
        "group": "many", "kind": "plain", "depth": 8, "seeds": [3, 4], "loss": [1.0, 2.0], "error": [0.5, 0.25]
    }  # fmt: skip
    for seeds, outcomes in (((1,), []), ((), []), ((1, 2), [Outcome(1, 1)])):
        with pytest.raises(ValueError, match="expected one each"):
            record(Setting("plain", 8), seeds, outcomes)


def test_a_report_says_what_made_it_and_is_read_back():
    records = [{"group": "a", "depth": 1}, {"group": "b", "depth": 1}]
    made = report("toy", records, command="make study NAME=toy")
    assert set(made["versions"]) == {"python", "numpy", "resgrad"}
    text = json.dumps(made)
    assert stored(text, group="b") == [records[1]]
    assert stored(text, depth=1) == records
    assert "“make study NAME=toy”" in label(text)
    assert made["date"] in label(text)
    assert made["versions"]["numpy"] in label(text)
    with pytest.raises(ValueError, match=r"no record with .*'c'"):
        stored(text, group="c")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stored_study_can_be_made_again(path):
    kept = json.loads(path.read_text("utf-8"))
    assert kept["study"] == path.stem
    assert path.stem in STUDIES
    assert kept["command"] == f"make study NAME={path.stem}"
    for entry in kept["records"]:
        assert len(set(entry["seeds"])) == len(entry["seeds"]) > (entry.get("group") != "choice")
        assert all(len(value) == len(entry["seeds"]) for value in entry.values() if isinstance(value, list))
