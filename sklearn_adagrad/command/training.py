"""Learn rows of files, once and in order, and save the model."""

import contextlib
import os
import sys

import numpy as np
from sklearn.pipeline import Pipeline

from .. import AdagradClassifier, AdagradRegressor, FieldHasher
from ..files import models
from ..files.container import check_place
from ..streams import fit_stream
from . import formats

USAGE = "SOURCE ... -m FILE [options]"
_SAMPLE = 50  # rows that tell the names and types of fields
_SIGNED = {"vw", "svmlight"}  # formats whose labels are -1 and 1 by custom


def add_arguments(parser):
    add = parser.add_argument
    add("source", nargs="+", help="paths, patterns, addresses (s3://...), or - for stdin")
    add("-m", "--model", required=True, metavar="FILE", help="the model, to be saved")
    rows = parser.add_argument_group("rows")
    add = rows.add_argument
    add("--format", choices=formats.NAMES, metavar="NAME", help=", ".join(formats.NAMES))
    add("--target", metavar="COLUMN", help="what is to be predicted")
    add("--sample-weight", metavar="COLUMN", help="the weight of each row")
    add("--names", metavar="A,B,...", help="columns of csv and tsv without a header")
    add("--skip-bad-lines", action="store_true", help="leave them out, and say how many")
    add("--max-rows", type=int, metavar="N", help="learn so many rows only")
    features = parser.add_argument_group("features")
    add = features.add_argument
    add("--bits", type=int, default=22, metavar="N", help="hash to 2**N columns (22)")
    add("--field", action="append", default=[], metavar="NAME=KIND",
        help="category, number, log, words, ignore; repeatable")  # fmt: skip
    add(
        "--cross",
        action="append",
        default=[],
        metavar="A,B",
        help="fields to cross, or all; repeatable",
    )
    model = parser.add_argument_group("model")
    add = model.add_argument
    add("--regression", action="store_true", help="predict numbers, not classes")
    add("--classes", metavar="A,B,...", help="all labels (0,1; -1,1 for vw and svmlight)")
    add("--loss", metavar="NAME", help="log_loss, hinge, ...; squared_error, poisson, ...")
    add(
        "--lr", type=_rate, default="auto", metavar="RATE", help="learning rate (auto: none to set)"
    )
    add("--eps", type=float, default=1e-10, metavar="E", help="added to roots (1e-10)")
    add("--rule", default="adagrad", metavar="NAME", help="adagrad, dual_averaging, ftrl")
    add("--alpha", type=float, default=0.0, metavar="A", help="strength of the penalty (0)")
    add("--l1-ratio", type=float, default=0.0, metavar="SHARE", help="of L1 in it (0)")
    add("--batch-size", type=_batch_size, default=1, metavar="N",
        help="rows learnt together, or 1/N of those learnt so far (1)")  # fmt: skip
    add("--negatives-kept", type=float, default=1.0, metavar="SHARE",
        help="of negative rows in the files (1)")  # fmt: skip
    progress = parser.add_argument_group("progress")
    add = progress.add_argument
    add("--report", choices=("lines", "bar", "none"), default="lines", metavar="HOW",
        help="lines, bar, none")  # fmt: skip
    add("--resume", action="store_true", help="go on from FILE.checkpoint, if it is there")
    add("--checkpoint-seconds", type=float, default=60.0, metavar="S", help="between two (60)")


def _rate(text):
    return text if text == "auto" else float(text)


def _batch_size(text):
    over, sign, under = text.partition("/")
    if sign:
        return int(over) / max(0.5, int(under))  # 1/0 is 2.0: out of range
    return int(text) if text.isdigit() else float(text)


# What argparse calls them in an error.
_rate.__name__, _batch_size.__name__ = "rate", "batch size"


def run(given):
    """Train, and return the exit code."""
    check_place(given.model)
    how = formats.described(given, given.source)
    hasher = FieldHasher(
        2**given.bits, fields=_fields_of(given.field), interactions=_crosses_of(given.cross),
        dtype=np.float32,
    )  # fmt: skip
    names = ("lr", "eps", "rule", "alpha", "l1_ratio", "batch_size")
    settings = {name: getattr(given, name) for name in names}
    settings |= {"loss": given.loss} if given.loss else {}
    classes, target_type = None, float
    if given.regression:
        if given.classes or given.negatives_kept != 1:
            raise formats.UsageError("--classes and --negatives-kept are not for --regression.")
        model = AdagradRegressor(**settings)
    else:
        default = "-1,1" if how["format"] in _SIGNED else "0,1"
        classes, target_type = _labels_of(given.classes or default)
        model = AdagradClassifier(**settings, negatives_kept=given.negatives_kept)
    reader = formats.reader_of(
        how, given.source, hasher, target_type=target_type, skip=given.skip_bad_lines
    )
    if how["format"] in formats.WITH_HEADERS and given.source[0] != "-":  # others may vary
        with contextlib.suppress(ValueError):  # the reader will say what is wrong, and where
            hasher.fit(formats.table_of(given.source[0], how, _SAMPLE))
    checkpoint = f"{given.model}.checkpoint"
    if given.resume and not os.path.exists(checkpoint):
        print(f"There is no {checkpoint}: training begins anew.", file=sys.stderr)
    history = fit_stream(
        model, reader, classes=classes, max_rows=given.max_rows,
        report=None if given.report == "none" else given.report, checkpoint=checkpoint,
        checkpoint_seconds=given.checkpoint_seconds, resume=given.resume,
    )  # fmt: skip
    if reader.n_bad_lines:
        print(f"{reader.n_bad_lines:,} bad lines were skipped.", file=sys.stderr)
    if history.n_rows == 0:
        os.remove(checkpoint)
        if history.interrupted:
            return 130
        raise ValueError(f"There are no rows in {', '.join(given.source)}.")
    steps = [("model", model)]
    if how["format"] != "svmlight":
        steps.insert(0, ("hasher", hasher))
    models.write(given.model, Pipeline(steps), more={"rows": how})
    if history.interrupted:
        print(
            f"{given.model} has the model so far; --resume goes on from {checkpoint}.",
            file=sys.stderr,
        )
        return 130
    os.remove(checkpoint)
    return 0


def _fields_of(options):
    fields = {}
    for option in options:
        name, sign, kind = option.rpartition("=")
        if not sign or kind == "quantiles":
            raise formats.UsageError(
                f"--field {option}: write NAME=KIND, where KIND is category, number, log, words or "
                "ignore. (Quantiles have to be learnt from a sample, in Python.)"
            )
        fields[name] = kind
    return fields or None


def _crosses_of(options):
    return "all" if options == ["all"] else [tuple(option.split(",")) for option in options]


def _labels_of(text):
    """The labels in a text, and whether they are numbers or names."""
    labels = text.split(",")
    try:
        numbers = [float(label) for label in labels]
        whole = all(number.is_integer() for number in numbers)
        return [int(number) for number in numbers] if whole else numbers, float
    except ValueError:
        return labels, str
