"""What is wrong with compiled code on disk costs a warning and a compilation, never an error."""

import errno
import os
import pickle
import warnings
from pathlib import Path

import pytest
from numba import config
from numba.core import event

from sklearn_adagrad.arithmetic import cache, jit

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


def double(x):
    return 2.0 * x


def fresh():
    """A kernel as another process would have it."""
    return jit._kept.__wrapped__(double, (__name__,))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the code of ``double``."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_warned", set())
    assert fresh()(1.5) == 3.0
    assert run() == 0
    return tmp_path


def run():
    """How often ``double`` had to be compiled."""
    with event.install_recorder("numba:compile") as recorder:
        assert fresh()(1.5) == 3.0
    return len(recorder.buffer) // 2


def files(folder, ending):
    return [each for each in folder.rglob("*") if each.name.endswith(ending)]


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_bytes(b"\x80\x05 this is not ours")


def other_content(path):
    path.write_bytes(pickle.dumps("numba") + pickle.dumps(["not", "what", "was", "written"]))


@pytest.mark.parametrize("damage", [truncated, emptied, foreign])
@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_damaged_files(folder, ending, damage):
    (path,) = files(folder, ending)
    damage(path)
    with pytest.warns(RuntimeWarning, match="cannot be read.*NUMBA_CACHE_DIR") as seen:
        assert run() == 1
    assert len(seen) == 1
    with warnings.catch_warnings(action="error"):
        assert run() == 1  # said once in a process


def test_an_index_of_another_version_is_made_anew(folder):
    other_content(files(folder, ".nbi")[0])
    assert run() == 1
    assert run() == 0


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_that_cannot_be_written(tmp_path, monkeypatch, error):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_warned", set())

    def full(source, target):
        raise OSError(error, os.strerror(error), target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        assert run() == 1
    assert not files(tmp_path, ".nbi")


def test_names_hold_the_digest_of_all_that_is_imported(monkeypatch):
    """An edit of one source renames the kernels that depend on it, and no others."""
    kernels = {
        "plain": ("sklearn_adagrad.engines.cpu.one_head", "sklearn_adagrad.formulas.rules"),
        "penalised": ("sklearn_adagrad.engines.cpu.one_head", "sklearn_adagrad.formulas.penalty"),
        "inspect": ("sklearn_adagrad.engines.cpu.rows",),
        "huber": ("sklearn_adagrad.engines.cpu.losses", "sklearn_adagrad.formulas.losses"),
    }
    before = {name: cache._digest.__wrapped__(each) for name, each in kernels.items()}
    source = cache._source.__wrapped__

    def changed(edited):
        monkeypatch.setattr(
            cache, "_source", lambda name: source(name) + ("#" if name.endswith(edited) else "")
        )
        after = {name: cache._digest.__wrapped__(each) for name, each in kernels.items()}
        return {name for name in kernels if after[name] != before[name]}

    assert changed("formulas.penalty") == {"penalised"}
    assert changed("formulas.losses") == {"huber"}
    assert changed("formulas.rules") == {"plain", "penalised"}
    assert changed("arithmetic.lanes") == set(kernels)
    assert changed("arithmetic.times") == {"penalised"}
    assert changed("estimators.base") == set()


def test_every_import_within_the_package_is_seen():
    path = Path(jit.__file__).parents[1] / "engines" / "cpu" / "one_head.py"
    seen = set(cache._imported("sklearn_adagrad.engines.cpu.one_head", path.read_text()))
    assert {
        "sklearn_adagrad.arithmetic.jit",
        "sklearn_adagrad.formulas.rules",
        "sklearn_adagrad.engines.cpu.records",
        "sklearn_adagrad.engines.cpu.judge",
    } <= seen
    source = "from . import (\n    heads as x,\n)"
    seen = set(cache._imported("sklearn_adagrad.engines.cpu.engine", source))
    assert "sklearn_adagrad.engines.cpu.heads" in seen
