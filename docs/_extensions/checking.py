"""Check one displayed equation: run its examples, evaluate its TeX, see its near misses fail.

The cell that `reader` makes of a ``{check}`` fence calls `check` with the equation's own source. The record that
comes back is shown by the directive of `check_directive`; nothing raises here, so that one build reports every
fault of a page.
"""

from __future__ import annotations

import ast
import doctest
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import notation
from tex_evaluate import evaluate
from tex_grammar import TexError, TexShapeError, parse

#: A near miss must be off by at least this much, relative to the larger side.
NEAREST = 1e-3
#: Functions of this package are what an equation's numbers rest on.
LIBRARY = "resgrad."
#: Stands before each line of a check's body in its cell: see `reader`.
MARGIN = "| "
NOTATION = Path(__file__).parents[1] / "notation.toml"


@dataclass(frozen=True)
class NearMiss:
    """A mistake that people make, written as an equation, and how far off it is (None: its shapes do not fit)."""

    tex: str
    remark: str
    off: float | None


@dataclass(frozen=True)
class Fault:
    """Why a check fails; `line` and `column` are 1-based within `source`: the equation's TeX or the check's body."""

    source: str
    line: int
    column: int
    message: str


@dataclass(frozen=True)
class Record:
    """What one check found; `why_not` says why the equation is not evaluated from its TeX."""

    label: str
    tex: str
    code: str
    rtol: float
    why_not: str
    error: float | None
    slack: float | None
    near: tuple[NearMiss, ...]
    calls: tuple[str, ...]
    faults: tuple[Fault, ...]

    @property
    def executed(self) -> bool:
        """Whether the TeX itself was evaluated."""
        return not self.why_not

    def sentence(self) -> str:
        """The strength of the check, in the one wording used everywhere."""
        if self.faults:
            return "fails: " + "; ".join(fault.message for fault in self.faults)
        return "; ".join(filter(None, (self._holds(), self._rejects())))

    def _holds(self) -> str:
        if not self.executed:
            return f"checked by its examples, not from this TeX ({self.why_not})"
        if self.slack is not None:
            return f"evaluated from this TeX; holds with a relative slack of {self.slack:.2g}"
        return f"evaluated from this TeX; holds within {self.rtol:g}"

    def _rejects(self) -> str:
        by_numbers = [miss.off for miss in self.near if miss.off is not None]
        if not by_numbers:
            return ""
        count = f"{len(self.near)} near miss{'es' if len(self.near) > 1 else ''}"
        nearest = f"{'the nearest ' if len(by_numbers) > 1 else ''}off by {min(by_numbers):.2g}"
        by_shape = len(self.near) - len(by_numbers)
        return f"rejects {count}, {nearest}" + (f", {by_shape} by shape" if by_shape else "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        payload = json.dumps(asdict(self), ensure_ascii=True)
        markdown = f"``````{{checked}} {self.label}\n{payload}\n``````"
        return {"text/markdown": markdown, "text/plain": f"{self.label}: {self.sentence()}"}


def check(
    label: str,
    tex: str,
    body: str,
    namespace: dict[str, Any],
    *,
    rtol: str = "1e-12",
    not_evaluated: str = "",
) -> Record:
    """Run the examples of `body` in `namespace`, then evaluate `tex` and the near misses of `body` there.

    Parameters
    ----------
    label, tex : str
        The equation's label and its TeX; empty TeX where no display has that label.
    body : str
        Doctest lines and near misses, one to a line: ``!= TeX  % remark``.
    namespace : dict
        The page's namespace, `globals()` in a cell; the names that the examples bind are added to it.
    rtol : str
        Relative tolerance, as the fence's option spells it.
    not_evaluated : str
        Why the equation is not evaluated from its TeX; its examples then need a lone ``agree(...)`` that
        prints True and one that prints False.

    Returns
    -------
    Record
        What was found; its `faults` are empty if the check passes.
    """
    tex, body = tex.strip("\n"), _without_margin(body)
    examples = doctest.DocTestParser().get_examples(_without_near_misses(body), label)
    faults = [*_ignored(body, label), *_run(examples, label, namespace), *_verdicts(examples)]
    error = slack = None
    if not_evaluated:
        faults += _needs_both(examples)
    else:
        error, slack, found = _statement(tex, namespace, float(rtol))
        faults += found
    near, found = _near_misses(body, namespace, bool(not_evaluated))
    return Record(
        label=label,
        tex=tex,
        code="".join(_source(example) for example in examples),
        rtol=float(rtol),
        why_not=not_evaluated,
        error=error,
        slack=slack,
        near=tuple(near),
        calls=tuple(sorted(set(_calls(examples, tex, namespace)))),
        faults=tuple(faults + found),
    )


def _without_margin(body: str) -> str:
    """The body as it stands on the page; in its cell each line stands behind a margin."""
    return "\n".join(line.removeprefix(MARGIN) for line in body.strip("\n").splitlines())


def _is_near_miss(line: str) -> bool:
    return line.startswith("!= ")


def _without_near_misses(body: str) -> str:
    """The doctest lines of the body, each on its own line number."""
    return "".join(("" if _is_near_miss(line) else line) + "\n" for line in body.splitlines())


def _source(example: doctest.Example) -> str:
    first, *rest = example.source.splitlines()
    return "\n".join([f">>> {first}", *(f"... {line}" for line in rest)]) + "\n" + example.want


class _Collector(doctest.DocTestRunner):
    """A doctest runner that keeps failures instead of printing them."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.faults: list[Fault] = []

    def _note(self, example: doctest.Example, message: str) -> None:
        self.faults.append(Fault("check", example.lineno + 1, 1, message))

    def report_failure(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        """Keep an example whose output differs."""
        self._note(example, f"{example.source.strip()} gave {got.strip()!r}, not {example.want.strip()!r}")

    def report_unexpected_exception(
        self, out: Any, test: Any, example: doctest.Example, exc_info: Any
    ) -> None:
        """Keep an example that raised."""
        self._note(example, f"{example.source.strip()} raised {exc_info[0].__name__}: {exc_info[1]}")


def _run(examples: list[doctest.Example], label: str, namespace: dict[str, Any]) -> list[Fault]:
    test = doctest.DocTest(examples, {}, label, None, 0, None)
    test.globs = namespace  # not the copy that DocTest makes: later cells use what the examples bind
    runner = _Collector()
    runner.run(test, out=lambda _: None, clear_globs=False)
    return runner.faults


def _lone_agree(example: doctest.Example) -> ast.Call | None:
    """The call, if the example is one call of `agree` and nothing else."""
    try:
        tree = ast.parse(example.source.strip(), mode="eval").body
    except SyntaxError:
        return None
    is_agree = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "agree"
    return cast(ast.Call, tree) if is_agree else None


def _ignored(body: str, label: str) -> Iterator[Fault]:
    """Lines that are neither an example nor a near miss: doctest would pass over them."""
    line = 1
    for part in doctest.DocTestParser().parse(_without_near_misses(body), label):
        if isinstance(part, str):
            for number, text in enumerate(part.splitlines(), start=line):
                if text.strip():
                    yield Fault("check", number, 1, f"{text.strip()!r} is neither an example nor a near miss")
            line += part.count("\n")
        else:
            line += part.source.count("\n") + part.want.count("\n")


def _verdicts(examples: list[doctest.Example]) -> Iterator[Fault]:
    """What could hide in an example what is compared: anything but one lone `agree` of two things."""
    for example in examples:
        if "doctest:" in example.source:
            yield Fault("check", example.lineno + 1, 1, "no doctest directive: each example is run")
        if example.want.strip() in ("True", "False"):
            call = _lone_agree(example)
            if call is None:
                yield Fault("check", example.lineno + 1, 1, "True or False belongs to one lone agree(...)")
            elif len({ast.dump(argument) for argument in call.args}) < 2:
                yield Fault("check", example.lineno + 1, 1, "agree(...) compares a thing with itself")


def _needs_both(examples: list[doctest.Example]) -> Iterator[Fault]:
    wants = {example.want.strip() for example in examples}
    for verdict, what in (("True", "the statement"), ("False", "a near miss")):
        if verdict not in wants:
            yield Fault("check", 1, 1, f"not evaluated from its TeX: state {what} as a lone agree(...)")


def _statement(
    tex: str, namespace: Mapping[str, Any], rtol: float
) -> tuple[float | None, float | None, list[Fault]]:
    if not tex:
        return None, None, [Fault("check", 1, 1, "no display of this page has this label")]
    if not 0 < rtol < NEAREST:
        return (
            None,
            None,
            [Fault("check", 1, 1, f"rtol is {rtol:g}: it must be above 0 and below {NEAREST:g}")],
        )
    try:
        result = _evaluated(tex, namespace, rtol, whole=True)
    except TexError as error:
        return None, None, [Fault("tex", error.line, error.column, error.message)]
    if result.holds:
        return result.error, result.slack, []
    return result.error, result.slack, [Fault("tex", 1, 1, f"does not hold: off by {result.error:.2g}")]


def _evaluated(tex: str, namespace: Mapping[str, Any], rtol: float, *, whole: bool) -> Any:
    statement = parse(tex)
    notation.load(NOTATION).check(statement)
    return evaluate(statement, namespace, rtol=rtol, whole=whole)


def _near_misses(
    body: str, namespace: Mapping[str, Any], by_agree: bool
) -> tuple[list[NearMiss], list[Fault]]:
    near: list[NearMiss] = []
    faults: list[Fault] = []
    for number, line in enumerate(body.splitlines(), start=1):
        if _is_near_miss(line):
            tex, _, remark = line.removeprefix("!= ").partition("%")
            found = _near_miss(tex.strip(), remark.strip(), namespace, number)
            if isinstance(found, NearMiss):
                near.append(found)
            else:
                faults.append(found)
    if not (by_agree or faults or any(miss.off is not None for miss in near)):
        faults.append(Fault("check", 1, 1, "no near miss that its numbers reject"))
    return near, faults


def _near_miss(tex: str, remark: str, namespace: Mapping[str, Any], line: int) -> NearMiss | Fault:
    """The near miss as found; a fault if it cannot be evaluated or is not far enough off."""
    try:
        off = _evaluated(tex, namespace, 0.0, whole=False).error
    except TexShapeError:
        return NearMiss(tex, remark, None)
    except TexError as error:
        return Fault("check", line, error.column + 3, f"near miss: {error.message}")
    if off < NEAREST:
        return Fault("check", line, 1, f"near miss off by {off:.2g} only, less than {NEAREST:g}")
    return NearMiss(tex, remark, off)


def _calls(examples: list[doctest.Example], tex: str, namespace: Mapping[str, Any]) -> Iterator[str]:
    """The library's functions behind the names that the examples use."""
    for example in examples:
        for node in ast.walk(ast.parse(example.source)):
            if isinstance(node, ast.Name) and (origin := _origin(namespace.get(node.id))):
                yield origin


def _origin(value: Any) -> str | None:
    """``resgrad.blocks.residual.residual`` for that function and for the closures it returns."""
    module = getattr(value, "__module__", None) or ""
    if not (callable(value) and module.startswith(LIBRARY)):
        return None
    return f"{module}.{value.__qualname__.split('.<locals>')[0]}"
