"""What stands on the skip in place of the identity: a rule, zeros for new channels, a factor, a gate, noise."""

import math
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from resgrad.blocks.residual import residual
from resgrad.rules import _require as require
from resgrad.rules._types import Array, Rule, Vjp
from resgrad.rules._windows import Pair, pair

Theta: TypeAlias = tuple[Any, ...]


def shortcut(F: Rule, S: Rule) -> Rule:
    """Add a branch to a shortcut that is a rule of its own: ``y = F(x) + S(x)``.

    Parameters
    ----------
    F : rule
        The branch, ``Fx, vjp = F(x, *theta_F)``.
    S : rule
        The shortcut, ``Sx, vjp = S(x, *theta_S)`` with Sx of Fx's shape and dtype: a projection such as
        ``partial(conv2d, stride=2)`` with a 1 x 1 kernel, or ``partial(pad_channels, channels=32, stride=2)``.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, theta_F, theta_S)`` with one tuple of parameters for each path, ``()`` for a path
        without any. Its vjp maps y_bar to ``(x_bar, theta_F_bar, theta_S_bar)``: each path pulls the whole of
        y_bar back, and x_bar is the sum, see :eq:`eq-shortcut-vjp`.
        It holds on to what the vjps of F and S hold.

    Raises
    ------
    TypeError
        By the block, if a dtype is not floating or differs from x's, or parameters are no tuple.
    ValueError
        By the block, if ``F(x)`` and ``S(x)`` differ in shape: neither is broadcast.

    Notes
    -----
    He, Zhang, Ren and Sun 2015, Deep Residual Learning (arXiv 1512.03385), equation 2, where S is a matrix.

    Examples
    --------
    >>> block = shortcut(linear, linear)
    >>> one, b = np.ones((1, 1)), np.zeros(1)
    >>> y, vjp = block(3 * one, (2 * one, b), (0.5 * one, b))
    >>> x_bar, theta_F_bar, theta_S_bar = vjp(one)
    >>> y.item(), x_bar.item(), theta_F_bar[0].item(), theta_S_bar[0].item()
    (7.5, 2.5, 3.0, 3.0)
    """

    def block(x: Array, theta_F: Theta, theta_S: Theta) -> tuple[Array, Vjp]:
        _require_tuples(theta_F=theta_F, theta_S=theta_S)
        (Fx, F_vjp), (Sx, S_vjp) = F(x, *theta_F), S(x, *theta_S)
        require.floating(x=x, Fx=Fx, Sx=Sx)
        if Fx.shape != Sx.shape:
            raise require.misfit("F(x) and S(x) of one shape", x=x, Fx=Fx, Sx=Sx)
        shape, dtype, x_shape = Fx.shape, x.dtype, x.shape

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            from_F, *theta_F_bar = F_vjp(y_bar)
            from_S, *theta_S_bar = S_vjp(y_bar)
            require.like("x_bar from F", from_F, x_shape, dtype)
            require.like("x_bar from S", from_S, x_shape, dtype)
            return from_F + from_S, tuple(theta_F_bar), tuple(theta_S_bar)

        return Fx + Sx, vjp

    return block


def pad_channels(x: Array, *, channels: int, stride: int | Pair = 1) -> tuple[Array, Vjp]:
    """Take every stride-th pixel and put zeros in new channels: a shortcut without parameters.

    Parameters
    ----------
    x : (N, H, W, C) array
        Images; floating or complex.
    channels : int
        Of y, C or more.
    stride : int or pair of int
        Steps between the pixels that are taken, the first one being pixel 0; a pair is for rows and columns.

    Returns
    -------
    y : (N, H', W', channels) array
        Of x's dtype, with ``H' = (H - 1) // stride + 1``; the new channels come after those of x.
    vjp : function
        Maps y_bar, of y's shape, to ``(x_bar,)``: the first C channels at the pixels that were taken, zero at
        the others, see :eq:`eq-shortcut-pad`. It holds on to nothing but shapes and a dtype.

    Raises
    ------
    TypeError
        If x's dtype is not floating, or a setting is no whole number.
    ValueError
        If x has not four axes or no pixel, channels is less than C, or a stride less than 1.

    Notes
    -----
    Option A of He, Zhang, Ren and Sun 2015 (arXiv 1512.03385), section 3.3.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> y, vjp = pad_channels(x, channels=2, stride=2)
    >>> (x_bar,) = vjp(np.ones((1, 2, 2, 2)))
    >>> y[0, 0].tolist(), x_bar[0, :, :, 0].tolist()
    ([[0.0, 0.0], [2.0, 0.0]], [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    """
    require.floating(x=x)
    if x.ndim != 4 or x.shape[1] * x.shape[2] == 0:
        raise require.misfit("x (N, H, W, C) with a pixel", x=x)
    (width,), (rows, columns) = require.whole("channels", [channels]), pair("stride", stride, 1)
    C = x.shape[3]
    if width < C:
        raise ValueError(f"channels: expected at least the {C} of x {x.shape}, got {width}")
    taken = np.s_[:, ::rows, ::columns]
    pixels = x[taken]
    y = np.zeros((*pixels.shape[:3], width), x.dtype)
    y[..., :C] = pixels
    y_shape, x_shape, dtype = y.shape, x.shape, x.dtype

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, y_shape, dtype)
        x_bar = np.zeros(x_shape, dtype)
        x_bar[taken] = y_bar[..., :C]
        return (x_bar,)

    return y, vjp


def scaled(F: Rule, *, lam: float, alpha: float = 1.0) -> Rule:
    """Put a constant factor on each path: ``y = alpha F(x) + lam x``.

    Parameters
    ----------
    F : rule
        ``Fx, vjp = F(x, *theta, **settings)`` with Fx of x's shape and dtype.
    lam : float
        Factor of the skip.
    alpha : float
        Factor of the branch.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *theta, **settings)``. Its vjp maps y_bar to ``(x_bar, *theta_bar)``: F pulls
        alpha y_bar back, and lam y_bar is added to its share of x_bar, see :eq:`eq-shortcut-scaled`.
        It holds on to what F's vjp holds and no array of its own.

    Raises
    ------
    TypeError
        If a factor is no number; by the block, if x's dtype is not floating or ``F(x)`` is of another dtype.
    ValueError
        If a factor is not finite; by the block, if ``F(x)`` is of another shape than x.

    Notes
    -----
    With ``alpha = 1`` He, Zhang, Ren and Sun 2016, Identity Mappings (arXiv 1603.05027), equation 6.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> y, vjp = scaled(linear, lam=0.5)(3 * one, 2 * one, np.zeros(1))
    >>> x_bar, W_bar, b_bar = vjp(one)
    >>> y.item(), x_bar.item()
    (7.5, 2.5)
    """
    skip_factor, branch_factor = _number("lam", lam), _number("alpha", alpha)

    def block(x: Array, *theta: Any, **settings: Any) -> tuple[Array, Vjp]:
        Fx, F_vjp = F(x, *theta, **settings)
        _require_shape_of_x(x, Fx=Fx)
        shape, dtype = x.shape, x.dtype

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            x_bar, *theta_bar = F_vjp(branch_factor * y_bar)
            require.like("x_bar from F", x_bar, shape, dtype)
            return x_bar + skip_factor * y_bar, *theta_bar

        return branch_factor * Fx + skip_factor * x, vjp

    return block


def highway(H: Rule, T: Rule) -> Rule:
    """Let a gate choose between a branch and the skip, entry by entry: ``y = H(x) T(x) + x (1 - T(x))``.

    Parameters
    ----------
    H : rule
        The branch, ``Hx, vjp = H(x, *theta_H)`` with Hx of x's shape and dtype.
    T : rule
        The gate, ``Tx, vjp = T(x, *theta_T)`` with Tx of x's shape and dtype, such as
        ``stack(linear, sigmoid)``. That it lies between 0 and 1 is not asked.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, theta_H, theta_T)`` with one tuple of parameters for each rule. Its vjp maps y_bar to
        ``(x_bar, theta_H_bar, theta_T_bar)``; x_bar has three terms, see :eq:`eq-shortcut-highway-vjp`.
        It holds on to the gate and to ``H(x) - x``, beside what the vjps of H and T hold.

    Raises
    ------
    TypeError
        By the block, if a dtype is not floating or differs from x's, or parameters are no tuple.
    ValueError
        By the block, if ``H(x)`` or ``T(x)`` is of another shape than x: no gate is broadcast.

    Notes
    -----
    Srivastava, Greff and Schmidhuber 2015, Highway Networks (arXiv 1505.00387), equation 3.

    Examples
    --------
    >>> block = highway(linear, linear)
    >>> one, b = np.ones((1, 1)), np.zeros(1)
    >>> y, vjp = block(2 * one, (3 * one, b), (0.25 * one, b))
    >>> x_bar, theta_H_bar, theta_T_bar = vjp(one)
    >>> y.item(), x_bar.item()  # 3 * 0.5 + 0.5 + 0.25 * (6 - 2)
    (4.0, 3.0)
    """

    def block(x: Array, theta_H: Theta, theta_T: Theta) -> tuple[Array, Vjp]:
        _require_tuples(theta_H=theta_H, theta_T=theta_T)
        (Hx, H_vjp), (gate, T_vjp) = H(x, *theta_H), T(x, *theta_T)
        _require_shape_of_x(x, Hx=Hx, Tx=gate)
        change, shape, dtype = Hx - x, x.shape, x.dtype

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            from_H, *theta_H_bar = H_vjp(y_bar * gate)
            from_T, *theta_T_bar = T_vjp(y_bar * change)
            require.like("x_bar from H", from_H, shape, dtype)
            require.like("x_bar from T", from_T, shape, dtype)
            x_bar = from_H + y_bar * (1 - gate) + from_T
            return x_bar, tuple(theta_H_bar), tuple(theta_T_bar)

        return Hx * gate + x * (1 - gate), vjp

    return block


def dropout(x: Array, *, rate: float, rng: np.random.Generator) -> tuple[Array, Vjp]:
    """Set entries to zero at random and enlarge the others, so that the mean stays: ``y = m x / (1 - rate)``.

    Parameters
    ----------
    x : array of any shape
        Floating or complex.
    rate : float
        Probability that an entry is dropped, in ``[0, 1)``.
    rng : numpy.random.Generator
        Draws the mask m, zeros and ones; it moves on with each call, so that each has a mask of its own.

    Returns
    -------
    y : array
        Of x's shape and dtype. What is not finite in x is zero where it is dropped.
    vjp : function
        Maps y_bar to ``(x_bar,)`` with the mask and the factor of the forward pass, the same on every call:
        see :eq:`eq-shortcut-dropout`. It holds on to the mask, one byte for each entry.

    Raises
    ------
    TypeError
        If x's dtype is not floating, rate is no number, or rng no Generator.
    ValueError
        If rate is not in ``[0, 1)``.

    Notes
    -----
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, Dropout (JMLR 15), with the factor at
    training time, so that nothing is left to do at test time.

    Examples
    --------
    >>> y, vjp = dropout(np.ones((2, 3)), rate=0.5, rng=np.random.default_rng(0))
    >>> (x_bar,) = vjp(np.ones((2, 3)))
    >>> y.tolist(), np.array_equal(x_bar, y)
    ([[2.0, 0.0, 0.0], [0.0, 2.0, 2.0]], True)
    """
    require.floating(x=x)
    probability = _number("rate", rate)
    if not 0 <= probability < 1:
        raise ValueError(f"rate: expected a number in [0, 1), got {rate}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    mask, factor = rng.random(x.shape) >= probability, 1 / (1 - probability)
    shape, dtype = x.shape, x.dtype

    def apply(values: Array) -> Array:
        return np.where(mask, factor * values, dtype.type(0))

    def vjp(y_bar: Array) -> tuple[Array]:
        require.like("y_bar", y_bar, shape, dtype)
        return (apply(y_bar),)

    return apply(x), vjp


def dropped(F: Rule, *, keep: bool) -> Rule:
    """Leave out the branch of a residual block, or not: ``y = b F(x) + x`` with b one or zero.

    Parameters
    ----------
    F : rule
        ``Fx, vjp = F(x, *theta, **settings)`` with Fx of x's shape and dtype.
    keep : bool
        b. The caller draws it, once for each block and batch, with the probability that the block survives.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *theta, **settings)``. Its vjp maps y_bar to ``(x_bar, *theta_bar)``: as `residual`
        if the branch is kept; otherwise x_bar is y_bar and theta_bar zero, see :eq:`eq-shortcut-dropped`, and
        F is not called.
        It holds on to what F's vjp holds, or to the shapes of theta and no array.

    Raises
    ------
    TypeError
        If keep is no bool; by the block, if x's dtype is not floating, or as `residual`.
    ValueError
        By the block, as `residual`.

    Notes
    -----
    Huang, Sun, Liu, Sedra and Weinberger 2016, Deep Networks with Stochastic Depth (arXiv 1603.09382), section 3,
    without their ReLU after the addition.

    Examples
    --------
    >>> x, W, b = np.array([[3.0]]), np.array([[2.0]]), np.zeros(1)
    >>> for keep in (True, False):
    ...     y, vjp = dropped(linear, keep=keep)(x, W, b)
    ...     print(y.item(), [bar.item() for bar in vjp(np.array([[1.0]]))])
    9.0 [3.0, 3.0, 1.0]
    3.0 [1.0, 0.0, 0.0]
    """
    if not isinstance(keep, bool | np.bool):
        raise TypeError(f"keep: expected a bool, got {type(keep).__name__}")
    if keep:
        return residual(F)

    def block(x: Array, *theta: Any, **settings: Any) -> tuple[Array, Vjp]:
        require.floating(x=x)
        forms, shape, dtype = _form(theta), x.shape, x.dtype

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            require.like("y_bar", y_bar, shape, dtype)
            return y_bar, *_zeros(forms)

        return x, vjp

    return block


def _form(tree: Any) -> Any:
    """Shapes and dtypes in place of the arrays of nested tuples, so that none of them is kept alive."""
    return tuple(map(_form, tree)) if isinstance(tree, tuple) else [tree.shape, tree.dtype]


def _zeros(form: Any) -> Any:
    return tuple(map(_zeros, form)) if isinstance(form, tuple) else np.zeros(*form)


def _number(name: str, value: Any) -> float:
    # As a Python float: a numpy number would decide the dtype of the product.
    if isinstance(value, bool | np.bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    return float(value)


def _require_tuples(**thetas: Any) -> None:
    for name, theta in thetas.items():
        if not isinstance(theta, tuple):  # an array would unpack into its rows
            raise TypeError(f"{name}: expected a tuple of parameters, got {type(theta).__name__}")


def _require_shape_of_x(x: Array, **arrays: Array) -> None:
    require.floating(x=x, **arrays)
    if any(array.shape != x.shape for array in arrays.values()):
        calls = " and ".join(f"{name[:-1]}(x)" for name in arrays)
        raise require.misfit(f"{calls} of x's shape", x=x, **arrays)
