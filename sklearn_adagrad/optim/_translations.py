"""What the options of other systems are called here, and in which order they act."""

from ..formulas.rules import Adagrad
from ..formulas.wrappers import Clipped, Momentum, WeightDecay
from ._optimizer import Optimizer


def translated(translate, groups, **options):
    """An optimizer with ``options``, and in each of ``groups`` with its own on top."""
    inner = None if groups is None else []
    for group in groups or ():
        unknown = set(group) - {"params", *options}
        if unknown or "params" not in group:
            raise ValueError(
                f"A group must have 'params' and may have {sorted(options)}; got {sorted(group)}."
            )
        own = {name: group.get(name, value) for name, value in options.items()}
        inner.append({"params": group["params"], **translate(**own)})
    return Optimizer(groups=inner, **translate(**options))


def pytorch(lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize):
    return {
        "rule": _decayed(Adagrad(), weight_decay),
        "lr": lr,
        "lr_decay": lr_decay,
        "initial_accumulator_value": initial_accumulator_value,
        "eps": eps,
        "maximize": maximize,
        "floor_eps": False,
    }


def mindspore(**options):
    return pytorch(**options) | {"floor_eps": True}


def mxnet1(learning_rate, eps, wd, rescale_grad, clip_gradient, lr_mult, wd_mult):
    rule = _clipped(Adagrad(eps_inside=True), clip_gradient)
    return {
        "rule": _decayed(rule, wd * wd_mult, decoupled=True),
        "lr": learning_rate * lr_mult,
        "eps": eps,
        "rescale_grad": rescale_grad,
        "floor_eps": False,
    }


def mxnet2(learning_rate, epsilon, wd, rescale_grad, clip_gradient, lr_mult, wd_mult):
    return {
        "rule": _clipped(_decayed(Adagrad(), wd * wd_mult), clip_gradient),
        "lr": learning_rate * lr_mult,
        "eps": epsilon,
        "rescale_grad": rescale_grad,
        "floor_eps": False,
    }


def downhill(
    learning_rate, rms_regularizer, momentum, nesterov, max_gradient_norm, max_gradient_elem
):
    rule = Adagrad(eps_inside=True)
    if momentum and nesterov:
        rule, learning_rate = Momentum(rule, momentum**2), (1.0 + momentum) * learning_rate
    elif momentum:
        rule = Momentum(rule, momentum)
    if max_gradient_elem:
        rule = Clipped(rule, value=max_gradient_elem)
    elif max_gradient_norm:
        rule = Clipped(rule, norm=max_gradient_norm)
    return {"rule": rule, "lr": learning_rate, "eps": rms_regularizer, "floor_eps": False}


def puzzlelib(learnRate, epsilon, weight_decay):
    return {
        "rule": _decayed(Adagrad(), weight_decay),
        "lr": learnRate,
        "eps": epsilon,
        "maximize": True,
        "floor_eps": False,
    }


def keras(learning_rate, initial_accumulator_value, epsilon, weight_decay, clipnorm, clipvalue):
    if clipnorm is not None and clipvalue is not None:
        raise ValueError("Only one of clipnorm and clipvalue may be set.")
    rule = _clipped(Adagrad(eps_inside=True), clipvalue)
    if clipnorm is not None:
        rule = Clipped(rule, norm=clipnorm)
    return {
        "rule": _decayed(rule, weight_decay or 0.0, decoupled=True),
        "lr": learning_rate,
        "initial_accumulator_value": initial_accumulator_value,
        "eps": epsilon,
        "floor_eps": False,
    }


def optax(learning_rate, initial_accumulator_value, eps):
    return {
        "rule": Adagrad(eps_inside=True),
        "lr": learning_rate,
        "initial_accumulator_value": initial_accumulator_value,
        "eps": eps,
    }


def _decayed(rule, weight_decay, decoupled=False):
    return WeightDecay(rule, weight_decay, decoupled) if weight_decay else rule


def _clipped(rule, value):
    return rule if value is None else Clipped(rule, value=value)
