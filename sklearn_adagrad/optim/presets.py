"""Optimizers with the arithmetic, names and defaults of other systems.

Each was compared with recorded runs of the system itself; what they do, and where their own
documentation says otherwise, is in :ref:`systems`.
"""

from collections.abc import Sequence
from typing import Any

from . import _translations as translations
from ._optimizer import Optimizer
from ._translations import translated

Groups = Sequence[dict[str, Any]] | None


def pytorch(
    lr: float = 0.01,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
    groups: Groups = None,
) -> Optimizer:
    """``torch.optim.Adagrad`` (2.13).

    Parameters
    ----------
    lr : float, default=0.01
        Learning rate.
    lr_decay : float, default=0.0
        The ``t``-th step of an array has the rate ``lr / (1 + (t - 1) * lr_decay)``.
    weight_decay : float, default=0.0
        Times the weights, it is added to the gradient.
    initial_accumulator_value : float, default=0.0
        Where the sums of squares start.
    eps : float, default=1e-10
        Added to the root of the sum.
    maximize : bool, default=False
        Whether to ascend.
    groups : list of dict, default=None
        As the ``param_groups`` of PyTorch, but ``"params"`` holds the positions of arrays.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    In this order: ``g = -g`` to maximize; ``g += weight_decay * w``; ``s += g**2``;
    ``w -= lr_t * g / (sqrt(s) + eps)``. With ``eps=0``, 0 / 0 is NaN.

    Two things differ: ``initial_accumulator_value`` in a group is honoured (PyTorch ignores it),
    and ``weight_decay`` with a sparse gradient decays the rows of that gradient (PyTorch refuses).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adagrad import optim
    >>> w = np.ones(2)
    >>> optim.pytorch(lr=0.5, weight_decay=0.1).step(w, np.array([3.0, 0.0]))
    >>> w
    array([0.5, 0.5])
    """
    return translated(translations.pytorch, **locals())


def mindspore(
    lr: float = 0.01,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
    groups: Groups = None,
) -> Optimizer:
    """``mindspore.experimental.optim.Adagrad`` (2.10).

    Parameters
    ----------
    lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize, groups
        As in :func:`pytorch`.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    The formula is PyTorch's but for a divisor of zero, which MindSpore replaces by 1e-6: 0 / 0 is
    a step of 0, here too.

    MindSpore computes in float32 only: arrays of other dtypes are accepted there and never
    change. Here float64 arrays are learnt. MindSpore counts steps for all parameters together;
    here an array without a gradient does not count.
    """
    return translated(translations.mindspore, **locals())


def mxnet1(
    learning_rate: float = 0.01,
    eps: float = 1e-7,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float | None = None,
    lr_mult: float = 1.0,
    wd_mult: float = 1.0,
    groups: Groups = None,
) -> Optimizer:
    """``mxnet.optimizer.AdaGrad`` of MXNet 1.x (1.9.1).

    Parameters
    ----------
    learning_rate : float, default=0.01
        Learning rate.
    eps : float, default=1e-7
        Added to the sum of squares, inside the root.
    wd : float, default=0.0
        Weight decay, beside the scaled gradient.
    rescale_grad : float, default=1.0
        What gradients are multiplied by first.
    clip_gradient : float, default=None
        Entries of the rescaled gradient are kept within this.
    lr_mult, wd_mult : float, default=1.0
        Multiply ``learning_rate`` and ``wd``, usually in a group.
    groups : list of dict, default=None
        Options for some of the arrays: ``[{"params": [0]}, {"params": [1], "wd_mult": 0.0}]``.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    ``g = clip(rescale_grad * g)``; ``h += g**2``;
    ``w -= learning_rate * (g / sqrt(h + eps) + wd * w)``: the decay is *not* in the sum of squares.
    With ``eps=0``, 0 / 0 is NaN.

    ``wd`` with a sparse gradient decays the rows of that gradient (MXNet refuses it). A
    ``clip_gradient`` of 0 or less is refused (MXNet switches clipping off for sparse gradients,
    and for dense ones replaces every gradient by a constant).
    """
    return translated(translations.mxnet1, **locals())


def mxnet2(
    learning_rate: float = 0.01,
    epsilon: float = 1e-6,
    wd: float = 0.0,
    rescale_grad: float = 1.0,
    clip_gradient: float | None = None,
    lr_mult: float = 1.0,
    wd_mult: float = 1.0,
    groups: Groups = None,
) -> Optimizer:
    """``mxnet.optimizer.AdaGrad`` of MXNet 2 (2.0.0b1).

    Parameters
    ----------
    learning_rate : float, default=0.01
        Learning rate.
    epsilon : float, default=1e-6
        Added to the root of the sum of squares.
    wd : float, default=0.0
        Weight decay, added to the gradient after clipping.
    rescale_grad, clip_gradient, lr_mult, wd_mult, groups
        As in :func:`mxnet1`.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    ``g = clip(rescale_grad * g) + wd * w``; ``h += g**2``;
    ``w -= learning_rate * g / (sqrt(h) + epsilon)``. With ``epsilon=0``, 0 / 0 is NaN.

    ``use_fused_step`` is not a parameter: it matters for sparse gradients only, which MXNet makes
    dense if it is False. Pass a dense gradient for that. ``wd`` and ``clip_gradient`` differ as in
    :func:`mxnet1`.
    """
    return translated(translations.mxnet2, **locals())


def downhill(
    learning_rate: float = 1e-4,
    rms_regularizer: float = 1e-8,
    momentum: float = 0.0,
    nesterov: bool = False,
    max_gradient_norm: float = 0.0,
    max_gradient_elem: float = 0.0,
    groups: Groups = None,
) -> Optimizer:
    """``downhill.ADAGRAD`` (0.4.0).

    Parameters
    ----------
    learning_rate : float, default=1e-4
        Learning rate.
    rms_regularizer : float, default=1e-8
        Added to the sum of squares, inside the root.
    momentum : float, default=0.0
        How much of the last step is taken again.
    nesterov : bool, default=False
        Whether downhill's form of Nesterov's momentum is used; nothing without ``momentum``.
    max_gradient_norm : float, default=0.0
        The gradient of each array is shortened to this Euclidean norm. 0 for no limit.
    max_gradient_elem : float, default=0.0
        Entries of gradients are kept within this. 0 for no limit; otherwise
        ``max_gradient_norm`` has no effect.
    groups : list of dict, default=None
        Options for some of the arrays (``"params"``: their positions), which downhill lacks.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`. With ``nesterov``, their ``lr`` is
        ``(1 + momentum) * learning_rate``.

    Notes
    -----
    ``s += g**2``; ``u = learning_rate * g / sqrt(s + rms_regularizer)``;
    ``v = momentum * v - u``; ``w += v``. With ``rms_regularizer=0``, 0 / 0 is NaN.

    ``nesterov`` makes that ``v = momentum**2 * v - (1 + momentum) * u``, which is ordinary momentum
    with other numbers. For Nesterov's, use ``rules.Momentum(..., nesterov=True)``.
    """
    return translated(translations.downhill, **locals())


def puzzlelib(
    learnRate: float = 1e-3,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    groups: Groups = None,
) -> Optimizer:
    """``PuzzleLib.Optimizers.AdaGrad`` (1.0.3).

    Parameters
    ----------
    learnRate : float, default=1e-3
        Learning rate; in a group, that of the optimizer times that of the variable.
    epsilon : float, default=1e-8
        Added to the root of the sum of squares.
    weight_decay : float, default=0.0
        The ``rate`` of PuzzleLib's hook ``WeightDecay`` times the ``wc`` of the variable (0 there
        unless it is set). Times the weights, it is subtracted from the gradient.
    groups : list of dict, default=None
        Options for some of the arrays: ``"params"`` holds their positions.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    Gradients are those of an objective to be *maximized*: ``g -= weight_decay * w``; ``h += g**2``;
    ``w += learnRate * g / (sqrt(h) + epsilon)``. With ``epsilon=0``, 0 / 0 is NaN.

    A variable whose own ``learnRate`` is 0 or less is left out there, its ``h`` included: pass
    None for its gradient. PuzzleLib computes in float32 only, compiled so that its last bits
    depend on the length of the array.
    """
    return translated(translations.puzzlelib, **locals())


def keras(
    learning_rate: float = 0.001,
    initial_accumulator_value: float = 0.1,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
    clipnorm: float | None = None,
    clipvalue: float | None = None,
    groups: Groups = None,
) -> Optimizer:
    """``keras.optimizers.Adagrad`` (3.15).

    Parameters
    ----------
    learning_rate : float, default=0.001
        Learning rate.
    initial_accumulator_value : float, default=0.1
        Where the sums of squares start.
    epsilon : float, default=1e-7
        Added to the sum of squares, inside the root.
    weight_decay : float, default=None
        Times ``learning_rate`` and the weights, it is subtracted beside the step.
    clipnorm : float, default=None
        The gradient of each array is shortened to this Euclidean norm.
    clipvalue : float, default=None
        Entries of gradients are kept within this.
    groups : list of dict, default=None
        Options for some of the arrays (``"params"``: their positions), which Keras lacks but for
        ``exclude_from_weight_decay``: that is a group with ``weight_decay=None``.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    ``s += g**2``; ``w -= learning_rate * (g / sqrt(s + epsilon) + weight_decay * w)``. With
    ``epsilon=0`` and ``initial_accumulator_value=0``, 0 / 0 is NaN.

    Rows that a sparse gradient names twice are summed first; Keras squares them one by one.
    ``weight_decay`` with a sparse gradient decays the rows of that gradient; Keras decays all.
    Keras rounds ``initial_accumulator_value`` and ``weight_decay`` to float32 in models of float64.
    Not here: ``global_clipnorm``, ``use_ema``, ``gradient_accumulation_steps``.
    """
    return translated(translations.keras, **locals())


def optax(
    learning_rate: float,
    initial_accumulator_value: float = 0.1,
    eps: float = 1e-7,
    groups: Groups = None,
) -> Optimizer:
    """``optax.adagrad`` (0.2.8).

    Parameters
    ----------
    learning_rate : float
        Learning rate.
    initial_accumulator_value : float, default=0.1
        Where the sums of squares start.
    eps : float, default=1e-7
        Added to the sum of squares, inside the root.
    groups : list of dict, default=None
        Options for some of the arrays (``"params"``: their positions), as ``multi_transform``.

    Returns
    -------
    Optimizer
        Its ``groups`` have the names of :class:`Optimizer`.

    Notes
    -----
    ``s += g**2``; ``w -= learning_rate * g / sqrt(s + eps)``. Where ``s`` is 0, the step is 0. What
    optax does by chaining transformations is done by wrapping rules, for instance
    ``Optimizer(rules.Clipped(rules.Adagrad(eps_inside=True), value=1.0), ...)``.
    """
    return translated(translations.optax, **locals())
