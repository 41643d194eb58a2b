"""The five orders of weight, normalisation, activation and addition in a residual block.

Each function takes the layers and returns a block. A block's parameters are one tuple for each layer, in the order in
which the layers are computed, with ``()`` for an activation; so the first three orders take the same parameters, and
differ only in where the addition stands among the layers.
"""

from typing import Any

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.rules._types import Array, Rule, Vjp


def original(*weights: Rule, norm: Rule, activation: Rule) -> Rule:
    """Add before the last activation: the block of 2015, ``y = φ(x + B(F(x)))``.

    Parameters
    ----------
    *weights : rules
        The weight layers of the branch, such as ``linear, linear``: one or more, each a rule of x and its parameters.
        What the last one returns has x's shape.
    norm : rule
        The normalisation B behind each weight layer, such as ``partial(batch_norm, eps=1e-5)``; ``stack()`` for none.
    activation : rule
        The activation φ behind each normalisation, such as ``relu``.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with one tuple for each layer: weight, norm, ``()``, and so on. Its vjp maps
        y_bar to ``(x_bar, *theta_bars)``: the activation multiplies the gradient of the skip too, see
        :eq:`eq-order-original`. It holds on to what its layers' vjps hold.

    Raises
    ------
    TypeError
        If a layer is no function; by the block, if a layer's parameters are no tuple, or a layer refuses a dtype.
    ValueError
        If there is no weight layer; by the block, if there are more or fewer tuples than layers, the branch returns
        another shape than x's, or a layer refuses a shape.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Identity Mappings in Deep Residual Networks (arXiv 1603.05027), figure 4(a).

    Examples
    --------
    >>> block = original(linear, norm=stack(), activation=relu)
    >>> theta = np.array([[1.0]]), np.array([-3.0])
    >>> y, vjp = block(np.array([[1.0], [5.0]]), theta, (), ())
    >>> x_bar, *_ = vjp(np.array([[1.0], [1.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([0.0, 7.0], [0.0, 2.0])
    """
    layers = [layer for weight in weights for layer in (weight, norm, activation)]
    return _added(layers, len(layers) - 1)


def norm_after_addition(*weights: Rule, norm: Rule, activation: Rule) -> Rule:
    """Add before the last normalisation: ``y = φ(B(x + F(x)))``.

    Parameters
    ----------
    *weights, norm, activation : rules
        As for `original`.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with the parameters of `original`. Its vjp maps y_bar to
        ``(x_bar, *theta_bars)``: the gradient of the skip, too, comes back through the activation and the
        normalisation, see :eq:`eq-order-norm-after`. It holds on to what its layers' vjps hold.

    Raises
    ------
    TypeError, ValueError
        As for `original`.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Identity Mappings in Deep Residual Networks (arXiv 1603.05027), figure 4(b).

    Examples
    --------
    >>> from resgrad.rules.normalization import batch_norm
    >>> norm = lambda x, gain, shift: batch_norm(x, gain, shift, eps=3.0)
    >>> block = norm_after_addition(linear, norm=norm, activation=relu)
    >>> zero, one = (np.zeros((1, 1)), np.zeros(1)), (np.ones(1), np.zeros(1))
    >>> y, vjp = block(np.array([[-3.0], [0.0], [3.0]]), zero, one, ())
    >>> x_bar, *_ = vjp(np.array([[9.0], [9.0], [9.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([0.0, 0.0, 1.0], [0.0, -1.0, 1.0])
    """
    layers = [layer for weight in weights for layer in (weight, norm, activation)]
    return _added(layers, len(layers) - 2)


def activation_before_addition(*weights: Rule, norm: Rule, activation: Rule) -> Rule:
    """Add behind the last activation: ``y = x + φ(B(F(x)))``; with a ReLU, no entry of the stream can fall.

    Parameters
    ----------
    *weights, norm, activation : rules
        As for `original`.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with the parameters of `original`. Its vjp maps y_bar to
        ``(x_bar, *theta_bars)``, with y_bar itself in x_bar, see :eq:`eq-order-activation-before`.
        It holds on to what its layers' vjps hold.

    Raises
    ------
    TypeError, ValueError
        As for `original`.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Identity Mappings in Deep Residual Networks (arXiv 1603.05027), figure 4(c).

    Examples
    --------
    >>> block = activation_before_addition(linear, norm=stack(), activation=relu)
    >>> theta = np.array([[1.0]]), np.array([-3.0])
    >>> y, vjp = block(np.array([[1.0], [5.0]]), theta, (), ())
    >>> x_bar, *_ = vjp(np.array([[1.0], [1.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([1.0, 7.0], [1.0, 2.0])
    """
    layers = [layer for weight in weights for layer in (weight, norm, activation)]
    return _added(layers, len(layers))


def activation_only_preactivation(*weights: Rule, norm: Rule, activation: Rule) -> Rule:
    """Activate before each weight layer and normalise behind it: ``y = x + B(F(φ(x)))``.

    Parameters
    ----------
    *weights, norm, activation : rules
        As for `original`, but the activation stands before each weight layer.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with one tuple for each layer: ``()``, weight, norm, and so on. Its vjp maps
        y_bar to ``(x_bar, *theta_bars)``, with y_bar itself in x_bar, see :eq:`eq-order-activation-only`.
        It holds on to what its layers' vjps hold.

    Raises
    ------
    TypeError, ValueError
        As for `original`.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Identity Mappings in Deep Residual Networks (arXiv 1603.05027), figure 4(d), there
    "ReLU-only pre-activation".

    Examples
    --------
    >>> block = activation_only_preactivation(linear, norm=stack(), activation=relu)
    >>> theta = np.array([[1.0]]), np.array([-3.0])
    >>> y, vjp = block(np.array([[-1.0], [5.0]]), (), theta, ())
    >>> x_bar, *_ = vjp(np.array([[1.0], [1.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([-4.0, 7.0], [1.0, 2.0])
    """
    layers = [layer for weight in weights for layer in (activation, weight, norm)]
    return _added(layers, len(layers))


def full_preactivation(*weights: Rule, norm: Rule, activation: Rule) -> Rule:
    """Normalise and activate before each weight layer: the block of 2016, ``y = x + F(φ(B(x)))``.

    Parameters
    ----------
    *weights, norm, activation : rules
        As for `original`, but normalisation and activation stand before each weight layer.

    Returns
    -------
    block : rule
        ``y, vjp = block(x, *thetas)`` with one tuple for each layer: norm, ``()``, weight, and so on. Its vjp maps
        y_bar to ``(x_bar, *theta_bars)``, with y_bar itself in x_bar, see :eq:`eq-order-full`.
        It holds on to what its layers' vjps hold.

    Raises
    ------
    TypeError, ValueError
        As for `original`.

    Notes
    -----
    He, Zhang, Ren and Sun 2016, Identity Mappings in Deep Residual Networks (arXiv 1603.05027), figure 4(e).

    Examples
    --------
    >>> block = full_preactivation(linear, norm=stack(), activation=relu)
    >>> theta = np.array([[1.0]]), np.array([-3.0])
    >>> y, vjp = block(np.array([[-1.0], [5.0]]), (), (), theta)
    >>> x_bar, *_ = vjp(np.array([[1.0], [1.0]]))
    >>> y.ravel().tolist(), x_bar.ravel().tolist()
    ([-4.0, 7.0], [1.0, 2.0])
    """
    layers = [layer for weight in weights for layer in (norm, activation, weight)]
    return _added(layers, len(layers))


def _added(layers: list[Rule], behind: int) -> Rule:
    """Run the layers one after the other, and behind so many of them add the block's input."""
    _require_layers(layers)
    nested = stack(residual(stack(*layers[:behind])), *layers[behind:])

    def block(x: Array, *thetas: tuple[Any, ...]) -> tuple[Array, Vjp]:
        _require_thetas(layers, thetas)
        y, nested_vjp = nested(x, thetas[:behind], *thetas[behind:])

        def vjp(y_bar: Array) -> tuple[Any, ...]:
            x_bar, branch_bars, *rest = nested_vjp(y_bar)
            return x_bar, *branch_bars, *rest

        return y, vjp

    return block


def _require_layers(layers: list[Any]) -> None:
    if not layers:
        raise ValueError("weights: expected one weight layer or more, got none")
    for i, layer in enumerate(layers):
        if not callable(layer):  # such as a list of layers that was not unpacked
            raise TypeError(f"layer {i}: expected a rule, got {type(layer).__name__}")


def _require_thetas(layers: list[Rule], thetas: tuple[Any, ...]) -> None:
    if len(thetas) != len(layers):
        raise ValueError(f"thetas: expected one tuple for each of {len(layers)} layers, got {len(thetas)}")
    for i, theta in enumerate(thetas):
        if not isinstance(theta, tuple):  # an array would unpack into its rows
            raise TypeError(f"thetas[{i}]: expected a tuple of parameters, got {type(theta).__name__}")
