"""Whole models: written to a file, and read from it."""

import json
from importlib.metadata import version

from sklearn.pipeline import Pipeline

from . import container
from .values import Decoder, Encoder, type_name

FORMAT = 1


def write(path, model, *, serving=False, more=None):
    """Write ``model`` to the file at ``path``, and ``more``, a dict of values by name.

    ``serving`` leaves out what only learning needs.
    """
    encoder = Encoder(serving)
    if isinstance(model, Pipeline):
        described = _described_pipeline(model, encoder)
    elif hasattr(model, "_described"):
        described = encoder.encode(model, "model")
    else:
        raise TypeError(
            f"{model!r} cannot be saved: only estimators of this package, and pipelines of them. "
            "Pickle or skops save all kinds of models."
        )
    text = {
        "format": FORMAT,
        "written_by": version("sklearn-adagrad"),
        "model": described,
        **{name: encoder.encode(value, name) for name, value in (more or {}).items()},
    }
    container.write(path, json.dumps(text, allow_nan=False), encoder.arrays)


def read(path, types, names=("model",)):
    """The values called ``names`` in the file at ``path``, None for one that is not there.

    ``types`` are the classes that it may be made of, those of this package by their names.
    """
    text, array = container.read(path)
    decoder = Decoder({type_name(each): each for each in types} | {"Pipeline": _Pipeline}, array)
    try:
        text = json.loads(text)
        if text["format"] != FORMAT:
            raise ValueError(
                f"it is of format {text['format']!r}, written by sklearn_adagrad "
                f"{text['written_by']}, and this version reads format {FORMAT}"
            )
        return [decoder.decode(text.get(name)) for name in names]
    except MemoryError:
        raise
    except Exception as error:  # whatever a text that makes no sense leads to
        reason = f"{type(error).__name__} of {error}" if isinstance(error, LookupError) else error
        raise ValueError(f"{path!r} cannot be loaded: {reason}.") from error


def described(path):
    """What the file at ``path`` says of itself, as JSON has it."""
    return json.loads(container.read(path)[0])


def _described_pipeline(model, encoder):
    for name, step in model.steps:
        if not hasattr(step, "_described"):
            raise TypeError(
                f"Step {name!r} of the pipeline, {step!r}, cannot be saved: only estimators of "
                "this package. Pickle or skops save all kinds of models."
            )
    return {
        "type": "Pipeline",
        "verbose": bool(model.verbose),
        "steps": [[name, encoder.encode(step, name)] for name, step in model.steps],
    }


class _Pipeline:
    """What ``read`` makes a pipeline of."""

    @staticmethod
    def _restored(item, decoder):
        steps = [(str(name), decoder.decode(step)) for name, step in item["steps"]]
        return Pipeline(steps, verbose=bool(item["verbose"]))
