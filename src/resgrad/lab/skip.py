"""The gradient by layer with skips of several lengths, at the start.

Layer l is F(x) = relu(x) W with W from N(0, 1/n), half of He's variance, so that the mean square of a gradient
halves in each layer. The relu stands first: with relu last what the skips add up gets a mean, and the law here
does not hold.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.stack import stack
from resgrad.networks.skip import trace_skip
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

# Twenty-four seeds for the page.
SEEDS = tuple(range(1, 25))


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    every : int
        A skip over this many layers after another, from the input to the output; 0 for no skip, and the number
        of layers for one long skip. Divides the number of layers.
    layers : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    every: int
    layers: int = 24
    width: int = 64


def skips(setting: Setting) -> list[tuple[int, int]]:
    """Skips of the network, for `resgrad.networks.skip.skip`.

    Parameters
    ----------
    setting : Setting
        How long they are and how many layers there are.

    Returns
    -------
    list of pairs
        ``(0, every), (every, 2 every), ...``

    Raises
    ------
    ValueError
        No layer or width, or a length that does not divide the number of layers.
    """
    every, L, n = setting
    if L < 1 or n < 1 or every < 0 or (every and L % every):
        raise ValueError(
            f"skip: expected layers and a width, and skips of a length that divides, got {setting}"
        )
    return [(i, i + every) for i in range(0, L, every)] if every else []


def run(setting: Setting, seed: int) -> NDArray[np.float64]:
    """Draw a network and an input, and pull one random gradient back through it.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, of the input from N(0, 1) and of the gradient at the output. The same weights in all
        settings of one size.

    Returns
    -------
    ndarray, shape (L + 1,)
        The length of the gradient at x_l over that at x_L.

    Raises
    ------
    ValueError
        As `skips`.
    """
    pairs, (_, L, n) = skips(setting), setting
    rng = np.random.default_rng(seed)
    x, y_bar = rng.standard_normal((2, 1, n))
    thetas = [((), (rng.standard_normal((n, n)) / math.sqrt(n), np.zeros(n))) for _ in range(L)]
    _, pull = trace_skip(*[stack(relu, linear)] * L, skips=pairs)(x, *thetas)
    x_bars, _ = pull(y_bar)
    lengths = np.array([np.linalg.norm(x_bar) for x_bar in x_bars])
    return lengths / float(np.linalg.norm(y_bar))


def expected_norms(setting: Setting) -> NDArray[np.float64]:
    """Root mean square of what `run` returns, in the limit of large width.

    Parameters
    ----------
    setting : Setting
        Which network.

    Returns
    -------
    ndarray, shape (L + 1,)
        1 for x_L; each mean square is half of the one above plus that at the end of a skip.

    Raises
    ------
    ValueError
        As `skips`.

    Notes
    -----
    What a layer and a skip bring to one activation is uncorrelated over the weights of that layer, see
    :eq:`eq-skip-law`. Two skips from one activation would not be: here none has two.
    """
    ends = dict(skips(setting))
    q = {setting.layers: 1.0}
    for i in reversed(range(setting.layers)):
        q[i] = q[i + 1] / 2 + (q[ends[i]] if i in ends else 0.0)
    return np.array([math.sqrt(q[i]) for i in sorted(q)])
