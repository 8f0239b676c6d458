"""Which rules make sense together, by what they declare of themselves."""

import numpy as np

from ..formulas.rules import Settings

_NO_SETTINGS = Settings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.inf, 0.0)


def chain(rule):
    """``rule``, the rule that it holds, and so on."""
    while True:
        yield rule
        if "rule" not in rule._fields:
            return
        rule = rule.rule


def check_together(rule, penalised, lr, lr_decay):
    """Refuse what has no exact meaning, or none at all, with a ValueError that says so."""
    links = list(chain(rule))
    wrappers, base = links[:-1], links[-1]
    _check_order(rule, wrappers)
    _check_steps(wrappers, base)
    changing = ["lr_decay"] if lr_decay > 0 else []
    changing += [_name(each) for each in wrappers if getattr(each, "changes_lr", False)]
    _check_penalty(wrappers, base, penalised)
    _check_rest(links, penalised, changing)
    if getattr(base, "needs_constant_lr", False):
        _check_constant_lr(wrappers, base, lr, changing)


def _check_order(rule, wrappers):
    kinds = [type(each) for each in wrappers]
    for kind in kinds:
        if kinds.count(kind) > 1 and (hasattr(kind, "start") or hasattr(kind, "needs_share")):
            raise ValueError(f"rule={rule!r} has two of {kind.__name__}: one is enough.")
    for n, each in enumerate(wrappers):
        if n and getattr(each, "is_outermost", False):
            raise ValueError(f"rule={rule!r}: {_name(each)} must be the outermost of the wrappers.")
        outside = [other for other in wrappers[:n] if getattr(other, "changes_gradient", False)]
        if getattr(each, "needs_plain_gradient", False) and outside:
            raise ValueError(
                f"{_name(each)}.norm is about the gradient of a row as it is: it must be outside "
                "of WeightDecay and of Clipped.value."
            )


def _check_steps(wrappers, base):
    """Wrappers that change steps, or read the weight, need a rule that has them."""
    for each in wrappers:
        if getattr(each, "needs_steps", False) and not getattr(base, "moves_in_steps", True):
            decoupled = "decoupled=True" if getattr(each, "decoupled", False) else _name(each)
            raise ValueError(
                f"{decoupled} cannot be combined with {_name(base)}: its weights are not made of "
                "steps. Use alpha for a penalty."
            )
        if getattr(each, "needs_weight", False) and "weight" not in base.start(_NO_SETTINGS):
            raise ValueError(
                f"{_name(each)} cannot be combined with {_name(base)}, whose weights are not made "
                "of steps. Use alpha for a penalty."
            )
        if getattr(each, "needs_share", False) and not getattr(base, "takes_share", False):
            raise ValueError(
                f"{_name(each)} cannot be combined with {_name(base)}, whose class does not "
                "declare takes_share: its steps would not become smaller."
            )


def _check_penalty(wrappers, base, penalised):
    way = getattr(base, "penalty", None)
    if penalised and way not in ("own", "proximal"):
        raise ValueError(
            f"alpha > 0 would have no effect with {_name(base)}, which does not say how it takes "
            "penalties. Set alpha=0, or let its class declare penalty = 'proximal' or 'own'."
        )
    if penalised and way == "proximal":
        for each in wrappers:
            if not getattr(each, "keeps_penalty_closed", True):
                raise ValueError(
                    f"alpha > 0 cannot be combined with {_name(each)}: the penalties of a "
                    "feature's absence have no closed form then. Set alpha=0, or use WeightDecay."
                )


def _check_rest(links, penalised, changing):
    for n, each in enumerate(links):
        if not getattr(each, "needs_rest", False):
            continue
        for inner in links[n + 1 :]:
            rests = getattr(inner, "rests", True)
            if rests == "plainly" and (penalised or changing):
                raise ValueError(
                    f"{_name(each)} can be combined with {_name(inner)} only if alpha=0 and lr is "
                    "constant: weights must rest while their feature is absent."
                )
            if not rests:
                raise ValueError(
                    f"{_name(each)} cannot be combined with {_name(inner)}: weights must rest "
                    "while their feature is absent."
                )


def _check_constant_lr(wrappers, base, lr, changing):
    if changing:
        raise ValueError(
            f"{changing[0]} cannot be combined with {_name(base)}: its lr must be constant."
        )
    if not lr > 0:
        raise ValueError(f"lr={lr:g} is out of range: {_name(base)} needs more than 0.")
    for each in wrappers:
        if "lr" in getattr(each, "per_feature", ()) and not np.all(np.asarray(each.lr) > 0):
            raise ValueError(f"{_name(each)}.lr must be more than 0 with {_name(base)}.")


def check_decay(links, lr):
    """Refuse a decoupled decay that takes more than twice a weight: it would grow without end."""
    product = lr
    for each in links:
        if type(each).__name__ == "Multiplied":
            product = product * np.asarray(each.lr) * np.asarray(each.weight_decay)
    for each in links:
        share = float(np.max(product)) * each.weight_decay if getattr(each, "decoupled", 0) else 0.0
        if share > 2.0:
            raise ValueError(
                f"WeightDecay.weight_decay={each.weight_decay:g} is too strong: decoupled, and "
                f"times lr, it takes {share:g} times a weight from it in each row: weights grow "
                "without end. It must be at most 2."
            )


def check_divisor(links, lr, dtype):
    """Refuse an lr that cannot be divided by."""
    least = float(np.finfo(dtype).max) ** -0.5
    for each in links:
        lr = lr * float(np.min(each.lr)) if "lr" in getattr(each, "per_feature", ()) else lr
    if lr < least:
        raise ValueError(
            f"lr={lr:g} is out of range: {_name(links[-1])} divides by it, and with "
            f"{np.dtype(dtype)} data it must be at least {least:.0e}."
        )


def _name(rule):
    return type(rule).__name__
