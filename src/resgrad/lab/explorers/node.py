"""Where two paths meet: what each carries of the gradient, for three nodes, five branches and twelve directions."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.lab.explorer import Bet, Control, Explorer, Scale, State, Try, explorer
from resgrad.lab.figures import Figure, Panel, colour, figure, note
from resgrad.lab.labels import vector
from resgrad.rules.add import concat, split
from resgrad.rules.linear import linear

#: The branch F(x) = x W by its name: the transpose of W is its Jacobian.
BRANCHES = {
    "thread": ((0.5, 2.0), (-1.0, 0.3)),
    "against": ((-0.9, 0.0), (0.0, -0.9)),
    "shear": ((0.0, 0.0), (2.0, 0.0)),
    "turn": ((0.0, -1.0), (1.0, 0.0)),
    "zero": ((0.0, 0.0), (0.0, 0.0)),
}
TURNS = tuple(range(0, 360, 30))
NODES = ("add", "average", "beside")
SCALE = Scale(0.001)

Row = NDArray[np.float64]


def node(*, node: str = "add", branch: str = "thread", turn: float = 0) -> State:
    """Pull a gradient back through a node where the skip and a branch meet.

    Parameters
    ----------
    node : {"add", "average", "beside"}
        y = F(x) + x; half of that; or the first number of F(x) beside the second of x.
    branch : str
        A name in `BRANCHES`: F(x) = x W.
    turn : float
        By how many degrees the gradient at y is turned, counterclockwise from (1, 2).

    Returns
    -------
    State
        The gradient at y, what the skip gets of it, what the branch gets of it and pulls it back to, and their sum.

    Raises
    ------
    ValueError
        An unknown node or branch.

    Examples
    --------
    >>> print(node().shown()["x_bar"])
    (5.5, 1.6)
    """
    if node not in NODES or branch not in BRANCHES:
        raise ValueError(f"node: {node!r} with the branch {branch!r}, expected one of {sorted(BRANCHES)}")
    y_bar = _turned(turn)
    into_skip, into_branch = _shares(node, y_bar)
    W, no_bias, x = np.array(BRANCHES[branch]), np.zeros(2), np.array([[1.0, -1.0]])
    (from_branch, *_) = linear(x, W, no_bias)[1](into_branch)
    # By the residual block where it is one, so that this is the rule of the page and no copy of it.
    (x_bar, *_) = residual(linear)(x, W, no_bias)[1](y_bar) if node == "add" else (into_skip + from_branch,)
    exact = {"y_bar": y_bar, "skip": into_skip, "into": into_branch, "out": from_branch, "x_bar": x_bar}
    call = f"node(node={node!r}, branch={branch!r}, turn={turn})"
    return State(call, {name: tuple(v[0].tolist()) for name, v in exact.items()}, dict.fromkeys(exact, SCALE))


def _turned(turn: float) -> Row:
    """Return (1, 2), turned counterclockwise by some degrees, as a row."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return np.array([[cos - 2 * sin, sin + 2 * cos]])


def _shares(node: str, y_bar: Row) -> tuple[Row, Row]:
    """Return what a node hands back of a gradient over the skip and into the branch."""
    if node == "beside":  # what is cut off gets no gradient
        zero = np.zeros((1, 2))
        _, join = concat(zero[:, :1], zero[:, 1:])
        first, second = join(y_bar)
        _, cut = split(zero, sizes=(1, 1))
        return cut((zero[:, :1], second))[0], cut((first, zero[:, 1:]))[0]
    part = y_bar if node == "add" else y_bar / 2
    return part, part


def node_explorer(label: str) -> Explorer:
    """Make the explorer.

    Parameters
    ----------
    label : str
        ``fig-<stem>-<name>``.

    Returns
    -------
    Explorer
    """
    spoken = ("the thread’s W", "−0.9 x", "shear", "turn", "zero")
    controls = [
        Control("node", "the node", NODES, "add", ("add", "average", "side by side")),
        Control("branch", "the branch", tuple(BRANCHES), "thread", spoken),
        Control("turn", "ȳ turned by", TURNS, 0, tuple(f"{turn}°" for turn in TURNS)),
    ]
    heads = {"y_bar": "ȳ", "skip": "over the skip", "into": "into F", "out": "out of F", "x_bar": "x̄"}
    return explorer(
        _picture(label),
        node,
        controls,
        say=_SAY,
        heads=heads,
        bet=_bet(),
        tries=_tries(),
        data={"branches": list(BRANCHES.values()), "turns": list(TURNS)},
        stored=_STORED,
    )


_SAY = (
    "Node: {node}; branch: {branch}. Of ȳ = {y_bar} the skip gets {skip} and the branch {into}, which it pulls "
    "back to {out}; x̄ = {x_bar}."
)
_STORED = (
    "Every number is rounded to a whole step of 0.001. The browser computes those of the picture itself; a test "
    "compares them with the library’s."
)


def _bet() -> Bet:
    add, average = (node(node=kind).shown()["x_bar"] for kind in ("add", "average"))
    share = f"No: that is a node that averages, and then x̄ is {average} instead of {add}."
    copy = f"Yes: both paths carry ȳ, and F pulls its copy back before the two are added: x̄ = {add}."
    double = "No: 2ȳ would be x̄ for a branch whose Jacobian is the identity, and no path carries it."
    return Bet(
        "Two paths meet at an addition, and ȳ = (1, 2) arrives there. How much of it goes along each path?",
        [
            ("(0.5, 1): it is shared out", share),
            ("(1, 2): all of it, twice", copy),
            ("(2, 4): it doubles", double),
        ],
    )


def _tries() -> list[Try]:
    average, beside = (node(node=kind).shown()["x_bar"] for kind in ("average", "beside"))
    against, shear = (node(branch=kind).shown()["x_bar"] for kind in ("against", "shear"))
    return [
        Try("Average the two", f"and x̄ is {average}, half of what the sum gives.", {"node": "average"}),
        Try(
            "Put them side by side",
            f"and each path gets its own part of ȳ: x̄ = {beside}.",
            {"node": "beside"},
        ),
        Try("F(x) = −0.9 x", f"leaves a tenth, {against}, and so in every direction.", {"branch": "against"}),
        Try("The shear", f"makes {shear} of (1, 2): F(x) is (2 b, 0) for x = (a, b).", {"branch": "shear"}),
    ]


def _picture(label: str) -> Figure:
    ends = {kind: node(node=kind).exact["x_bar"] for kind in NODES}
    add, average, beside = map(vector, ends.values())

    def draw(axes: Any, width: int) -> None:
        _arrow(axes, (0, 0), (1, 2), "skip")
        _arrow(axes, (1, 2), ends["add"], "branch")
        for end in ends.values():
            _arrow(axes, (0, 0), end, "gradient")
        note(axes, 5.7, 1.6, f"add: {add}", role="gradient")
        note(axes, 2.75, 0.4, f"average: {average}", role="gradient")
        note(axes, 0.2, 1, f"side by side: {beside}", role="gradient", ha="right")
        note(axes, 0.8, 2.35, "ȳ = (1, 2)", role="skip", ha="right")
        note(axes, 3.2, 2.35, "through F", role="branch")
        axes.set_xlim(*((-5, 11) if width > 400 else (-7, 12)))
        axes.set_ylim(-0.6, 3)

    alt = (
        f"Arrows from the origin. The gradient at y is (1, 2). The gradient at x is {add} behind an addition, "
        f"{average} behind an average, and {beside} behind a concatenation."
    )
    caption = (
        f"An addition hands all of ȳ to both paths, so that x̄ = {add}; an average would leave {average}, and parts "
        f"put side by side {beside}. Blue: what comes over the skip of an addition; orange, from its tip: what comes "
        "through the branch; dashed: the gradient at x, for each node. Side by side: y is the first number of F(x) and "
        "the second of x. F(x) = xW with the W of the thread."
    )
    panel = Panel(x="first number", y="second number")
    return figure(label, draw, panels=[panel], alt=alt, caption=caption)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], role: str) -> None:
    width, dashes = {"skip": (3.5, "-"), "branch": (2.5, "-"), "gradient": (2, (0, (3.5, 2)))}[role]
    arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    looks = {"color": colour(role), "linewidth": width, "linestyle": dashes}
    axes.annotate("", end, xytext=start, arrowprops={**arrow, **looks})
