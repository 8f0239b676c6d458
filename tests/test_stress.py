"""The stress tests in small; each in a process of its own, which a fault may end."""

import sys

import pytest
from common import run_python

SCRIPT = "import sys, stress; print(dict(getattr(stress, sys.argv[1])(int(sys.argv[2]))))"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no timer that sends a signal")
def test_interrupts_at_random_moments():
    said = run_python("-c", SCRIPT, "interrupts", 800)
    for what in ("partial_fit", "fit", "predict", "pickle"):
        assert f"('{what}', 'interrupted')" in said
    assert "('partial_fit', 'some')" in said


def test_readers_beside_a_learner():
    assert "'between')" in run_python("-c", SCRIPT, "readers", 7)
