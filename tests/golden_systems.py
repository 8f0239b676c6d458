"""How the recorded runs of other systems are replayed: their options in our words.

A function for each system turns a run into a ``Replay``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sklearn_adagrad import optim, rules


class Replay(NamedTuple):
    """An optimizer, and what the run's driver did to gradients before the optimizer saw them."""

    optimizer: optim.Optimizer
    sparse: bool = False  # only the columns of the batch, zeros of the gradient included
    scale: float = 1.0  # of the gradient of the mean loss
    slope_clip: float = np.inf  # of the derivative of the loss by the score
    driver: Callable = lambda g, w: g
    without: tuple = ()  # arrays that get no gradient


def single(value):
    """The nearest float32."""
    return float(np.float32(value))


def torch(run):
    options = without(run["options"], "foreach", "fused", "differentiable", "lr_scheduler")
    clip, groups = options.pop("clip", None), options.pop("groups", None)
    if groups is not None:
        groups = [{"params": [n], **group} for n, group in enumerate(groups)]
    driver = {None: Replay._field_defaults["driver"], "value": clipped, "norm": shortened}
    if clip is not None:
        kind, limit = clip
        return Replay(optim.pytorch(**options), driver=lambda g, w: driver[kind](g, limit))
    return Replay(optim.pytorch(**options, groups=groups), run["gradient"] == "sparse")


def clipped(g, limit):
    """``torch.nn.utils.clip_grad_value_``."""
    return np.clip(g, -limit, limit)


def shortened(g, limit):
    """``torch.nn.utils.clip_grad_norm_``, which adds 1e-6 to the norm."""
    return g * min(1.0, limit / (np.linalg.norm(g) + 1e-6))


def mindspore(run):
    options = without(run["options"], "lr_tensor", "lr_scheduler")
    groups = options.pop("groups", None)
    if groups is not None:
        groups = [{"params": [n], **group} for n, group in enumerate(groups)]
    return Replay(optim.mindspore(**options, groups=groups))


def mxnet1(run):
    return mxnet(run, optim.mxnet1, "eps", 1e-7)


def mxnet2(run):
    return mxnet(run, optim.mxnet2, "epsilon", 1e-6)


def mxnet(run, preset, epsilon, default):
    options = without(run["options"], "lr_scheduler", "begin_num_update", "loss_reduction")
    names = options.pop("param_idx2name", {})
    multipliers = {name: options.pop(name, {}) for name in ("lr_mult", "wd_mult")}
    groups = None
    if len(run["tensors"]) > 1:
        groups = [{"params": [n]} for n in range(len(run["tensors"]))]
        for n, group in enumerate(groups):
            name = names.get(str(n), "")
            # Only MXNet 1.x leaves biases undecayed, if it knows them by name.
            if preset is optim.mxnet1 and names and not name.endswith(("_weight", "_gamma")):
                group["wd_mult"] = 0.0
            for multiplier, values in multipliers.items():
                for key in {str(n), name} & set(values):
                    group[multiplier] = values[key]
    # Without the fused step, sparse gradients are made dense.
    sparse = run["gradient"] == "row_sparse" and options.pop("use_fused_step", True)
    if sparse:
        # The kernel for sparse gradients has constants in float32, for weights of any dtype.
        options = {"learning_rate": 0.01, epsilon: default} | options
        options = {name: single(value) for name, value in options.items()}
    if options.pop("gluon_trainer", False):
        return Replay(preset(**options, rescale_grad=0.25), scale=4.0)
    return Replay(preset(**without(options, "use_fused_step"), groups=groups), sparse)


def downhill(run):
    # Unknown names are ignored there, documented synonyms among them.
    options = without(run["options"], "max_gradient_clip", "gradient_clip")
    decay = options.pop("l2_in_loss", 0.0)
    return Replay(optim.downhill(**options), driver=lambda g, w: g + decay * w)


def puzzlelib(run):
    options = dict(run["options"])
    rate = options.pop("WeightDecay", 0.0)
    share, lr = options.pop("var.wc", {}), options.pop("var.learnRate", {})
    options = without(options, "learnRate after every update *=", "note")
    if options.pop("useGlobalState", False):
        share, lr = {}, {}
    names = ["Wb"[n] for n in range(len(run["tensors"]))]
    groups = [
        {
            "params": [n],
            "weight_decay": rate * share.get(name, 0.0),
            "learnRate": options.get("learnRate", 1e-3) * max(lr.get(name, 1.0), 0.0),
        }
        for n, name in enumerate(names)
    ]
    left_out = tuple(n for n, name in enumerate(names) if lr.get(name, 1.0) <= 0)
    # What was recorded are gradients of the negated loss.
    return Replay(optim.puzzlelib(**options, groups=groups), scale=-1.0, without=left_out)


def tensorflow(run):
    options = dict(run["options"])
    if "op" in run:
        return raw(run["op"], run["gradient"] == "indices", **options)
    if run.get("optimizer") == "Ftrl":
        return Replay(
            ftrl(
                options.get("learning_rate", 0.001),
                options.get("l1_regularization_strength", 0.0),
                options.get("l2_regularization_strength", 0.0),
                single(options.get("initial_accumulator_value", 0.1)),
                options.get("beta", 0.0),
            ),
            run["gradient"] == "IndexedSlices",
        )
    exclude = options.pop("exclude_from_weight_decay", [])
    if isinstance(options.get("learning_rate"), str):
        del options["learning_rate"]
    for name, default in (("initial_accumulator_value", 0.1), ("weight_decay", None)):
        if options.get(name, default) is not None:
            options[name] = single(options.get(name, default))
    groups = [
        {"params": [n]} | ({"weight_decay": None} if name in exclude else {})
        for n, (name, _, _) in enumerate(run["tensors"])
    ]
    # Weights that are absent from a sparse gradient are decayed, and divided 0 / 0.
    dense = options.get("weight_decay") or options.get("epsilon") == 0.0
    sparse = run["gradient"] == "IndexedSlices" and not dense
    return Replay(optim.keras(**options, groups=groups), sparse)


def raw(op, sparse, *, lr, accum, epsilon=0.0, l1=0.0, l2=0.0, global_step=None, lr_power=-0.5):
    if op.endswith("Ftrl"):
        return Replay(ftrl(lr, l1, l2, accum, 0.0), sparse)
    rule = rules.DualAveraging() if op.endswith("DA") else rules.Adagrad()
    optimizer = optim.Optimizer(
        rule,
        lr=lr,
        eps=epsilon,
        initial_accumulator_value=accum,
        **penalties(l1, l2),
        floor_eps=False,
    )
    return Replay(optimizer, sparse)


def ftrl(lr, l1, l2, accumulator, beta):
    return optim.Optimizer(
        rules.FTRL(beta=beta),
        lr=lr,
        eps=0.0,
        initial_accumulator_value=accumulator,
        **penalties(l1, 2.0 * l2),
        floor_eps=False,
    )


def penalties(l1, l2):
    return {"alpha": l1 + l2, "l1_ratio": l1 / (l1 + l2) if l1 else 0.0}


def optax(run):
    options = dict(run["options"])
    chain = options.pop("chain", None)
    if isinstance(options["learning_rate"], str):
        options["learning_rate"] = 0.5
        # The schedule's rates were not recorded; optax computes them in float32.
    if chain is None:
        return Replay(optim.optax(**options))
    base = rules.Adagrad(eps_inside=True)
    rule = rules.WeightDecay(base, 0.1) if "decay" in chain else rules.Clipped(base, value=0.25)
    lr = options.pop("learning_rate")
    return Replay(optim.Optimizer(rule, lr=lr, **options))


def river(run):
    options = {"lr": 0.1, "eps": 1e-8} | run["options"]
    decay, clip = options.pop("l2", 0.0), options.pop("clip", np.inf)
    if isinstance(options["lr"], str):
        options["lr"] = 0.5
    rule = rules.WeightDecay(rules.Adagrad(eps_inside=True), decay)
    sparse = run["gradient"] == "sparse"
    return Replay(
        optim.Optimizer(rule, **options, floor_eps=False),
        sparse,
        scale=doubled(run),
        slope_clip=clip,
    )


def vw(run):
    arguments = run["options"]["args"].split()
    options = dict(zip(arguments[::2], map(float, arguments[1::2]), strict=True))
    optimizer = optim.Optimizer(
        lr=options.get("-l", 10.0), eps=0.0, initial_accumulator_value=options.get("--initial_t", 0)
    )
    return Replay(optimizer, True, scale=doubled(run))


def doubled(run):
    """2 where the loss is a square, not half of it."""
    return 2.0 if "(p-y)^2" in run["loss_note"] else 1.0


def without(options, *names):
    return {name: value for name, value in options.items() if name not in names}


SYSTEMS = {
    "torch": torch,
    "mindspore": mindspore,
    "mxnet1": mxnet1,
    "mxnet2": mxnet2,
    "downhill": downhill,
    "puzzlelib": puzzlelib,
    "tf": tensorflow,
    "optax": optax,
    "river": river,
    "vw": vw,
}
