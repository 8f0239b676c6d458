"""The command, as a shell runs it."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from common import PACKAGE

from sklearn_adagrad import FieldHasher, load
from sklearn_adagrad.command import main

CLICKS = PACKAGE.parent / "examples" / "data" / "clicks.csv.gz"
TRAIN = ["train", CLICKS, "--target", "clicked", "--field", "price=log", "--bits", "16"]


def run(capsys, *arguments):
    """The exit code, and what was written to standard output and error."""
    code = main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def start(*arguments, **more):
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent), "COLUMNS": "80"}
    return subprocess.Popen(
        [sys.executable, "-m", "sklearn_adagrad", *map(str, arguments)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


@pytest.fixture
def model(tmp_path):
    return tmp_path / "model"


def test_train_predict_inspect(capsys, model, tmp_path):
    code, out, err = run(capsys, *TRAIN, "-m", model, "--cross", "site,device", "--lr", "0.2",
                         "--batch-size", "1/128")  # fmt: skip
    assert (code, out) == (0, "")
    assert err.splitlines()[-1].split()[0] == "5,000"
    assert os.listdir(tmp_path) == ["model"]
    pipeline = load(model)
    assert pipeline[-1].t_ == 5000
    assert pipeline[-1].batch_size == 1 / 128
    row = {"site": "site1.com", "device": "phone", "user": "u1", "ad": "ad7", "price": "0.5"}
    assert pipeline.predict_proba(row).shape == (1, 2)

    code, out, err = run(capsys, "predict", CLICKS, "-m", model)
    assert code == 0
    assert err.startswith("5,000 rows: log loss 0.40")
    chances = np.array(out.split(), float)
    assert chances.shape == (5000,)
    for kind, kept in (("label", lambda p: p > 0.5), ("score", lambda p: np.log(p / (1 - p)))):
        to = tmp_path / "predicted"
        assert run(capsys, "predict", CLICKS, "-m", model, "--output-kind", kind, "-o", to)[0] == 0
        np.testing.assert_allclose(np.loadtxt(to), kept(chances), atol=1e-4)

    code, out, err = run(capsys, "inspect", model, "--sample", CLICKS, "--top", "3")
    assert (code, err) == (0, "")
    assert "rows learnt:      5,000" in out
    assert "interactions:     [('site', 'device')]" in out
    assert len(out.split("name\n")[1].splitlines()) == 3
    assert "ad=ad30" in out


FORMATS = {
    "tsv": ("y\ta\tw\n" + "1\tu\t2\n0\tv\t1\n" * 10, ["--target", "y", "--sample-weight", "w"]),
    "csv": ("1,u\n0,v\n" * 10, ["--target", "y", "--names", "y,a"]),
    "vw": ("1 |f a:2 b\n-1 |f c\n" * 10, []),
    "svm": ("1 1:2 3:1\n-1 2:1\n" * 10, ["--bits", "3"]),
    "jsonl": ('{"y": 1, "a": "u"}\n{"y": 0, "a": "v"}\n' * 10, ["--target", "y"]),
    "txt": (("1" + "\t" * 39 + "\n0\t5" + "\t" * 38 + "\n") * 10, ["--format", "criteo"]),
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(capsys, model, tmp_path, suffix):
    text, options = FORMATS[suffix]
    path = tmp_path / f"rows.{suffix}.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert run(capsys, "train", path, "-m", model, *options)[0] == 0
    assert load(model)[-1].lr == "auto"
    code, out, err = run(capsys, "predict", path, "-m", model)
    assert code == 0, err
    first, second, *_ = map(float, out.split())
    assert first > 0.5 > second
    assert err.startswith("20 rows: log loss")
    code, out, err = run(capsys, "inspect", model)
    assert (code, err) == (0, "")
    if suffix not in ("vw", "svm"):
        code, out, err = run(capsys, "inspect", model, "--sample", path)
        assert code == 0, err
        assert "=" in out.split("name\n")[1]
    else:
        assert run(capsys, "inspect", model, "--sample", path)[0] == 1


def test_numbers_and_names(capsys, model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("y,z,a\n" + "10.5,yes,u\n2,no,v\n3,maybe,w\n" * 30)
    how = ["--target", "y", "--regression", "--loss", "poisson", "--lr", "1", "--bits", "8"]
    assert run(capsys, "train", path, "-m", model, *how)[0] == 0
    _, out, err = run(capsys, "predict", path, "-m", model)
    assert float(out.split()[0]) > 5 > float(out.split()[1])
    assert "mean squared error" in err
    assert run(capsys, "predict", path, "-m", model, "--output-kind", "score")[0] == 1
    how = ["--target", "z", "--classes", "yes,no,maybe", "--bits", "8", "--field", "y=number"]
    assert run(capsys, "train", path, "-m", model, *how)[0] == 0
    _, out, _ = run(capsys, "predict", path, "-m", model, "--output-kind", "label")
    assert out.split()[:3] == ["yes", "no", "maybe"]
    assert len(run(capsys, "predict", path, "-m", model)[1].splitlines()[0].split()) == 3
    assert "[yes]" in run(capsys, "inspect", model)[1]


def test_files_without_targets(capsys, model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("y,w,a\n1,1,u\n0,2,v\n")
    how = ["--target", "y", "--sample-weight", "w"]
    assert run(capsys, "train", path, "-m", model, *how)[0] == 0
    path.write_text("a\nu\nv\n")
    code, out, err = run(capsys, "predict", path, "-m", model, "--no-target")
    assert (code, len(out.split()), err) == (0, 2, "")


def test_bad_lines(capsys, model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("y,a\n1,u\n0\nx,v\n0,w\n")
    code, out, err = run(capsys, "train", path, "-m", model, "--target", "y")
    assert (code, out) == (1, "")
    assert err.startswith(f"sklearn-adagrad train: {path}, line 3: 1 fields, not 2")
    assert not model.exists()
    code, out, err = run(capsys, "train", path, "-m", model, "--target", "y", "--skip-bad-lines")
    assert code == 0
    assert "2 bad lines were skipped." in err
    assert "2 bad lines" in run(capsys, "predict", path, "-m", model, "--skip-bad-lines")[2]


MISTAKES = {
    "--target is missing": ["train", "a.csv"],
    "say what it is by --format": ["train", "a.log"],
    "a.csv": ["train", "a.csv", "--target", "y"],
    "--target and --sample-weight are for columns": ["train", "a.vw", "--target", "y"],
    "--names is for csv": ["train", "a.jsonl", "--target", "y", "--names", "a"],
    "write NAME=KIND": ["train", "a.csv", "--target", "y", "--field", "price"],
    "fields['p'] must be": ["train", CLICKS, "--target", "clicked", "--field", "p=big"],
    "lr": ["train", CLICKS, "--target", "clicked", "--lr", "-1"],
    "batch_size": ["train", CLICKS, "--target", "clicked", "--batch-size", "1/0"],
    "not for --regression": ["train", "a.vw", "--regression", "--classes", "1,2"],
    "is no model": ["predict", CLICKS],
    "There are no rows": ["train", os.devnull, "--format", "vw"],
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(capsys, tmp_path, message):
    part, *rest = MISTAKES[message]
    path = tmp_path / "model"
    if part == "predict":
        path.write_text("something else")
    code, out, err = run(capsys, part, *rest, "-m", path)
    assert (code, out) == (2 if "--" in message or "=" in message else 1, "")
    assert err.startswith(f"sklearn-adagrad {part}: ")
    assert message in err
    assert "Traceback" not in err


def test_usage(capsys):
    for arguments in (
        [],
        ["learn"],
        ["train"],
        ["predict", "x"],
        ["train", "x", "-m", "y", "--lr", "z"],
        ["train", "x", "-m", "y", "--batch-size", "1/x"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert capsys.readouterr().err.startswith("usage: sklearn-adagrad")


@pytest.mark.parametrize("part", [[], ["train"], ["predict"], ["inspect"]])
def test_help_fits_a_screen(part, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        main([*part, "--help"])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80


# --- as processes ---------------------------------------------------------------------------------


def test_standard_input_and_pipes(model):
    text = gzip.decompress(CLICKS.read_bytes()).decode()
    how = ["--format", "csv", "--target", "clicked", "--bits", "16", "--report", "none"]
    child = start("train", "-", "-m", model, *how, stdin=subprocess.PIPE)
    assert child.communicate(text) == ("", "")
    assert child.returncode == 0
    child = start("predict", CLICKS, "-m", model)
    assert len(child.stdout.readline()) > 3
    child.stdout.close()  # as head does
    errors = child.stderr.read()
    child.stderr.close()
    assert child.wait() in (0, 1)  # a pipe has room for some lines
    assert "Traceback" not in errors
    assert "Exception" not in errors


def test_ctrl_c_and_resume(model, capsys):
    """Lines come slowly: one process is interrupted, the next goes on, on the same lines."""
    header, *lines = gzip.decompress(CLICKS.read_bytes()).decode().splitlines(keepends=True)
    how = ["--format", "csv", "--target", "clicked", "--bits", "10", "--checkpoint-seconds", "0"]
    child = start("train", "-", "-m", model, *how, stdin=subprocess.PIPE)
    child.stdin.write(header + "".join(lines) * 5)  # more than a chunk
    child.stdin.flush()
    while not model.with_name("model.checkpoint").exists():
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    _, errors = child.communicate()
    assert "Stopped by Ctrl-C after 16,384 rows." in errors
    assert "--resume goes on from" in errors
    assert load(model)[-1].t_ == 16384
    assert run(capsys, "train", CLICKS, "-m", model, *how)[0] == 1  # the checkpoint is there
    child = start("train", "-", "-m", model, *how, "--resume", stdin=subprocess.PIPE)
    assert child.communicate(header + "".join(lines) * 5)[0] == ""
    assert child.returncode == 0
    whole, rows = model.with_name("whole"), model.with_name("rows.csv")
    rows.write_text(header + "".join(lines) * 5)
    assert run(capsys, "train", rows, "-m", whole, *how)[0] == 0
    resumed, wanted = load(model)[-1], load(whole)[-1]
    assert resumed.t_ == wanted.t_ == 25000
    assert (resumed.coef_ == wanted.coef_).all()
    assert resumed.progressive_loss_ == wanted.progressive_loss_


def test_model_of_python_says_so(capsys, model):
    from sklearn_adagrad import AdagradRegressor

    AdagradRegressor(lr=0.1).partial_fit([[1.0]], [1.0]).save(model)
    code, _, err = run(capsys, "inspect", model)
    assert code == 1
    assert "was not saved by sklearn-adagrad train" in err


def test_description_is_json(model, capsys):
    import safetensors

    run(capsys, *TRAIN, "-m", model, "--max-rows", "100")
    with safetensors.safe_open(model, "numpy") as file:
        text = json.loads(file.metadata()["sklearn_adagrad"])
    assert text["format"] == 1


def test_nothing_is_left_behind(capsys, tmp_path):
    path, model = tmp_path / "rows.csv", tmp_path / "model"
    path.write_text("y,a\n")
    assert run(capsys, "train", path, "-m", model, "--target", "y")[0] == 1
    assert os.listdir(tmp_path) == ["rows.csv"]
    path.write_text("y,a\n1,u\n0,v\n")
    for place in (tmp_path, tmp_path / "absent" / "model", os.devnull):
        code, _, err = run(capsys, "train", path, "-m", place, "--target", "y")
        assert code == 1
        assert "is no file" in err or "there is no folder" in err


def test_targets_that_are_there_all_the_same(capsys, model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("y,w,a\n1,1,u\n0,2,v\n")
    how = ["--target", "y", "--sample-weight", "w"]
    assert run(capsys, "train", path, "-m", model, *how)[0] == 0
    plain = run(capsys, "predict", path, "-m", model)[1]
    assert run(capsys, "predict", path, "-m", model, "--no-target")[1] == plain


NOISE = np.random.default_rng(0).bytes(5000)
UNREADABLE = {
    "empty": gzip.compress(b""), "cut off": gzip.compress(NOISE)[:2000],
    "not packed": b"\x1f\x8bnone", "one long field": gzip.compress(b"y,a\n" + b"x" * 2**18),
}  # fmt: skip


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_samples_that_cannot_be_read(capsys, model, tmp_path, content):
    run(capsys, *TRAIN, "-m", model, "--max-rows", "100")
    sample = tmp_path / "sample.csv.gz"
    sample.write_bytes(content)
    code, _, err = run(capsys, "inspect", model, "--sample", sample)
    assert code == 1
    assert "has no rows to take names from" in err


@pytest.mark.skipif(sys.platform == "win32", reason="closes files as shells do elsewhere")
def test_closed_streams(model):
    run_of = f"{sys.executable} -m sklearn_adagrad"
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    train = f"{run_of} train - --format csv --target clicked -m {model} <&-"
    done = subprocess.run(train, shell=True, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Standard input is closed" in done.stderr


def test_what_was_learnt_is_asked_for(capsys, model, tmp_path):
    """Fields that are missing are an error, as are those that are new."""
    path = tmp_path / "rows.csv"
    path.write_text("y,a,b\n1,u,2\n0,v,3\n")
    assert run(capsys, "train", path, "-m", model, "--target", "y", "--resume")[0] == 0
    assert load(model)[0].feature_names_in_.tolist() == ["a", "b"]
    path.write_text("y,a\n1,u\n0,v\n")
    code, _, err = run(capsys, "predict", path, "-m", model)
    assert code == 1
    assert "X has no field 'b', which fit saw" in err
    path.write_text("a,b\nu,2\n")
    assert "--no-target" in run(capsys, "predict", path, "-m", model)[2]
    path.write_text("y,a,b\nyes,u,2\nno,v,3\n")
    err = run(capsys, "train", path, "-m", model, "--target", "y")[2]
    assert "--classes NO,YES" in err


def test_effects_have_the_sign_of_the_hash(capsys, model):
    """The effect of a name is what it adds to the score."""
    run(capsys, *TRAIN, "-m", model)
    out = run(capsys, "inspect", model, "--sample", CLICKS, "--top", "40")[1]
    hasher, learnt = load(model)
    plain, checked = FieldHasher(hasher.n_features, dtype=np.float32), 0
    for line in out.split("name\n")[1].splitlines():
        effect, name = line.split()[3:5]
        field, value = name.split("=")
        added = plain.transform([{field: value}]) @ learnt.coef_[0]
        assert float(effect) == pytest.approx(added[0], rel=1e-3)
        checked += float(effect) < 0 < float(line.split()[1])
    assert checked > 0  # the sign is not that of the weight
