"""How far a call has come, in a checkpoint, so that another can go on from there."""

import warnings


class Journal:
    """Writes what becomes of ``model`` in a ``course`` of passes, if there is a ``checkpoint``."""

    def __init__(self, checkpoint, course, model):
        self._checkpoint, self._course, self._model = checkpoint, course, model
        self._last = None

    def resumed(self):
        """The places to go on from, if the checkpoint has any; model and course are as it says."""
        if self._checkpoint is None or not self._checkpoint.is_begun:
            return None
        saved = self._checkpoint.read()
        self._checkpoint.restore()
        self._course.progress = saved["course"]
        if saved["is_over"]:
            warnings.warn(
                f"All blocks were done when {self._checkpoint.path!r} was written: nothing is "
                "learnt. Name another file for other rows.",
                stacklevel=4,
            )
        return saved["places"]

    def begins(self, places):
        """Take note of where a pass begins; those of the pass before are over."""
        is_fitted = self._model.__sklearn_is_fitted__()
        self._last = (places, self._model.t_) if is_fitted else None

    def learnt(self, places):
        """Take note of the places after a round."""
        self._last = places, self._model.t_
        if self._checkpoint is not None and self._checkpoint.is_due:
            self._write(places)

    def interrupted(self):
        """Write where the last round ended, if nothing was learnt since."""
        if self._checkpoint is None or self._course.order is None or self._last is None:
            return
        places, t = self._last
        if self._model.t_ == t:
            self._write(places)

    def ended(self):
        if self._checkpoint is not None:
            self._write(None, is_over=True)

    def _write(self, places, is_over=False):
        progress = {"course": self._course.progress, "places": places, "is_over": is_over}
        self._checkpoint.write(progress)
