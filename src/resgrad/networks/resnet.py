"""The residual networks of He, Zhang, Ren and Sun 2016, as lists of blocks built from the rules.

A network is two tuples of one length: its blocks, for `stack` or `trace`, and the shapes of their parameters, which
are enough to count them and to draw them. Inside, a layer is a rule beside its shapes.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from resgrad.blocks.residual import residual
from resgrad.blocks.shortcut import pad_channels
from resgrad.blocks.shortcut import shortcut as add_shortcut
from resgrad.blocks.stack import stack
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules.activation import relu
from resgrad.rules.convolution import conv2d, global_avg_pool2d, max_pool2d
from resgrad.rules.linear import linear
from resgrad.rules.normalization import batch_norm

#: Nested tuples; a shape is a tuple of numbers, a layer without parameters has ().
Shapes: TypeAlias = tuple[Any, ...]
Network: TypeAlias = tuple[tuple[Rule, ...], Shapes]
_Layer: TypeAlias = tuple[Rule, Shapes]

SHORTCUTS = ("zero-pad", "projection")
#: Blocks in each of the four stages, and whether they are bottlenecks.
IMAGENET = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
_RELU: _Layer = (relu, ())
_NORM: Rule = partial(batch_norm, eps=1e-5)
_IDENTITY: Rule = stack()


def cifar_resnet(
    depth: int,
    *,
    shortcut: str = "zero-pad",
    width: int = 16,
    classes: int = 10,
    colours: int = 3,
    norm: Rule = _NORM,
) -> Network:
    """List the blocks of the network for small images: 6n + 2 layers in three stages of n blocks.

    Parameters
    ----------
    depth : int
        6n + 2 with n >= 1: 20, 32, 44, 56, 110 and 1202 in the paper.
    shortcut : {"zero-pad", "projection", "none"}
        Where the shape changes: a pixel in four and zeros for the new channels (the paper's option A, which it uses
        here), or a 1 x 1 convolution with BatchNorm (option B). With "none" no block adds its input: the paper's
        plain network, with the parameters of option A in the same order.
    width, classes, colours : int
        Channels of the first stage, doubled twice; of the output; of the images.
    norm : rule
        Of the activations, a gain and a shift: `batch_norm` with eps 1e-5, or `batch_norm_inference` to evaluate.

    Returns
    -------
    blocks : tuple of rules
        The stem, 3n blocks, the head. ``y, vjp = stack(*blocks)(x, *thetas)`` maps images (N, H, W, colours) to
        scores (N, classes), with BatchNorm as in training; ``trace(*blocks)`` keeps the activations, too, and the
        gradient at each of them, see :eq:`eq-resnet-chain`.
    shapes : tuple
        Of their parameters, one tuple for each block.

    Raises
    ------
    TypeError
        If a number is no whole number.
    ValueError
        If the depth is not 6n + 2, a number is below 1, or the shortcut is another.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Deep Residual Learning for Image Recognition (arXiv 1512.03385), section 4.2.

    Examples
    --------
    >>> blocks, shapes = cifar_resnet(20)
    >>> len(blocks), count(shapes), count(cifar_resnet(1202)[1])
    (11, 269722, 19421274)
    """
    _require(shortcut, (*SHORTCUTS, "none"), depth=depth, width=width, classes=classes, colours=colours)
    n, left = divmod(depth - 2, 6)
    if left or n < 1:
        raise ValueError(f"depth: expected 6n + 2 with n >= 1, got {depth}")
    stem = _sequence(*_conv_norm(3, colours, width, norm=norm), _RELU)
    skip = partial(_skip, shortcut=shortcut, norm=norm)
    return _network(stem, partial(_basic, norm=norm), (n, n, n), (width, width), skip, classes)


def imagenet_resnet(
    depth: int,
    *,
    shortcut: str = "projection",
    stride_in: str = "3x3",
    width: int = 64,
    classes: int = 1000,
    colours: int = 3,
) -> Network:
    """List the blocks of the network for large images: a stem that divides the sides by four, then four stages.

    Parameters
    ----------
    depth : {18, 34, 50, 101, 152}
        Layers with weights on the longest path; from 50 on the blocks are bottlenecks.
    shortcut : {"zero-pad", "projection"}
        Where the shape changes: the paper's option A or B.
    stride_in : {"1x1", "3x3"}
        Which convolution of a bottleneck has the stride: the first, as in the paper, or the second, as in most
        libraries since. No parameter is added or lost.
    width, classes, colours : int
        Channels of the first stage (a quarter of its output, for bottlenecks), doubled three times; of the output;
        of the images.

    Returns
    -------
    blocks : tuple of rules
        The stem, the blocks, the head; see `cifar_resnet`.
    shapes : tuple
        Of their parameters, one tuple for each block.

    Raises
    ------
    TypeError
        If a number is no whole number.
    ValueError
        If the depth is none of these, a number is below 1, or another word is given.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Deep Residual Learning for Image Recognition (arXiv 1512.03385), table 1.

    Examples
    --------
    >>> blocks, shapes = imagenet_resnet(50)
    >>> len(blocks), count(shapes), count(imagenet_resnet(50, shortcut="zero-pad")[1])
    (18, 25557032, 22780456)
    """
    _require(shortcut, SHORTCUTS, depth=depth, width=width, classes=classes, colours=colours)
    if depth not in IMAGENET:
        raise ValueError(f"depth: expected one of {[*IMAGENET]}, got {depth}")
    if stride_in not in ("1x1", "3x3"):
        raise ValueError(f"stride_in: expected '1x1' or '3x3', got {stride_in!r}")
    numbers, bottleneck = IMAGENET[depth]
    branch = partial(_bottleneck, stride_in=stride_in) if bottleneck else _basic
    skip = partial(_skip, shortcut=shortcut)
    pool = (partial(max_pool2d, size=3, stride=2, padding=1), ())
    stem = _sequence(*_conv_norm(7, colours, width, 2), _RELU, pool)
    widths = (width, 4 * width if bottleneck else width)
    return _network(stem, branch, numbers, widths, skip, classes)


def initial(shapes: Shapes, *, rng: np.random.Generator, dtype: DTypeLike = np.float64) -> tuple[Any, ...]:
    """Draw the parameters of a network.

    Parameters
    ----------
    shapes : nested tuple
        As `cifar_resnet` and `imagenet_resnet` return them.
    rng : numpy.random.Generator
        Draws the kernels, in the order of the network.
    dtype : dtype
        Of all parameters.

    Returns
    -------
    thetas : nested tuple of arrays
        Kernels and the last matrix from N(0, 2/fan_in), fan_in the numbers that one output is a sum of; gains one,
        shifts and the bias zero.

    Notes
    -----
    He, Zhang, Ren and Sun 2015, Delving Deep into Rectifiers (arXiv 1502.01852), equation 10.

    Examples
    --------
    >>> thetas = initial(cifar_resnet(8, width=1)[1], rng=np.random.default_rng(0))
    >>> kernel, norm, _ = thetas[0]
    >>> kernel[0].shape, [parameter.tolist() for parameter in norm]
    ((3, 3, 3, 1), [[1.0], [0.0]])
    """

    def drawn(place: int, part: Shapes) -> Any:
        if not _is_shape(part):
            return tuple(drawn(i, inner) for i, inner in enumerate(part))
        if len(part) == 1:
            return np.full(part, 1 - place, dtype)  # the gain of BatchNorm is its first parameter
        return (math.sqrt(2 / math.prod(part[:-1])) * rng.standard_normal(part)).astype(dtype)

    return tuple(drawn(i, part) for i, part in enumerate(shapes))


def count(parameters: Any) -> int:
    """Count the numbers in parameters, or in what only their shapes are given of.

    Parameters
    ----------
    parameters : nested tuple of arrays or of shapes
        As from `initial`, or as from `cifar_resnet` and `imagenet_resnet`.

    Returns
    -------
    int
        See :eq:`eq-resnet-count` for the networks of `cifar_resnet`.

    Examples
    --------
    >>> count(((3, 3, 16, 32), (32,))), count((np.zeros((2, 5)), ()))
    (4640, 10)
    """
    if isinstance(parameters, tuple) and not _is_shape(parameters):
        return sum(map(count, parameters))
    return math.prod(getattr(parameters, "shape", parameters))


def _network(
    stem: _Layer,
    branch: Callable[[int, int, int], tuple[_Layer, ...]],
    numbers: tuple[int, ...],
    widths: tuple[int, int],
    skip: Callable[[int, int, int], _Layer | None],
    classes: int,
) -> Network:
    """Stages of blocks between stem and head; widths are those in the first stage, of the branch and of the stream."""
    layers, c = [stem], widths[0]
    for stage, number in enumerate(numbers):
        w, m = (width * 2**stage for width in widths)
        for i in range(number):
            stride = 2 if stage > 0 and i == 0 else 1
            layers.append(_block(branch(c, w, stride), skip(c, m, stride)))
            c = m
    head: _Layer = (linear, ((c, classes), (classes,)))
    layers.append(_sequence((global_avg_pool2d, ()), head))
    blocks, shapes = zip(*layers, strict=True)
    return blocks, shapes


def _block(branch: tuple[_Layer, ...], skip: _Layer | None) -> _Layer:
    """The block of the paper: the ReLU stands after the addition, or where it would stand."""
    F, F_shapes = _sequence(*branch)
    if skip is None:
        return _sequence((F, F_shapes), _RELU)
    S, S_shapes = skip
    if S is _IDENTITY:
        return _sequence((residual(F), F_shapes), _RELU)
    return _sequence((add_shortcut(F, S), (F_shapes, S_shapes)), _RELU)


def _skip(c: int, m: int, stride: int, *, shortcut: str, norm: Rule = _NORM) -> _Layer | None:
    if shortcut == "none":
        return None
    if c == m and stride == 1:
        return _IDENTITY, ()
    if shortcut == "zero-pad":
        return partial(pad_channels, channels=m, stride=stride), ()
    return _sequence(*_conv_norm(1, c, m, stride, norm))


def _basic(c: int, w: int, stride: int, *, norm: Rule = _NORM) -> tuple[_Layer, ...]:
    return *_conv_norm(3, c, w, stride, norm), _RELU, *_conv_norm(3, w, w, norm=norm)


def _bottleneck(c: int, w: int, stride: int, *, stride_in: str) -> tuple[_Layer, ...]:
    first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
    narrow = *_conv_norm(1, c, w, first), _RELU, *_conv_norm(3, w, w, second), _RELU
    return *narrow, *_conv_norm(1, w, 4 * w)


def _conv_norm(k: int, c: int, m: int, stride: int = 1, norm: Rule = _NORM) -> tuple[_Layer, _Layer]:
    """A convolution without a bias, which the mean that BatchNorm takes off would take off again."""
    conv = partial(_conv, stride=stride, padding=k // 2)
    return (conv, ((k, k, c, m),)), (norm, ((m,), (m,)))


def _conv(x: Array, W: Array, *, stride: int, padding: int) -> tuple[Array, Vjp]:
    y, vjp = conv2d(x, W, np.zeros(W.shape[-1:], W.dtype), stride=stride, padding=padding)
    return y, lambda y_bar: vjp(y_bar)[:2]


def _sequence(*layers: _Layer) -> _Layer:
    rules, shapes = zip(*layers, strict=True)
    return stack(*rules), shapes


def _is_shape(part: tuple[Any, ...]) -> bool:
    return len(part) > 0 and isinstance(part[0], int)


def _require(shortcut: str, known: tuple[str, ...], **numbers: Any) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}")
        if value < 1:
            raise ValueError(f"{name}: expected a whole number >= 1, got {value}")
    if shortcut not in known:
        raise ValueError(f"shortcut: expected one of {known}, got {shortcut!r}")
