"""Random problems for hypothesis: settings of a model, and rows for it to learn."""

import numpy as np
from common import LOSSES, random_rows, random_targets, stream
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_adagrad import AdagradClassifier

CLASS_WEIGHTS = (None, {0: 0.5, 1: 3.0}, {1: 0.0}, "balanced")
# How many outputs there are besides one: they fill vectors of eight heads and of four, and do not.
MANY = (2, 3, 5, 8, 13)


@st.composite
def problems(draw, losses=tuple(LOSSES)):
    """A model that has seen nothing, and what ``learn`` needs to teach it."""
    estimator, loss = draw(st.sampled_from(losses))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_features = draw(st.integers(3, 40)), draw(st.integers(1, 70))
    many = MANY if loss in ("log_loss", "squared_error") else ()  # each kernel takes seconds
    n_outputs = draw(st.sampled_from([1, *many]))
    is_matrix = n_outputs > 1 and (estimator is not AdagradClassifier or draw(st.booleans()))
    n_classes = max(2, min(n_rows // 3, n_outputs))  # more would look like numbers
    X = random_rows(rng, n_rows, n_features, draw(st.sampled_from([0.05, 0.3, 1.0])))
    X = X.astype(draw(st.sampled_from([np.float64, np.float32])))
    if is_matrix:
        columns = [random_targets(rng, estimator, loss, n_rows) for _ in range(n_outputs)]
        y = np.stack(columns, axis=1)
    else:
        y = random_targets(rng, estimator, loss, n_rows, n_classes)
    weights = None
    if draw(st.booleans()):
        weights = rng.choice([0.0, 0.3, 1.0, 2.5], n_rows)
        # fit wants one that is not zero, whatever the class weights
        weights[0 if is_matrix else y.argmin()] = 1.0
    model = estimator(
        loss,
        lr=draw(st.sampled_from([0.05, 0.3])),
        eps=draw(st.sampled_from([0.0, 1e-10, 0.1])),
        lr_decay=draw(st.sampled_from([0.0, 0.01])),
        initial_accumulator_value=draw(st.sampled_from([0.0, 0.1])),
        fit_intercept=draw(st.booleans()),
    )
    if estimator is AdagradClassifier:
        if not is_matrix:
            model.class_weight = draw(st.sampled_from(CLASS_WEIGHTS))
        if loss == "log_loss":
            model.multi_class = draw(st.sampled_from(["ovr", "multinomial"]))
    return {
        "model": model,
        "X": X,
        "y": y,
        "sample_weight": weights,
        "classes": range(n_outputs if is_matrix else n_classes),
    }


def learn(problem, parts=None, **changes):
    """A copy of the problem's model after its rows, cut into ``parts`` if there are any."""
    problem = problem | changes
    return stream(clone(problem.pop("model")), parts=parts, **problem)


def fit(problem, **parameters):
    """A copy of the problem's model with other parameters, fitted to its rows."""
    model = clone(problem["model"]).set_params(**parameters)
    return model.fit(problem["X"], problem["y"], sample_weight=problem["sample_weight"])
