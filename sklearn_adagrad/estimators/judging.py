"""How much states of a model lose on rows that they do not learn."""

from .training import Problem


def judged_by(model, X, y, sample_weight):
    """A function that says what a state loses on these rows in all, and the weights of the rows.

    By the processor, as all that is known of a model: whoever has learnt it.
    """
    model = model._at_once()
    model.device = "cpu"
    rows, n_features, max_abs, y, weights = model._checked(X, y, sample_weight, model._dtype)
    model._check_width(n_features)
    known = vars(model)
    weights = model._weigh(y, weights, known)
    problem = Problem(rows, model._targets(y, known), weights, max_abs)
    model._check_outputs(problem.targets)
    loss = model._loss_for(known)

    def lost(state):
        return float(model._losses_of(problem, loss, model._bound, state).sum())

    return lost, weights
