"""The optimizers with other systems' names; what they compute is in ``test_golden.py``."""

import inspect

import numpy as np
import pytest

from sklearn_adagrad import optim

PRESETS = [
    optim.pytorch,
    optim.mindspore,
    optim.mxnet1,
    optim.mxnet2,
    optim.downhill,
    optim.puzzlelib,
    optim.keras,
    optim.optax,
]
every_preset = pytest.mark.parametrize("preset", PRESETS, ids=[each.__name__ for each in PRESETS])


def defaults(preset):
    """The options of ``preset``, with a learning rate for that which has no default."""
    parameters = inspect.signature(preset).parameters.values()
    return {
        each.name: 0.5 if each.default is inspect.Parameter.empty else each.default
        for each in parameters
        if each.name != "groups"
    }


@every_preset
def test_groups_have_the_names_of_the_system(preset):
    options = defaults(preset)
    rate = next(name for name in options if name.lower().startswith(("lr", "learn")))
    groups = [{"params": [1]}, {"params": [0], rate: 7.0}]
    optimizer = preset(**options, groups=groups)
    assert [group["lr"] for group in optimizer.groups] == [options[rate], 7.0]
    assert [group["params"] for group in optimizer.groups] == [[1], [0]]


@every_preset
def test_groups_with_unknown_options_are_refused(preset):
    with pytest.raises(ValueError, match="may have"):
        preset(**defaults(preset), groups=[{"params": [0], "power": 2.0}])
    with pytest.raises(ValueError, match="must have 'params'"):
        preset(**defaults(preset), groups=[{}])


@every_preset
def test_state_can_be_moved(preset):
    def learnt(steps, w, state=None):
        optimizer = preset(**defaults(preset))
        if state is not None:
            optimizer.load_state_dict(state)
        for g in steps:
            optimizer.step(w, np.array([g, -g]))
        return optimizer.state_dict()

    whole, parts = np.ones(2), np.ones(2)
    learnt([1.0, 2.0, 3.0], whole)
    learnt([2.0, 3.0], parts, learnt([1.0], parts))
    np.testing.assert_array_equal(whole, parts)


def test_keras_clips_in_one_way():
    with pytest.raises(ValueError, match="Only one"):
        optim.keras(clipnorm=1.0, clipvalue=1.0)
