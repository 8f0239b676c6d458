"""The optimizer: update rules for NumPy arrays and gradients of one's own."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._types import Rule
from ..engines.cuda.steps import Gpu
from ..formulas.rules import is_importance_aware, is_scale_free
from ..input.gpu import GpuArray, is_on_gpu
from ..model.binding import bind
from ._gradients import SparseRows, checked_parameter, prepared
from ._parameter import Parameter, flat, ready, step

_NUMBERS = ("lr", "eps", "lr_decay", "initial_accumulator_value", "l1_ratio")
_MOST_STEPS = 2**53
_OF_RULES = operator.itemgetter("rule", "alpha", "floor_eps", *_NUMBERS)


class Optimizer:
    """An update rule for arrays whose gradients come from elsewhere.

    The rules are those of the estimators. Arrays are changed in place; dense gradients change all
    of an array, sparse ones only the rows that they name. Arrays of NumPy are learnt on the
    processor. Those of CuPy, PyTorch and others with ``__cuda_array_interface__`` are learnt on the
    GPU in whose memory they lie: experimental, see :doc:`devices`.

    Parameters
    ----------
    rule : str or rule object, default="adagrad"
        As ``rule`` of :class:`~sklearn_adagrad.AdagradClassifier`; see :ref:`rules`. Arrays in it
        (of :class:`~sklearn_adagrad.rules.Multiplied`) have one entry per weight, in C order.
        ``Clipped.norm`` is the norm of the gradient of one array.
    lr : float, default=0.01
        Learning rate. The default is PyTorch's.
    eps : float, default=1e-10
        Added to the root of the accumulator; the default is PyTorch's.
    lr_decay : float, default=0.0
        Step ``t`` of an array has the rate ``lr / (1 + (t - 1) * lr_decay)``.
    initial_accumulator_value : float, default=0.0
        What every accumulator starts from; the default is PyTorch's.
    alpha : float or array, default=0.0
        Strength of a penalty on every weight in every step, sparse steps included; an array has
        one for each weight, in C order.
    l1_ratio : float, default=0.0
        Share of the absolute values in the penalty, in [0, 1].
    maximize : bool, default=False
        Whether to ascend: gradients are taken times -1, before everything else.
    rescale_grad : float, default=1.0
        What gradients are multiplied by before everything else, say 1 / batch size.
    floor_eps : bool, default=True
        Whether an ``eps`` of 0 is replaced by a number that is too small to change a step, so
        that a weight without any gradient yet stays where it is. Otherwise 0 / 0 is NaN, as in
        PyTorch.
    groups : list of dict, default=None
        Groups of arrays with settings of their own: ``{"params": [0, 2], "lr": 0.1}`` is for the
        first and the third array. Settings that a group does not have are those above. Every array
        must be in one group. By default there is one group of all.

    Attributes
    ----------
    groups : list of dict
        The groups with all their settings. They may be changed between steps, for a schedule for
        instance; penalties and momentum that are still due are settled with the old ones first.

    See Also
    --------
    sklearn_adagrad.optim.pytorch : The same with the names and the arithmetic of PyTorch.

    Notes
    -----
    Rules that move weights whose gradient is absent (``alpha``, ``Momentum``) do so lazily in
    sparse steps: call ``settle`` before you read weights that may not have been in the last steps.
    Changing a setting does the same. Either takes a pass over the array.

    The rate of a weight without any gradient is ``lr / eps`` if its accumulator starts at 0: with
    ``alpha``, weights that were not 0 at the start become nearly 0 in the first step. Set
    ``initial_accumulator_value``, to 0.1 for instance.

    ``DualAveraging`` computes weights from gradients alone: the value that a weight had before its
    first gradient is lost, as in TensorFlow.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adagrad import optim
    >>> table = np.zeros((1000, 4))
    >>> optimizer = optim.Optimizer(lr=0.1)
    >>> gradient = optim.SparseRows(np.array([3, 7, 3]), np.ones((3, 4)))
    >>> optimizer.step(table, gradient)
    >>> np.flatnonzero(table.any(axis=1))
    array([3, 7])
    """

    def __init__(
        self,
        rule: str | Rule = "adagrad",
        *,
        lr: float = 0.01,
        eps: float = 1e-10,
        lr_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        alpha: float | ArrayLike = 0.0,
        l1_ratio: float = 0.0,
        maximize: bool = False,
        rescale_grad: float = 1.0,
        floor_eps: bool = True,
        groups: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        defaults = {
            "rule": rule,
            "lr": lr,
            "eps": eps,
            "lr_decay": lr_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "alpha": alpha,
            "l1_ratio": l1_ratio,
            "maximize": maximize,
            "rescale_grad": rescale_grad,
            "floor_eps": floor_eps,
        }
        for group in groups or ():
            unknown = set(group) - {"params", *defaults}
            if unknown or "params" not in group:
                raise ValueError(
                    f"A group has 'params' and may have {sorted(defaults)}; got {sorted(group)}."
                )
        self.groups = [defaults | dict(group) for group in groups or ({"params": None},)]
        self._parameters: list[Parameter | None] = []
        self._bound: dict[Any, Any] = {}
        for group in self.groups:
            _scale(group)
            self._bind(group, np.dtype(np.float64))

    def step(self, params: NDArray | Sequence[NDArray], grads: Any) -> None:
        """Change ``params`` in place by one step.

        Parameters
        ----------
        params : ndarray or sequence of ndarray
            The arrays to learn: float32 or float64, C-contiguous and writeable, the same number
            and shapes in every call. Of NumPy, or in a GPU's memory.
        grads : array-like, SparseRows, None, or a sequence of them
            The gradient of each: an array of its shape; :class:`SparseRows`, which touches only
            the rows that it names; or None, which leaves the array and its number of steps alone.
            Of an array in a GPU's memory it lies there too, and has its dtype.

        Raises
        ------
        ValueError, TypeError, IndexError
            If shapes, dtypes or indices do not fit, or a setting is out of range. Nothing was
            changed then.
        """
        params, grads = _paired(params, grads)
        arrays = self._checked(params)
        parameters = list(self._parameters) or [None] * len(arrays)
        plan = []
        for n, group in enumerate(self._groups_of(arrays)):
            if grads[n] is None:
                continue
            bound, scale = self._bind(group, arrays[n].dtype), _scale(group)
            parameters[n] = ready(parameters[n], arrays[n], bound)
            grad = prepared(grads[n], arrays[n], n, parameters[n].scratch)
            plan.append((parameters[n], flat(arrays[n]), grad, bound, scale))
        self._parameters = parameters
        for each in plan:
            step(*each)

    def settle(self, params: NDArray | Sequence[NDArray]) -> None:
        """Bring every weight up to date, also those that the last sparse steps did not name.

        Parameters
        ----------
        params : ndarray or sequence of ndarray
            The arrays of ``step``.
        """
        for array, parameter in self._known(params):
            if parameter is not None:
                parameter.follow(array)
                parameter.settle(flat(array))

    def averages(self, params: NDArray | Sequence[NDArray]) -> list[NDArray]:
        """Copies of the weights to predict with: with ``Averaged``, their means over all steps.

        Parameters
        ----------
        params : ndarray or sequence of ndarray
            The arrays of ``step``.

        Returns
        -------
        list of ndarray
            One for each array, of its shape, in the processor's memory.
        """
        return [self._average(*each) for each in self._known(params)]

    @staticmethod
    def _average(array, parameter):
        if parameter is None:
            is_there = isinstance(array, GpuArray)
            return Gpu(array).fetched(array) if is_there else array.copy()
        parameter.follow(array)
        return parameter.read(flat(array)).reshape(array.shape)

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to continue later: the groups, and what is remembered of each array.

        Returns
        -------
        dict
            ``{"groups": list of dict, "state": list of dict}``: in "state", for each array that
            had a gradient, its number of steps ``t``, its dtype, and copies of its fields.
        """
        state = []
        for parameter in self._parameters:
            if parameter is None:
                state.append(None)
                continue
            names = [name for name in parameter.like.dtype.names if name != "weight"]
            memory, shape = parameter.memory_here(), parameter.shape
            arrays = (row.view(parameter.like.dtype[name]).reshape(shape).copy()
                      for name, row in zip(names, memory, strict=True))  # fmt: skip
            about = {"t": parameter.t, "dtype": parameter.dtype.name}
            state.append(about | dict(zip(names, arrays, strict=True)))
        return {"groups": [dict(group) for group in self.groups], "state": state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned, in this or another process.

        Parameters
        ----------
        state_dict : dict
            What ``state_dict`` returned.

        Raises
        ------
        ValueError
            If it does not fit the rules of its groups.
        """
        if set(state_dict) != {"groups", "state"}:
            raise ValueError(f"A state has 'groups' and 'state'; this has {sorted(state_dict)}.")
        other = Optimizer(groups=state_dict["groups"])
        states = state_dict["state"]
        for state, group in zip(states, other._groups_of(states) if states else (), strict=True):
            other._parameters.append(None if state is None else other._restored(state, group))
        vars(self).update(vars(other))

    def _restored(self, state, group):
        """The parameter that is described in ``state``."""
        dtype = np.dtype(state.get("dtype", "float64"))
        bound = self._bind(group, dtype)
        names = [name for name in bound.start if name != "weight"]
        if set(state) != {"t", "dtype", *names} or not 0 <= int(state["t"]) <= _MOST_STEPS:
            raise ValueError(
                f"The state of an array must have 'dtype', 't' in [0, {_MOST_STEPS}] and {names}; "
                f"this has {sorted(state)}, and t={state.get('t')}."
            )
        shape = np.shape(state[names[0]])
        parameter = Parameter(shape, dtype, bound)
        parameter.t = int(state["t"])
        for name, row in zip(names, parameter.memory, strict=True):
            field = np.asarray(state[name], parameter.like.dtype[name])
            if field.shape != shape:
                raise ValueError(f"{name} has shape {field.shape}, other fields {shape}.")
            wrong = field > parameter.t if name in bound.times else ~np.isfinite(field)
            wrong |= (field < 0) if name == "accumulator" else False
            if wrong.any():
                value = np.asarray(state[name])[wrong].flat[0]
                raise ValueError(f"{name} has {value:g}, which no {parameter.t} steps lead to.")
            row.view(field.dtype)[:] = field.reshape(-1)
        return parameter

    def _checked(self, params):
        """``params`` if they can be learnt, and are what they were."""
        arrays = [checked_parameter(array, n) for n, array in enumerate(params)]
        if len({id(array) for array in params}) < len(params):
            raise ValueError("An array is among the params twice.")
        self._expect(arrays)
        return arrays

    def _expect(self, params):
        if self._parameters and len(params) != len(self._parameters):
            raise ValueError(
                f"There were {len(self._parameters)} params, now there are {len(params)}."
            )
        for n, (array, known) in enumerate(zip(params, self._parameters, strict=False)):
            if known is not None and (np.shape(array), array.dtype) != (known.shape, known.dtype):
                raise ValueError(
                    f"params[{n}] was {known.dtype} of shape {known.shape}, now it is "
                    f"{array.dtype} of shape {np.shape(array)}."
                )

    def _groups_of(self, params):
        """The group of each parameter."""
        if self.groups[0].get("params") is None and len(self.groups) == 1:
            return self.groups * len(params)
        found = [None] * len(params)
        for group in self.groups:
            for n in group["params"]:
                if not 0 <= n < len(params) or found[n] is not None:
                    raise ValueError(
                        f"groups: parameter {n} is in two, or not among {len(params)} params."
                    )
                found[n] = group
        if None in found:
            raise ValueError(f"groups: parameter {found.index(None)} is in none of them.")
        return found

    def _bind(self, group, dtype):
        """The bound rule of a group, made anew only if a setting changed."""
        values = _OF_RULES(group)
        key = id(group), dtype
        last = self._bound.get(key)
        if last is None or not _is_still(last[0], values):
            numbers = {name: float(group[name]) for name in _NUMBERS}
            bound = bind(
                group["rule"], dtype, **numbers,
                alpha=group["alpha"], floor_eps=bool(group["floor_eps"]),
            )  # fmt: skip
            if is_scale_free(bound.rule) or is_importance_aware(bound.rule):
                raise ValueError(
                    f"rule={group['rule']!r} goes by the rows that a model learns, and an "
                    "optimizer has gradients only: leave out ScaleFree and ImportanceAware."
                )
            last = self._bound[key] = (_copied(values), bound)
        return last[1]

    def _known(self, params):
        """Every array with what is remembered of it, or None."""
        arrays = self._checked(_paired(params, None)[0])
        return zip(arrays, self._parameters or [None] * len(arrays), strict=True)


def _copied(setting):
    """A setting as it is now: arrays may be changed in place."""
    if isinstance(setting, tuple):
        fields = (_copied(each) for each in setting)
        return type(setting)(*fields) if hasattr(setting, "_fields") else tuple(fields)
    return setting.copy() if isinstance(setting, np.ndarray | list) else setting


def _is_still(old, new):
    """Whether a setting is what it was."""
    if type(old) is not type(new):
        return False
    if isinstance(old, tuple):
        return len(old) == len(new) and all(map(_is_still, old, new))
    if isinstance(old, np.ndarray):
        return old.dtype == new.dtype and np.array_equal(old, new)
    return old is new or old == new


def _scale(group):
    """What to multiply gradients by."""
    rescale, maximize = float(group["rescale_grad"]), group["maximize"]
    if not np.isfinite(rescale):
        raise ValueError(f"rescale_grad={rescale:g} is out of range: it must be finite.")
    if not isinstance(maximize, bool | np.bool_):
        raise TypeError(f"maximize={maximize!r} must be True or False.")
    return -rescale if maximize else rescale


def _paired(params, grads):
    """Both as lists."""
    if isinstance(params, np.ndarray) or is_on_gpu(params):
        return [params], [grads]
    if isinstance(grads, SparseRows):
        raise TypeError("grads must be a sequence, as params is: one gradient for each array.")
    params = list(params)
    grads = [None] * len(params) if grads is None else list(grads)
    if len(params) != len(grads):
        raise ValueError(f"There are {len(params)} params and {len(grads)} grads.")
    return params, grads
