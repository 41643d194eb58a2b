"""See that an index which runs reaches every entry of the axis that it indexes.

A range that is too short leaves a statement about the first entries alone: weaker than the one that was meant,
and true, so that no number tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tex_tree import Position, TexError


@dataclass
class _Reached:
    """What the uses of one axis reach, and where an index first runs along it."""

    size: int = 0
    places: set[int] = field(default_factory=set)
    runs_at: Position | None = None


class Reach:
    """A record of the entries that a statement indexes, filled while its sides are computed.

    An axis is known by the name of its value and its number; of a sequence of sequences it is as long as the
    longest of them.
    """

    def __init__(self) -> None:
        self._axes: dict[tuple[str, int], _Reached] = {}

    def note(self, axis: tuple[str, int], place: int, size: int, runs_at: Position | None) -> None:
        """Note one use of an axis of `size` entries; `runs_at` is where its index stands if that runs."""
        found = self._axes.setdefault(axis, _Reached())
        found.size = max(found.size, size)
        found.places.add(place)
        found.runs_at = found.runs_at or runs_at

    def refuse_partial(self) -> None:
        """Refuse an index that runs along an axis of which some entry is reached by no use.

        Raises
        ------
        TexError
            At the first such index.
        """
        for (name, _), found in self._axes.items():
            if found.runs_at and len(found.places) < found.size:
                raise TexError(
                    f"the index of {name} reaches {len(found.places)} of its {found.size} entries: "
                    "widen the range",
                    *found.runs_at,
                )
