"""Results of long experiments as files: what made them stands in them, and pages show it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from platform import python_version
from typing import Any

import numpy as np

Record = dict[str, Any]


def record(setting: Any, seeds: Sequence[int], outcomes: Sequence[Any], **more: Any) -> Record:
    """Write a setting and its outcomes as JSON can keep them.

    Parameters
    ----------
    setting : NamedTuple
        Its fields become entries.
    seeds : sequence of int
        In the order of the outcomes.
    outcomes : sequence of NamedTuple of float
        One a seed; each field becomes a list, one number a seed.
    **more
        Further entries, such as the group that the record belongs to.

    Returns
    -------
    dict
        The entries of `more` and of the setting, ``seeds``, and a list for each field of the outcomes.

    Raises
    ------
    ValueError
        Another number of seeds than of outcomes, or none.
    """
    if len(seeds) != len(outcomes) or not outcomes:
        raise ValueError(f"record: {len(seeds)} seeds and {len(outcomes)} outcomes, expected one each")
    lists = {
        name: [float(getattr(outcome, name)) for outcome in outcomes] for name in type(outcomes[0])._fields
    }
    return {**more, **setting._asdict(), "seeds": list(seeds), **lists}


def report(name: str, records: list[Record], *, command: str) -> Record:
    """Label records with what made them.

    Parameters
    ----------
    name : str
        Of the study.
    records : list of dict
        What it returned.
    command : str
        What a reader types to make them again.

    Returns
    -------
    dict
        ``study``, ``command``, ``date``, ``versions`` and ``records``.
    """
    versions = {"python": python_version(), "numpy": np.__version__, "resgrad": version("resgrad")}
    date = datetime.now(UTC).date().isoformat()
    return {"study": name, "command": command, "date": date, "versions": versions, "records": records}


def stored(text: str, **wanted: Any) -> list[Record]:
    """Read a stored study, and those of its records that have some entries.

    Parameters
    ----------
    text : str
        Of the file.
    **wanted
        Entries that a record must have, such as ``group="many"``.

    Returns
    -------
    list of dict
        In the order of the file.

    Raises
    ------
    ValueError
        If there is no such record.
    """
    found = [
        entry
        for entry in json.loads(text)["records"]
        if all(entry.get(name) == value for name, value in wanted.items())
    ]
    if not found:
        raise ValueError(f"stored: no record with {wanted}")
    return found


def label(text: str) -> str:
    """Say in one line where stored numbers come from.

    Parameters
    ----------
    text : str
        Of the file.

    Returns
    -------
    str
        The date, the command and the versions.
    """
    about = json.loads(text)
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return f"stored on {about['date']} by “{about['command']}” ({versions})"
