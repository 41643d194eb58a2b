"""Explorers: every state is in the table, has an address and a line of Python, and shows its number rounded."""

import json
import math
import re
import shlex
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from explorer_states import NAMES, computed, made, states
from resgrad.blocks.shortcut import scaled
from resgrad.blocks.stack import stack, trace
from resgrad.lab import order as order_lab
from resgrad.lab.explorer import Bet, Control, Scale, State, Try, explorer
from resgrad.lab.explorers import catch as catch_module
from resgrad.lab.explorers import flow as flow_module
from resgrad.lab.explorers import order as order_module
from resgrad.lab.explorers.catch import AT, catch, errors
from resgrad.lab.explorers.flow import BLOCKS, BRANCHES, SKIPS, WIDTH, flow
from resgrad.lab.explorers.gate import WHOLE, measured
from resgrad.lab.explorers.inverse import distances, inverse
from resgrad.lab.explorers.node import node
from resgrad.lab.explorers.paths import paths, window
from resgrad.lab.explorers.seeds import logarithms, seeds
from resgrad.lab.explorers.seeds import mean as mean_of
from resgrad.lab.figures import Figure
from resgrad.lab.paths import binomial
from resgrad.lab.shortcut import Setting, run
from resgrad.rules.activation import relu, tanh
from resgrad.rules.linear import linear

explorer_of = cache(made)


@cache
def states_of(name):
    return states(name, explorer_of(name).parts)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_is_the_number_rounded(name):
    for one in states_of(name):
        for result, exact in one.state.exact.items():
            scale, stored = one.state.scales[result], one.state.stored()[result]
            for number, steps in zip(np.atleast_1d(exact), np.atleast_1d(stored), strict=True):
                if number is not None:
                    value = math.log10(number) if scale.log else number
                    assert abs(value - steps * scale.step) <= scale.step / 2 * (1 + 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_holds_every_state(name):
    parts = explorer_of(name).parts
    table = parts["table"]
    shown = [[one.state.shown()[result] for result in table["results"]] for one in states_of(name)]
    fixed = len([c for c in parts["controls"] if c["name"] != table["across"]])
    if table["across"]:  # a column for each stop of the last control
        assert parts["controls"][-1]["name"] == table["across"]
    cells = [cell for row in table["rows"] for cell in row[fixed:]]
    assert cells == [cell for row in shown for cell in row]
    assert {len(row) for row in table["rows"]} == {len(table["head"])}


@pytest.mark.parametrize("name", NAMES)
def test_at_most_three_controls_and_addresses_that_tell_states_apart(name):
    controls = explorer_of(name).parts["controls"]
    assert 1 <= len(controls) <= 3
    addresses = [",".join(one.tokens) for one in states_of(name)]
    assert len(set(addresses)) == len(addresses)
    assert all(re.fullmatch(r"[\w.,-]+", address) for address in addresses)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_to_try_is_a_state(name):
    parts = explorer_of(name).parts
    for _, _, address in parts["tries"]:
        query, _, label = address.partition("#")
        assert label == f"fig-test-{name}"
        assert query.removeprefix(f"?{name}=").split(",") in [one.tokens for one in states_of(name)]


@pytest.mark.parametrize("name", NAMES)
def test_the_line_of_python_prints_what_is_stored_and_the_number(name):
    parts = explorer_of(name).parts
    _, _, address = parts["tries"][0]
    tokens = address.partition("#")[0].partition("=")[2].split(",")
    line = parts["python"].format(**{c["name"]: t for c, t in zip(parts["controls"], tokens, strict=True)})
    program, flag, code = shlex.split(line)
    assert (program, flag) == ("python", "-c")
    printed = subprocess.run([sys.executable, flag, code], capture_output=True, text=True, check=True).stdout
    state = computed(name, tokens, parts)
    for result, stored in state.stored().items():
        assert f"shown {state.shown()[result]}, stored {stored} (" in printed
        assert f"exact {state.exact[result]}\n" in printed


@pytest.mark.parametrize("name", NAMES)
def test_the_sentence_of_the_first_state_stands_on_the_page(name):
    parts = explorer_of(name).parts
    first = [c["tokens"][c["default"]] for c in parts["controls"]]
    (sentence,) = [one.sentence for one in states_of(name) if one.tokens == first]
    assert parts["sentence"] == sentence


@pytest.mark.parametrize("name", NAMES)
def test_a_bet_has_one_right_answer(name):
    verdicts = [verdict for _, verdict in explorer_of(name).parts["bet"]["options"]]
    assert sorted(verdict.partition(":")[0] for verdict in verdicts) == ["No", "No", "Yes"]


@pytest.mark.parametrize("name", NAMES)
def test_the_fence_holds_json(name):
    assert json.loads(json.dumps(explorer_of(name).payload()))["name"] == name


def test_nodes_by_hand():
    assert node().exact["x_bar"] == (5.5, 1.6)
    assert node(node="average").exact["x_bar"] == (2.75, 0.8)
    assert node(node="beside").exact["x_bar"] == (0.5, 1.0)
    assert node(node="beside").exact["skip"] == (0.0, 2.0)
    assert node(branch="shear").exact["x_bar"] == (1.0, 4.0)
    assert node(turn=90).shown()["y_bar"] == "(−2, 1)"


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'split'"):
        node(node="split")
    with pytest.raises(ValueError, match="'gelu'"):
        inverse(branch="gelu")
    with pytest.raises(ValueError, match="'half'"):
        flow(skip="half")
    with pytest.raises(ValueError, match="'rounded'"):
        catch(mistake="rounded")
    with pytest.raises(ValueError, match="'f'"):
        order_module.order(order="f")


@pytest.mark.parametrize("depth", [1, 7])
def test_one_pass_for_all_biases_draws_the_same_networks(depth):
    alone = [[run(Setting(float(b), layers=depth), seed) for seed in range(1, 11)] for b in WHOLE]
    np.testing.assert_allclose(measured(depth), alone, rtol=1e-12)


def test_the_window_is_the_shortest():
    for energy in (0.05, 0.256, 1.0):
        share = binomial(12, energy / (1 + energy))
        low, high = window(share, 0.95)
        sums = {(i, j): share[i : j + 1].sum() for i in range(13) for j in range(i, 13)}
        shortest = min(j - i for (i, j), total in sums.items() if total >= 0.95)
        assert high - low == shortest
        assert sums[low, high] == pytest.approx(max(sums[i, i + shortest] for i in range(13 - shortest)))
        assert paths(energy=energy, depth=12).exact["carried"] == pytest.approx(sums[low, high])
    assert window(np.array([0.5, 0.4]), 0.95) == (0, 1)  # no run has so much: all of it


def test_an_orthogonal_branch_keeps_the_law():
    law = 0.8 ** np.arange(41)
    np.testing.assert_allclose(distances("orthogonal", 0.8), np.tile(law, (12, 1)), rtol=1e-9)


def test_nothing_is_shown_below_what_rounding_decides():
    assert distances("orthogonal", 0.1)[:, -1].tolist() == [1e-12] * 12


ACTIVATION = {"relu": relu, "tanh": tanh, "linear": stack()}


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("activation", ACTIVATION)
def test_all_scales_at_once_are_the_stack_of_the_library(skip, activation):
    seed, scale = 2, "1-sqrtL"
    weights, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    W = weights.standard_normal((BLOCKS, WIDTH, WIDTH)) * ((2 if activation == "relu" else 1) / WIDTH) ** 0.5
    F = stack(ACTIVATION[activation], linear)
    block = stack(scaled(F, lam=SKIPS[skip], alpha=BRANCHES[scale]), relu if skip == "relu" else stack())
    x, g = (np.tile(of.standard_normal(WIDTH), (WIDTH, 1)) for of in (x_rng, g_rng))
    thetas = [(((), (w, np.zeros(WIDTH))), ()) for w in W]
    _, pull = trace(*[block] * BLOCKS)(x, *thetas)
    found = flow_module.measured(skip, activation)
    at = list(BRANCHES).index(scale), seed - 1
    lengths = np.array([np.linalg.norm(bar[0]) for bar in pull(g)[0]])
    np.testing.assert_allclose(found.lengths[at], lengths[::-1] / lengths[-1], rtol=1e-9)
    values = np.linalg.svd(pull(np.eye(WIDTH))[0][0], compute_uv=False)
    np.testing.assert_allclose(found.values[at], values, rtol=1e-6, atol=1e-12 * values[0])


def test_what_a_spectrum_loses_is_not_drawn():
    none = next(row[0] for row in flow_module._data()["values"])
    assert len(none[-1]) < WIDTH // flow_module.EVERY == len(flow_module._data()["values"][0][1][1])


def test_a_check_passes_the_right_vjp_and_no_mistake_of_size():
    for rule in catch_module.RULES:
        assert errors(rule)[AT] < 1e-9
        for mistake in ("forgotten", "half", "sign"):
            assert catch(rule=rule, mistake=mistake).exact["verdict"] == 1
        assert catch(rule=rule, mistake="millionth").exact["verdict"] == 0
        assert catch(rule=rule, mistake="millionth", tolerance=1e-7).exact["verdict"] == 1


def test_rounding_and_truncation_bound_the_right_error():
    rounding, truncation = catch_module.bounds()
    # A factor of 30: rounding is random, and below a step of 3e-2 the next order is small.
    seen = catch_module.STEPS < 3e-2
    assert (errors("residual") < 30 * (rounding + truncation))[seen].all()


def test_the_orders_are_those_of_their_page():
    found = order_module._run("a", 1.0, 5)
    setting = order_lab.Setting("original", blocks=54, width=32, rows=32)
    np.testing.assert_allclose(found.whole**2, order_lab.run(setting, 5).energy[::-1], rtol=1e-9)
    alone = order_lab.run(setting._replace(skip_alone=True), 5)
    np.testing.assert_allclose(found.skips**2, alone.energy[::-1], rtol=1e-9)
    assert found.open[0] == 1
    assert (np.diff(found.open) <= 0).all()
    assert 1 - found.open[1] <= found.shut


@pytest.mark.parametrize("kind", order_module.PLACED)
def test_the_scale_is_that_of_what_the_branch_writes(kind):
    name, last = order_module.PLACED[kind]
    setting = order_lab.Setting(name, blocks=1, width=5, rows=6)
    theta = order_lab.initial(setting, rng=np.random.default_rng(3))[0]
    x = np.random.default_rng(4).standard_normal((6, 5))
    (block,) = order_lab.network(setting)
    nothing = block(x, *order_module._scaled(theta, last, 0.0))[0]
    standing = {"a": np.maximum(x, 0), "b": np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), 0)}
    np.testing.assert_allclose(nothing, standing.get(kind, x))
    if kind in "cde":  # nothing bends what the branch wrote
        half, whole = (block(x, *order_module._scaled(theta, last, s))[0] - x for s in (0.5, 1.0))
        np.testing.assert_allclose(half, whole / 2)


def test_every_state_of_the_orders_is_drawn():
    panels = explorer_of("order").parts["panels"]
    assert [p["at"] for p in panels] == [(i, j) for i in range(5) for j in range(2)]
    assert [p["sentence"] for p in panels] == [one.sentence for one in states_of("order")]


def test_draws_and_their_means():
    logs = logarithms(2)
    assert seeds(draw=0, depth=2).exact["ratio"] == pytest.approx(10 ** logs.max())
    assert seeds(draw=1, depth=2).exact["ratio"] == pytest.approx(10 ** logs.min())
    every = [seeds(runs=100, draw=draw, depth=2).exact for draw in (0, 1, 5)]
    assert all(one["ratio"] == pytest.approx(every[0]["ratio"]) for one in every)
    assert every[0]["worse"] == np.mean(logs < 0)
    low, high = seeds(runs=5, draw=3, depth=2).exact["interval"]
    assert low < seeds(runs=5, draw=3, depth=2).exact["ratio"] < high
    with pytest.raises(ValueError, match="4, 0 and 2"):
        seeds(runs=4, depth=2)


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
def test_an_interval_holds_the_truth_in_95_of_100_draws(runs):
    drawn = np.random.default_rng(7).standard_normal((4000, runs))
    inside = [low < 0 < high for _, low, high in map(mean_of, drawn)]
    # Four standard errors of a share of 4000.
    assert abs(np.mean(inside) - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5


SQUARE = Scale(0.01)


def square(*, x=1):
    """A function such as an explorer has."""
    return State(f"square(x={x})", {"y": float(x**2)}, {"y": SQUARE})


PICTURE = Figure("fig-test-square", "<svg/>", "<svg/>", "A square.", "It grows.")
WORDS = {
    "say": "{x} gives {y}.",
    "heads": {"y": "its square"},
    "bet": Bet("2 gives?", [("3", "No: 4."), ("4", "Yes: 4.")]),
    "tries": [Try("Two", "is four.", {"x": 2})],
    "data": None,
    "stored": "Hundredths.",
}


def test_an_explorer_from_its_parts():
    parts = explorer(PICTURE, square, [Control("x", "a number", (1, 2, -0.5), 1)], **WORDS).parts
    assert parts["sentence"] == "1 gives 1."
    assert parts["tries"] == [["Two", "is four.", "?square=2#fig-test-square"]]
    assert parts["table"]["rows"] == [["1", "1"], ["2", "4"], ["−0.5", "0.25"]]
    assert parts["controls"][0]["tokens"] == ["1", "2", "-0.5"]
    assert parts["python"].endswith('import square; print(square(x={x}))"')


@pytest.mark.parametrize(
    ("controls", "across", "fault"),
    [
        ([], "", "one to three, got 0"),
        ([Control("x", "", (1, 2), 3)], "", "its default is a stop"),
        ([Control("x", "", ("a,b",), "a,b")], "", "no stop has a comma"),
        ([Control("x", "", (1, 2), 1)], "z", "'z' is a control"),
    ],
)
def test_parts_that_do_not_fit_are_refused(controls, across, fault):
    with pytest.raises(ValueError, match=fault):
        explorer(PICTURE, square, controls, across=across, **WORDS)


def test_a_state_to_try_that_is_none_is_refused():
    with pytest.raises(ValueError, match="x: 7 is none of its stops"):
        explorer(
            PICTURE, square, [Control("x", "", (1, 2), 1)], **WORDS | {"tries": [Try("Seven", "", {"x": 7})]}
        )


@pytest.mark.parametrize(
    ("scale", "value", "stored", "shown"),
    [
        (Scale(0.001), -1.2344, -1234, "−1.234"),
        (Scale(0.001), (0.5, -0.0), [500, 0], "(0.5, 0)"),
        (Scale(0.0001, percent=True), 0.97355, 9736, "97.36\N{NO-BREAK SPACE}%"),
        (Scale(0.0001, log=True), 5.551e-17, -162556, "5.6\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10⁻¹⁷"),
        (Scale(1.0), None, None, "not measured"),
        (Scale(1, words=("no", "yes")), 1, 1, "yes"),
    ],
)
def test_scales(scale, value, stored, shown):
    assert scale.stored(value) == stored
    assert scale.shown(stored) == shown
