"""Explorers: figures whose states a reader can choose, each with its number, its address and its line of Python.

What an explorer shows is computed when the site is built and stored as whole numbers of a stated step; the page is
complete without a script. A module of ``resgrad.lab.explorers`` gives, for one explorer, a function from settings
to a `State` and a function that makes the `Explorer`; ``docs/_static/js/explorers.js`` has one drawing for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from resgrad.lab.figures import Figure
from resgrad.lab.labels import number

__all__ = ["Bet", "Control", "Explorer", "Scale", "State", "Try", "explorer"]

#: More choices than these are a slider.
ROW = 5


@dataclass(frozen=True)
class Scale:
    """How a number is stored, as a whole number of steps, and how what is stored is written.

    Parameters
    ----------
    step : float
        The number is rounded to a whole number of these.
    log : bool
        Whether its decimal logarithm is rounded instead.
    percent : bool
        Whether it is written in per cent.
    words : tuple of str
        What the numbers 0, 1, ... stand for; without it a number is written as such.

    Examples
    --------
    >>> share = Scale(0.0001, percent=True)
    >>> share.stored(0.97355), share.shown(9736)[:5]
    (9736, '97.36')
    """

    step: float
    log: bool = False
    percent: bool = False
    words: tuple[str, ...] = ()

    def stored(self, value: Any) -> Any:
        """Return the nearest whole number of steps; of several numbers a list, of none None."""
        if value is None:
            return None
        if isinstance(value, tuple):
            return [self.stored(entry) for entry in value]
        return round((math.log10(value) if self.log else value) / self.step)

    def shown(self, stored: Any) -> str:
        """Write what is stored."""
        if stored is None:
            return "not measured"
        if isinstance(stored, list):
            return f"({', '.join(self.shown(entry) for entry in stored)})"
        if self.words:
            return self.words[int(stored)]
        value = 10 ** (stored * self.step) if self.log else stored * self.step
        value *= 100 if self.percent else 1
        text = number(value) if self.log else f"{value:.10g}".replace("-", "−")
        return f"{text}\N{NO-BREAK SPACE}%" if self.percent else text

    def said(self) -> str:
        """Say how a number is stored."""
        of = "of its decimal logarithm" if self.log else ""
        return f"whole steps of {self.step:g} {of}".strip()


@dataclass(frozen=True)
class State:
    """What an explorer shows at one choice of its controls.

    Parameters
    ----------
    call : str
        The call that computes it.
    exact : dict of str to number
        Its results; several numbers are a tuple, none is None.
    scales : dict of str to Scale
        How each is stored.
    """

    call: str
    exact: dict[str, Any]
    scales: dict[str, Scale]

    def stored(self) -> dict[str, Any]:
        """Return the whole number of steps that the page holds of each result."""
        return {name: self.scales[name].stored(value) for name, value in self.exact.items()}

    def shown(self) -> dict[str, str]:
        """Return what the page shows of each result."""
        return {name: self.scales[name].shown(value) for name, value in self.stored().items()}

    def __str__(self) -> str:
        """Write, line by line, what the page shows, what it stores, and the number itself."""
        stored, shown = self.stored(), self.shown()
        rows = [
            f"{name}: shown {shown[name]}, stored {stored[name]} ({self.scales[name].said()}), exact {value}"
            for name, value in self.exact.items()
        ]
        return "\n".join([self.call, *rows])


@dataclass(frozen=True)
class Control:
    """One choice of the reader.

    Parameters
    ----------
    name : str
        The argument of the function and, for ``?only=``, its name in the address.
    words : str
        What it is, as its label.
    stops : sequence of number or str
        What can be chosen: in a row if there are up to five, or else with a slider. Stops that are no numbers are
        words in the address, so they hold no comma.
    default : number or str
        One of the stops.
    spoken : sequence of str
        How each stop is written and read out; without it, as it is.
    """

    name: str
    words: str
    stops: Sequence[Any]
    default: Any
    spoken: Sequence[str] = ()

    def tokens(self) -> list[str]:
        """Return how each stop stands in an address."""
        return [_token(stop) for stop in self.stops]

    def texts(self) -> list[str]:
        """Return how each stop is written and read out."""
        return list(self.spoken) or [token.replace("-", "−") for token in self.tokens()]


@dataclass(frozen=True)
class Bet:
    """A question before the figure, with answers to choose from and what is true of each.

    Parameters
    ----------
    question : str
    options : sequence of (str, str)
        An answer that people give, with its source where it is published, and the verdict on it.
    """

    question: str
    options: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Try:
    """A state worth a look: the words of its link, what they go on with, and its settings.

    Parameters
    ----------
    words, rest : str
    settings : dict
        Controls that differ from their defaults.
    """

    words: str
    rest: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Explorer(Figure):
    """An explorer: the figure that stands without a script, and all that the script and the table need."""

    fence: str = "explored"
    parts: dict[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return what the fence carries: the figure's drawings and words, and the explorer's."""
        return {**super().payload(), **self.parts}


def explorer(
    picture: Figure,
    compute: Callable[..., State],
    controls: Sequence[Control],
    *,
    say: str,
    heads: dict[str, str],
    bet: Bet,
    tries: Sequence[Try],
    data: Any,
    stored: str,
    across: str = "",
    panels: Sequence[dict[str, str]] = (),
) -> Explorer:
    """Make an explorer of a function of settings.

    Parameters
    ----------
    picture : Figure
        Stands in its place without a script; its label and caption are the explorer's.
    compute : function
        ``state = compute(**settings)`` with one setting for each control; it lies in the module of its name.
    controls : sequence of Control
        One to three.
    say : str
        The sentence of a state, with ``{name}`` for the words of a control and for what is shown of a result.
    heads : dict of str to str
        Results that the table shows, and the words above their columns.
    bet : Bet
    tries : sequence of Try
    data : JSON
        What the drawing needs: whole numbers of a stated step.
    stored : str
        The steps of all numbers, in words.
    across : str
        A control whose stops are the columns of the table, if there is one result.
    panels : sequence of dict
        A drawing of every state, from `resgrad.lab.panels.panel`, the last control fastest: then the page shows the
        chosen one without a script, and there is none in ``explorers.js``.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        No control or more than three, a default that is no stop, or several results across a control.
    """
    _require_controls(controls, heads, across)
    name = compute.__name__
    defaults = {control.name: control.default for control in controls}
    parts = {
        "name": name,
        "controls": [_control(control) for control in controls],
        "say": say,
        "sentence": _sentence(say, controls, compute(**defaults), defaults),
        "python": _python_line(compute, controls),
        "bet": {"question": bet.question, "options": [list(option) for option in bet.options]},
        "tries": [[t.words, t.rest, _address(name, controls, t.settings, picture.label)] for t in tries],
        "table": _table(compute, controls, heads, across, stored),
        "data": data,
    }
    if panels:
        parts["panels"] = _panels(panels, compute, controls, say)
    return Explorer(picture.label, picture.wide, picture.narrow, picture.alt, picture.caption, parts=parts)


def _panels(
    panels: Sequence[dict[str, str]], compute: Callable[..., State], controls: Sequence[Control], say: str
) -> list[dict[str, Any]]:
    """Return each drawing with the indices of its stops and its sentence."""
    choices = list(product(*(range(len(c.stops)) for c in controls)))
    told = []
    for choice, drawings in zip(choices, panels, strict=True):
        settings = {c.name: c.stops[i] for c, i in zip(controls, choice, strict=True)}
        told.append(
            {"at": choice, **drawings, "sentence": _sentence(say, controls, compute(**settings), settings)}
        )
    return told


def _sentence(say: str, controls: Sequence[Control], state: State, settings: dict[str, Any]) -> str:
    """Return what is read out at a state."""
    words = {c.name: c.texts()[list(c.stops).index(settings[c.name])] for c in controls}
    return say.format(**words, **state.shown())


def _python_line(compute: Callable[..., State], controls: Sequence[Control]) -> str:
    """Return the line for a shell that prints a state, with ``{name}`` for the setting of each control."""
    arguments = ", ".join(
        f"{c.name}='{{{c.name}}}'" if isinstance(c.default, str) else f"{c.name}={{{c.name}}}"
        for c in controls
    )
    name = compute.__name__
    return f'python -c "from {compute.__module__} import {name}; print({name}({arguments}))"'


def _address(name: str, controls: Sequence[Control], settings: dict[str, Any], label: str) -> str:
    """Return the address of a state on its page; that of the default is the figure's own."""
    chosen = [settings.get(c.name, c.default) for c in controls]
    for control, stop in zip(controls, chosen, strict=True):
        if stop not in control.stops:
            raise ValueError(f"{control.name}: {stop!r} is none of its stops")
    query = ",".join(map(_token, chosen))
    if all(stop == c.default for c, stop in zip(controls, chosen, strict=True)):
        return f"?{name}#{label}"
    return f"?{name}={query}#{label}"


def _token(stop: Any) -> str:
    """Write a stop as it stands in an address and in a line of Python."""
    return stop if isinstance(stop, str) else f"{stop:.10g}"


def _control(control: Control) -> dict[str, Any]:
    return {
        "name": control.name,
        "words": control.words,
        "tokens": control.tokens(),
        "texts": control.texts(),
        "default": list(control.stops).index(control.default),
        "row": len(control.stops) <= ROW,
    }


def _table(
    compute: Callable[..., State],
    controls: Sequence[Control],
    heads: dict[str, str],
    across: str,
    stored: str,
) -> dict[str, Any]:
    """Return a table with all states: a row for each, or a column for each stop of one control."""
    rows = [c for c in controls if c.name != across]
    columns = [c for c in controls if c.name == across]
    lines = []
    for stops in product(*(range(len(c.stops)) for c in rows)):
        settings = {c.name: c.stops[i] for c, i in zip(rows, stops, strict=True)}
        wide = [{across: stop} for stop in columns[0].stops] if columns else [{}]
        shown = [compute(**settings, **one).shown() for one in wide]
        cells = [state[name] for state in shown for name in heads]
        lines.append([*(c.texts()[i] for c, i in zip(rows, stops, strict=True)), *cells])
    (only, *_) = heads.values()
    over = (
        [f"{only}: {columns[0].words} {text}" for text in columns[0].texts()]
        if columns
        else [*heads.values()]
    )
    return {
        "head": [*(c.words for c in rows), *over],
        "rows": lines,
        "across": across,
        "results": list(heads),
        "stored": stored,
    }


def _require_controls(controls: Sequence[Control], heads: dict[str, str], across: str) -> None:
    if not 1 <= len(controls) <= 3:
        raise ValueError(f"controls: expected one to three, got {len(controls)}")
    for control in controls:
        if control.default not in control.stops or any("," in token for token in control.tokens()):
            raise ValueError(f"{control.name}: its default is a stop, and no stop has a comma")
    if across and (len(heads) != 1 or across not in [c.name for c in controls]):
        raise ValueError(f"across: {across!r} is a control, beside one result, not {sorted(heads)}")
