r"""How a symbol of an equation is spelled in code: `\bar W_1` is `W1_bar`, `J_F` is `J_F`.

A digit is joined to the base, a label keeps its underscore, accents and primes follow in words. The same
rules serve the evaluator and the table of notation.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence

from tex_tree import Derivative, Label, Node, Number, Symbol

_SPELLED = {("mathbf", "1"): "ones", ("boldsymbol", "1"): "ones", ("mathbf", "0"): "zeros"}
_SPELLED |= {("boldsymbol", "0"): "zeros"}


def base_name(symbol: Symbol) -> str:
    r"""Spell the base alone: `\varepsilon` is `epsilon`, `\mathrm d W_1` is `dW`, `\mathbf 1` is `ones`."""
    plain = symbol.base.removeprefix("\\").removeprefix("var")
    name = _SPELLED.get((symbol.style, symbol.base), plain)
    return "d" + name if symbol.differential else name


def base_tex(symbol: Symbol) -> str:
    r"""Return the base as TeX, `\mathcal E` or `x`: what the table of notation is searched for."""
    if symbol.style == "operatorname":
        return f"\\operatorname{{{symbol.base}}}"
    return f"\\{symbol.style} {symbol.base}" if symbol.style else symbol.base


def label(item: Node) -> str | None:
    """Spell a subscript as part of a name, or return None if it can only be an index."""
    if isinstance(item, Label):
        return item.text
    if isinstance(item, Number):
        return str(item.value)
    if isinstance(item, Symbol) and not item.subscript and not item.marks:
        return base_name(item)
    return None


def spelled(symbol: Symbol, items: Sequence[Node]) -> str | None:
    """Spell `symbol` with `items` in place of its subscript; None if one of them is no label."""
    name = base_name(symbol)
    for place, item in enumerate(items):
        word = label(item)
        if word is None:
            return None
        name += word if word.isdigit() and not place else "_" + word
    name = "_".join([name, *symbol.marks])
    return name + "_" if keyword.iskeyword(name) else name


def spelled_derivative(node: Derivative, items: Sequence[Node]) -> str | None:
    """Spell a derivative with `items` in place of the subscripts that top and bottom share."""
    words = [spelled(part, items if part.subscript else ()) for part in (node.top, node.bottom)]
    return None if None in words else "_".join(f"d{word}" for word in words)


def shared_subscript(node: Derivative) -> tuple[Node, ...] | None:
    r"""Return the subscript of top and bottom, of one of them if the other has none; None if they differ."""
    found = {part.subscript for part in (node.top, node.bottom) if part.subscript}
    return None if len(found) > 1 else next(iter(found), ())
