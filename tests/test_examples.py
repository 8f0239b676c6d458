"""The examples: where their pictures go."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
DRAWN = sorted(path.stem for path in (ROOT / "docs" / "images").glob("*.png"))
SHORT = ["--rows", "2500", "--lr", "0.1"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls an example by name, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # many_classes.py sets it

    def called(name, *options):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
        with matplotlib.rc_context():
            importlib.import_module(name).main()

    return called


def test_one_command_draws_every_committed_picture(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    pictures = importlib.import_module("pictures")
    assert sorted([*pictures.EXAMPLES, *pictures.FROM_FILES]) == DRAWN


@pytest.mark.parametrize(
    "example",
    [[name] for name in DRAWN if not name.startswith(("no_tuning", "batches", "scaling"))]
    + [["plot_batches"], ["plot_scaling"], ["plot_rates", "a", "b"]],
)
def test_picture_in_no_folder_is_refused_at_once(example, call, capsys):
    with pytest.raises(SystemExit):
        call(*example, "--picture", "absent/picture.png")
    assert "there is no folder absent" in capsys.readouterr().err


def test_picture_goes_where_it_is_told(call):
    call("click_through", *SHORT, "--picture", "mine.png")
    assert [path.name for path in Path().iterdir()] == ["mine.png"]


def test_the_device_is_told(call, capsys):
    call("devices", "--device", "cpu", "--rows", "600", "--chunk", "250")
    out = capsys.readouterr().out
    assert out.count("cpu") == 2
    assert "by at most 0.0e+00" in out


def test_batches_are_drawn(call, capsys):
    call("plot_batches", "--rows", "600", "--lr", "0.1", "--picture", "mine.png")
    assert [path.name for path in Path().iterdir()] == ["mine.png"]
    assert capsys.readouterr().out.count("600 rows") == 3


def test_scaling_is_drawn(call, capsys):
    call("plot_scaling", "--row", "1e-5", "--picture", "mine.png")
    assert [path.name for path in Path().iterdir()] == ["mine.png"]
    said = capsys.readouterr().out
    assert "10^9 rows, 2^24 features, 10 Gbit/s, 16 workers: 1,149 rounds" in said


def test_picture_goes_to_temporary_files(tmp_path):
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    command = [sys.executable, EXAMPLES / "click_through.py", *SHORT]
    environment = os.environ | {"TMPDIR": str(temporary)}
    said = subprocess.check_output(command, cwd=here, env=environment, text=True)
    (picture,) = temporary.glob("*/click_through.png")
    assert f"Picture: {picture}" in said
    assert not list(here.iterdir())
