"""What the learner promises, in the plainest NumPy: dense, eager, row after row.

Written from the formulas and not from the kernels: every row does to every weight what is due,
whether the row has the feature or not. Arrays have one number per feature, and the intercept's
last. ``loss`` is any object with ``value`` and ``gradient``; ``test_losses.py`` holds those against
numerical derivatives and scikit-learn. Of ``rules`` only the fields are used.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from sklearn_adagrad import rules

BY_NAME = {"adagrad": rules.Adagrad, "dual_averaging": rules.DualAveraging, "ftrl": rules.FTRL}
FACTORS = {
    rules.InverseScaling: lambda schedule, t: 1.0 / t**schedule.power_t,
    rules.Warmup: lambda schedule, t: t / schedule.rows if t < schedule.rows else 1.0,
}


@dataclass
class Scales:
    """What a scale-free rule knows: of columns, of rows, and of targets."""

    largest: np.ndarray
    mass: float = 0.0
    squares: float = 0.0
    longest: float = 0.0
    mean: float = 0.0
    deviations: float = 0.0

    def divided(self, x):
        return divided(x, self.largest)


@dataclass
class Learnt:
    w: np.ndarray  # of columns that were divided, if the rule is scale-free
    s: np.ndarray  # the accumulator
    z: np.ndarray  # the sum of gradients; FTRL's has more to it
    v: np.ndarray  # the velocity
    n: np.ndarray  # how many rows had the feature
    w_sum: np.ndarray  # of the rows that count for the mean
    n_sum: int = 0
    t: int = 0
    loss: float = 0.0  # the weighted sum of the losses of all rows, each before it was learnt
    mass: float = 0.0  # the sum of the weights
    scales: Scales | None = None

    def score(self, x):
        if self.scales is None:
            return x @ self.w[:-1] + self.w[-1]
        return self.scales.divided(x) @ self.w[:-1] + self.w[-1] + self.scales.mean

    @property
    def prediction(self):
        w = self.w_sum / self.n_sum if self.n_sum else self.w
        if self.scales is None:
            return w
        return np.append(self.scales.divided(w[:-1]), w[-1] + self.scales.mean)

    @property
    def coef(self):
        return self.prediction[:-1]

    @property
    def intercept(self):
        return self.prediction[-1]


def nothing(n_features, initial_accumulator_value=0.0):
    """A model that has seen no row."""
    zeros = np.zeros((5, n_features + 1))
    start = np.full(n_features + 1, float(initial_accumulator_value))
    return Learnt(zeros[0], start, *zeros[1:])


def chain(rule):
    """``rule``, the rule that it holds, and so on; by name or as an object."""
    links = [BY_NAME[rule]() if isinstance(rule, str) else rule]
    return links + chain(links[0].rule) if hasattr(links[0], "rule") else links


def learn(
    learnt, X, y, weights, loss, *, rule, fit_intercept=True, has_unit=True, batch_size=1,
    **parameters,
):  # fmt: skip
    """``learnt`` after one pass over the dense rows ``X`` with targets ``y``.

    ``has_unit`` says that scores are in the units of ``y``, as in regression without a link.
    The last batch ends with the last row.
    """
    m, links = deepcopy(learnt), chain(rule)
    p = per_feature(links, X.shape[1], **parameters)
    batch = Batch(links, batch_size)
    for x, target, weight in zip(np.asarray(X, dtype=float), y, weights, strict=True):
        if weight == 0.0:
            continue
        p["stride"] = 1.0
        if any(isinstance(each, rules.ScaleFree) for each in links):
            x, before, score, p["stride"] = rescaled(
                m, x, target, weight, fit_intercept, links, has_unit
            )
        else:
            before = score = m.score(x)
        m.loss += weight * loss.value(target, before)
        m.mass += weight
        p["limit"] = weight, lambda reach, y=target, z=score: loss.drop(y, z, reach)
        batch.take(m, x, weight * loss.gradient(target, score), fit_intercept, p)
    batch.end(m, p)
    return m


def rescaled(m, x, target, weight, fit_intercept, links, has_unit):
    """The row by the scales that it makes, its scores, and what its step is multiplied by.

    The first score is counted from the mean of the targets before, the second from that with its
    own. ``m.scales`` become those that the row makes.
    """
    (by_column,) = (each.by_column for each in links if isinstance(each, rules.ScaleFree))
    s = m.scales = m.scales or Scales(np.zeros(len(x)) if by_column else np.ones(len(x)))
    if by_column:
        s.largest = np.maximum(s.largest, abs(x))
    score = m.score(x)
    s.mass += weight
    s.squares += weight * (np.sum(s.divided(x) ** 2) + fit_intercept)
    s.longest = max(s.longest, np.sum(x**2) + fit_intercept)
    before, unit = s.mean, 1.0
    if has_unit:
        s.mean += weight / s.mass * (target - before) * fit_intercept
        s.deviations += weight * (target - before) * (target - s.mean)
        unit = np.sqrt(s.deviations / s.mass)
    norm = np.sqrt(s.squares / s.mass) if by_column else np.sqrt(s.longest)
    return s.divided(x), score, score - before + s.mean, float(divided(unit, norm))


def learn_classes(
    learnt, X, labels, weights, *, rule, fit_intercept=True, batch_size=1, **parameters
):
    """The models of all classes after one pass, the softmax of whose scores is what they learn."""
    models, links = deepcopy(learnt), chain(rule)
    p = per_feature(links, X.shape[1], **parameters)
    batches = [Batch(links, batch_size) for _ in models]
    for x, label, weight in zip(np.asarray(X, dtype=float), labels, weights, strict=True):
        if weight == 0.0:
            continue
        chances = np.exp([m.score(x) for m in models])
        chances /= chances.sum()
        models[label].loss -= weight * np.log(chances[label])
        for n, m in enumerate(models):
            m.mass += weight
            p["stride"] = 1.0
            batches[n].take(m, x, weight * (chances[n] - (n == label)), fit_intercept, p)
    for m, batch in zip(models, batches, strict=True):
        batch.end(m, p)
    return models


class Batch:
    """Rows that are all scored by the same weights, and then learnt as one: see ``end``."""

    def __init__(self, links, size):
        self.size, self.links = size, links
        self.of_rows = [each for each in links[:-1] if is_of_rows(each)] if size != 1 else []
        self.of_batch = [each for each in links if each not in self.of_rows]
        self.begin()

    def begin(self):
        self.n, self.g, self.here = 0, 0.0, False
        self.shares, self.sizes, self.share = 0.0, 0.0, 1.0

    def take(self, m, x, slope, fit_intercept, p):
        """Let ``m`` learn the row ``x``, whose score has the gradient ``slope``."""
        m.t += 1  # the batch counts as its first row
        g, slope, share = gradients(m, x, slope, fit_intercept, self.links, p)
        m.t -= 1
        here = np.append(x != 0.0, False)
        if self.of_rows:
            g, here = of_row(self.of_rows, m, g, here, p)
        self.n, self.g, self.here = self.n + 1, self.g + g, self.here | here
        self.shares, self.sizes = self.shares + share * abs(slope), self.sizes + abs(slope)
        mean = self.shares / self.sizes if self.sizes else share
        seen = np.append(here[:-1], True) & (g != 0.0)
        self.share = np.where(seen, mean, self.share)  # of the rows so far
        fraction = isinstance(self.size, float)
        if self.n >= (max(1, int(self.size * m.t)) if fraction else self.size):
            self.end(m, p)

    def end(self, m, p):
        """The first row has all of the gradients, and nothing is in the others."""
        g, here = self.g, self.here
        for _ in range(self.n):
            m.t += 1
            update(m, g, here, self.share, self.of_batch, p)
            g, here = np.zeros(len(m.w)), np.zeros(len(m.w), bool)
        self.begin()


def is_of_rows(link):
    """Whether a wrapper is about the gradients of rows, not of batches."""
    coupled = isinstance(link, rules.WeightDecay) and not link.decoupled
    return coupled or isinstance(link, rules.Clipped | rules.Admission)


def of_row(links, m, g, here, p):
    """What such wrappers make of a row's gradients, and in which weights it counts."""
    for rule in links:
        match rule:
            case rules.Clipped():
                g = np.clip(g, -rule.value, rule.value)
            case rules.WeightDecay():
                g = g + rule.weight_decay * p["decay"] * m.w * here
            case rules.Admission():
                m.n = m.n + here
                admitted = (m.n >= rule.occurrences) | (np.arange(len(m.n)) == len(m.n) - 1)
                g, here = np.where(admitted, g, 0.0), here & admitted
    return g, here


def gradients(m, x, slope, fit_intercept, links, p):
    """The gradients of all weights, and of the score, and which share of them moves weights."""
    norm = min([each.norm for each in links if isinstance(each, rules.Clipped)], default=np.inf)
    g = slope * np.append(x, float(fit_intercept))
    length = np.linalg.norm(g)
    shortened = norm / length if length > norm else 1.0
    g, slope = g * shortened, slope * shortened
    p["rate"], share = rate(links, p, m.t), p["stride"]
    if any(isinstance(each, rules.ImportanceAware) for each in links):
        weight, limit = p["limit"]
        g, slope = g / np.sqrt(weight), slope / np.sqrt(weight)
        row = np.append(x, float(fit_intercept))
        fall = row @ pull(links, m, g, row != 0.0, p)
        reach = max(0.0, float(divided(weight * p["stride"] * fall, slope)))
        share = most = p["stride"] * np.sqrt(weight)
        if fall != 0.0:
            share = limit(reach) / fall
            share = share if 0.0 <= share < most else most
    return g, slope, share


def update(m, g, here, share, links, p):
    """Row ``m.t`` with these gradients, in the weights that are ``here``."""
    p["rate"], p["share"] = rate(links, p, m.t), share
    m.w = m.w - step(links, m, g, here, p)
    m.w = PENALISED[type(links[-1])](links[-1], m, p)
    averaged = [each for each in links if isinstance(each, rules.Averaged)]
    if averaged and m.t >= averaged[0].first_row:
        m.w_sum, m.n_sum = m.w_sum + m.w, m.n_sum + 1


def per_feature(links, n_features, *, lr, eps, lr_decay=0.0, alpha=0.0, l1_ratio=0.0, **_):
    """Hyper-parameters, those that features may have of their own as arrays."""

    def spread(value, intercept):
        return np.append(np.broadcast_to(np.asarray(value, float), n_features), intercept)

    multiplied = [each for each in links if isinstance(each, rules.Multiplied)]
    multiplied = multiplied[0] if multiplied else rules.Multiplied("adagrad")
    return {
        "lr": lr * spread(multiplied.lr, 1.0),
        "decay": spread(multiplied.weight_decay, 0.0),
        "l1": spread(alpha, 0.0) * l1_ratio,
        "l2": spread(alpha, 0.0) * (1.0 - l1_ratio),
        "eps": eps,
        "lr_decay": lr_decay,
    }


def rate(links, p, t):
    schedules = [each.schedule for each in links if hasattr(each, "schedule")]
    factors = [FACTORS[type(each)](each, t) for each in schedules]
    return p["lr"] * np.prod(factors) / (1.0 + (max(t, 1) - 1) * p["lr_decay"])


def pull(links, m, g, here, p):
    """How far the gradients move the weights if all of them do."""
    rule, *within = links
    match rule:
        case rules.Clipped():
            return pull(within, m, np.clip(g, -rule.value, rule.value), here, p)
        case rules.WeightDecay():
            decay = 0.0 if rule.decoupled else rule.weight_decay * p["decay"] * m.w * here
            return pull(within, m, g + decay, here, p)
        case rules.Admission():
            is_intercept = np.arange(len(m.n)) == len(m.n) - 1
            admitted = (m.n + here >= rule.occurrences) | is_intercept
            return np.where(admitted, pull(within, m, g, here, p), 0.0)
        case rules.Adagrad() | rules.DualAveraging() | rules.FTRL():
            after = deepcopy(m)
            after.s = m.s + g**2
            below = size(rule, after, p)
            if isinstance(rule, rules.DualAveraging):
                below = below + p["rate"] * m.t * p["l2"]
            if isinstance(rule, rules.FTRL):
                below = below + p["lr"] * p["l2"]
            return p["rate"] * divided(g, below)
        case _:
            return pull(within, m, g, here, p)


def step(links, m, g, here, p):
    """What the rule subtracts from every weight; ``here`` says which features the row has."""
    rule, *within = links
    match rule:
        case rules.Clipped():
            return step(within, m, np.clip(g, -rule.value, rule.value), here, p)
        case rules.WeightDecay():
            decay = rule.weight_decay * p["decay"] * m.w * here
            if rule.decoupled:
                return step(within, m, g, here, p) + p["rate"] * decay
            return step(within, m, g + decay, here, p)
        case rules.Momentum():
            u = step(within, m, g, here, p)
            m.v = rule.momentum * m.v + u
            return u + rule.momentum * m.v if rule.nesterov else m.v
        case rules.Admission():
            m.n, before = m.n + here, (m.s, m.z, m.v)
            admitted = (m.n >= rule.occurrences) | (np.arange(len(m.n)) == len(m.n) - 1)
            by = step(within, m, g, here, p)
            m.s, m.z, m.v = (
                np.where(admitted, *each) for each in zip((m.s, m.z, m.v), before, strict=True)
            )
            return np.where(admitted, by, 0.0)
        case rules.Adagrad():
            m.s = m.s + g**2
            return p["rate"] * p["share"] * divided(g, size(rule, m, p))
        case rules.DualAveraging():
            m.s, m.z = m.s + g**2, m.z + p["share"] * g
            return 0.0
        case rules.FTRL():
            sigma = divided(np.sqrt(m.s + g**2) - np.sqrt(m.s), p["lr"])
            m.s, m.z = m.s + g**2, m.z + p["share"] * g - sigma * m.w
            return 0.0
        case _:
            return step(within, m, g, here, p)


def size(rule, m, p):
    """What a gradient is divided by."""
    if getattr(rule, "eps_inside", False):
        return np.sqrt(m.s + p["eps"])
    return np.sqrt(m.s) + getattr(rule, "beta", 0.0) + p["eps"]


def shrunk(rule, m, p):
    """Adagrad: the proximal step."""
    eta = divided(p["rate"], size(rule, m, p))
    return soft(m.w, eta * p["l1"]) / (1.0 + eta * p["l2"])


def averaged_anew(rule, m, p):
    below = size(rule, m, p) + p["rate"] * m.t * p["l2"]
    return -p["rate"] * divided(soft(m.z, m.t * p["l1"]), below)


def followed(rule, m, p):
    return -divided(soft(m.z, p["l1"]), size(rule, m, p) / p["lr"] + p["l2"])


PENALISED = {
    rules.Adagrad: shrunk,
    rules.DualAveraging: averaged_anew,
    rules.FTRL: followed,
}


def soft(x, bound):
    """``x``, moved towards zero by ``bound``."""
    return np.sign(x) * np.maximum(np.abs(x) - bound, 0.0)


def divided(a, b):
    """``a / b``, where nothing is divided by zero: that is a step of 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=np.not_equal(b, 0.0))


def changed(learnt, n_features, rule, **parameters):
    """``learnt`` once its parameters have become these: weights stay."""
    m, links = deepcopy(learnt), chain(rule)
    p = per_feature(links, n_features, **parameters)
    if isinstance(links[-1], rules.DualAveraging):
        eta, bound = rate(links, p, m.t), m.t * p["l1"]
        z = -divided(m.w * (size(links[-1], m, p) + eta * m.t * p["l2"]), eta)
        m.z = np.where(m.w == 0.0, np.clip(m.z, -bound, bound), z - np.sign(m.w) * bound)
    if isinstance(links[-1], rules.FTRL):
        z = -m.w * (size(links[-1], m, p) / p["lr"] + p["l2"]) - np.sign(m.w) * p["l1"]
        m.z = np.where(m.w == 0.0, np.clip(m.z, -p["l1"], p["l1"]), z)
    return m
