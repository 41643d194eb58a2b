"""All states of the explorers, computed anew; as a program, as JSON for the tests in browsers."""

import json
import pkgutil
from importlib import import_module
from itertools import product
from typing import Any, NamedTuple

import resgrad.lab.explorers
from resgrad.lab.explorer import Explorer, State

NAMES = [module.name for module in pkgutil.iter_modules(resgrad.lab.explorers.__path__)]


class One(NamedTuple):
    """A state: its words in the address, what is read out, and its numbers."""

    tokens: list[str]
    sentence: str
    state: State


def made(name: str) -> Explorer:
    """The explorer of that name."""
    module = import_module(f"resgrad.lab.explorers.{name}")
    explorer: Explorer = getattr(module, f"{name}_explorer")(f"fig-test-{name}")
    return explorer


def computed(name: str, tokens: list[str], parts: dict[str, Any]) -> State:
    """What the function of an explorer gives for the words of an address."""
    function = getattr(import_module(f"resgrad.lab.explorers.{name}"), name)
    state: State = function(**{c["name"]: _read(t) for c, t in zip(parts["controls"], tokens, strict=True)})
    return state


def _read(token: str) -> Any:
    try:
        number = float(token)
    except ValueError:
        return token
    return int(number) if number.is_integer() else number


def states(name: str, parts: dict[str, Any]) -> list[One]:
    """All states of an explorer, the last control fastest."""
    found = []
    for choice in product(*(range(len(c["tokens"])) for c in parts["controls"])):
        chosen = list(zip(parts["controls"], choice, strict=True))
        tokens = [c["tokens"][i] for c, i in chosen]
        state = computed(name, tokens, parts)
        words = {c["name"]: c["texts"][i] for c, i in chosen}
        found.append(One(tokens, parts["say"].format(**words, **state.shown()), state))
    return found


if __name__ == "__main__":
    print(
        json.dumps(
            {name: [[*one[:2], one.state.exact] for one in states(name, made(name).parts)] for name in NAMES}
        )
    )
