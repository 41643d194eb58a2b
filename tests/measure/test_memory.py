import tracemalloc
from collections import deque
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.reversible import reversible
from resgrad.blocks.stack import stack
from resgrad.measure.memory import held_bytes, memory, peak_bytes
from resgrad.rules.activation import relu, tanh
from resgrad.rules.convolution import conv2d
from resgrad.rules.linear import linear

KEPT = np.ones(1000)  # found by its name in the module, and so by none of the functions below


class Plain:
    def __init__(self, content):
        self.content = content

    def pull(self, y_bar):
        return y_bar * self.content


class Slotted:
    __slots__ = ("content",)

    def __init__(self, content):
        self.content = content


def closure(content):
    def vjp(y_bar):
        return (content, y_bar, KEPT)

    return vjp


def nested(content):
    inner = closure(content)
    return lambda y_bar: inner(y_bar)


def default(content):
    return lambda y_bar, kept=content: kept


def keyword(content):
    def vjp(y_bar, *, kept=content):
        return kept

    return vjp


def attribute(content):
    vjp = closure(None)
    vjp.cache = content
    return vjp


def generator(content):
    def steps():
        kept = content
        yield 0
        yield kept

    running = steps()
    next(running)
    return running


def recursive(content):
    cycle = [content]
    cycle.append(cycle)
    return closure(cycle)


HOLDERS = {
    "closure": closure,
    "closure in a closure": nested,
    "default argument": default,
    "keyword default": keyword,
    "attribute of a function": attribute,
    "partial": lambda content: partial(np.add, content),
    "partial's keyword": lambda content: partial(np.add, out=content),
    "bound method": lambda content: Plain(content).pull,
    "object": Plain,
    "object with slots": Slotted,
    "list": lambda content: [content],
    "dict in a tuple": lambda content: ({"a": content},),
    "deque": lambda content: deque([content]),
    "generator": generator,
    "cycle": recursive,
    "array of objects": lambda content: np.array([content, None, 3], dtype=object)[:1],
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_an_array_is_found_wherever_it_is_kept(holder):
    a, pointers = np.ones(100), 24 if holder is HOLDERS["array of objects"] else 0
    assert held_bytes(holder(a)) == 800 + pointers
    assert held_bytes(holder(a), beside=a) == pointers
    assert held_bytes(holder(None)) == pointers


def test_a_buffer_counts_once_and_whole():
    a, b = np.ones((100, 2)), np.ones(10, np.float32)
    assert held_bytes([a, a, a.T, a[:1], a[::2, 1], a.reshape(-1), np.broadcast_to(a, (5, 100, 2))]) == 1600
    assert held_bytes(a[3]) == 1600  # a view of one row keeps all
    assert held_bytes(a[3].copy()) == 16
    assert held_bytes((a, b)) == 1640
    assert held_bytes((a, b), beside=[b[:2]]) == 1600
    assert held_bytes(np.lib.stride_tricks.sliding_window_view(a, (3, 2))) == 1600
    assert held_bytes(np.frombuffer(bytes(64), dtype=float)) == 64
    assert held_bytes([1.0, "text", None, np.float64(3)]) == 0


@pytest.mark.parametrize("N", [1, 50])
def test_each_rule_holds_what_its_docstring_says(N):
    x, W, b = np.ones((N, 4)), np.ones((4, 6)), np.zeros(6)
    unit = N * 8
    assert memory(linear, x, W, b)[:2] == (0, 4 * unit + 24 * 8)
    assert memory(tanh, x)[:2] == (4 * unit, 0)
    assert memory(relu, x)[:2] == (N * 4, 0)  # a mask, one byte for each entry
    two_layers = residual(branch(tanh))
    parameters = W, b, W.T.copy(), np.zeros(4)
    assert memory(two_layers, x, *parameters)[:2] == (6 * unit, 4 * unit + 2 * 24 * 8)


def test_padding_is_held_and_an_image_of_it_is_a_view():
    x, W, b = np.ones((2, 6, 6, 3)), np.ones((3, 3, 3, 5)), np.zeros(5)
    assert memory(conv2d, x, W, b, padding=1).held in {0, 2 * 8 * 8 * 3 * 8}


def test_nested_arguments_and_several_outputs():
    F = stack(linear, tanh)
    x = np.ones((10, 3))
    theta = (((np.ones((3, 3)), np.zeros(3)), ()),) * 2
    measured = memory(reversible((F, F)), x, x.copy(), theta)
    assert measured.held == 2 * x.nbytes  # y1 and y2
    assert measured.borrowed == 9 * 8 + 3 * 8  # the same parameters twice


@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 6))
def test_a_stack_holds_what_its_blocks_hold(L, N, n):
    x, theta = np.ones((N, n)), (np.ones((n, n)), np.zeros(n), np.ones((n, n)), np.zeros(n))
    measured = memory(stack(*[residual(branch(tanh))] * L), x, *[theta] * L)
    assert measured.held == (2 * L - 1) * x.nbytes  # input and hidden values of each block, without x


@pytest.mark.parametrize("L", [1, 8])
def test_held_is_what_tracemalloc_finds_still_allocated(L):
    """By different code: what was allocated and not freed, here within the size of Python's own objects."""
    x, theta = np.ones((5000, 4)), (np.ones((4, 4)), np.zeros(4), np.ones((4, 4)), np.zeros(4))
    f = stack(*[residual(branch(relu))] * L)
    f(x, *[theta] * L)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    _, vjp = f(x, *[theta] * L)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held = held_bytes(vjp, beside=(x, theta))
    y = x.nbytes
    assert held <= after - before - y <= held + 5000 * L


def test_the_peak_sees_what_comes_and_goes():
    def run():
        one = np.ones(10**6)
        two = one + 1  # both at once: with a name, numpy does not write the sum into the first
        return float(two.sum())

    value, peak = peak_bytes(run)
    assert value == 2e6
    assert 16e6 <= peak < 16.1e6
    assert not tracemalloc.is_tracing()


def test_a_running_trace_goes_on_and_what_was_there_before_is_not_counted():
    tracemalloc.start()
    try:
        kept = np.ones(10**6)
        _, peak = peak_bytes(lambda: np.ones(1000))
        assert 8000 <= peak < 20000
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    assert kept.size == 10**6


def test_an_error_passes_and_the_trace_ends():
    with pytest.raises(ValueError, match="expected x"):
        peak_bytes(lambda: linear(np.ones((2, 3)), np.ones((4, 4)), np.ones(4)))
    assert not tracemalloc.is_tracing()


def test_the_peak_of_a_gradient_holds_the_values_and_the_gradients():
    x, W, b = np.ones((10000, 8)), np.ones((8, 8)), np.zeros(8)
    measured = memory(stack(linear, tanh), x, (W, b), ())
    # tanh's y, then 1 - y², its product with y_bar, and x_bar: between two and five arrays beside x
    assert 2 * x.nbytes < measured.peak < 5 * x.nbytes
