"""Who hears of the epochs: standard output, and scikit-learn's callbacks."""

from ..model.state import copy_state


class Monitor:
    """Tells of the training of ``estimator`` as it goes on.

    ``fitted`` are the attributes which, with the state, make a copy of the estimator able
    to predict as if training had stopped.
    """

    def __init__(self, estimator, X, y, sample_weight, fitted):
        self._estimator, self._fitted = estimator, fitted
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}

    def begin(self, max_iter):
        self._context = self._estimator._init_callback_context(max_subtasks=max_iter)
        self._context.call_on_fit_task_begin(**self._given)

    def begin_epoch(self):
        return self._context.subcontext(task_name="epoch").call_on_fit_task_begin(**self._given)

    def end_epoch(self, task, line, state):
        """Returns whether a callback asks to stop."""
        self._say(line)
        return self._end(task, state)

    def end(self, state, line=None):
        if line is not None:
            self._say(line)
        self._end(self._context, state)

    def _say(self, line):
        if self._estimator.verbose:
            print(line, flush=True)

    def _end(self, task, state):
        def attributes():  # only asked for by callbacks that want a fitted estimator
            return self._fitted | {"_state": copy_state(state)}

        return task.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes)
