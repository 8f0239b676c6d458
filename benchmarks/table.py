"""Records become a Markdown table, and their targets a column of it or a list of their own."""

_HEADINGS = {
    "data": "data",
    "dtype": "dtype",
    "case": "case",
    "contestant": "contestant",
    "seconds": "median",
    "range": "min - max",
    "rows": "rows",
    "rows_per_second": "rows/s",
    "nonzeros_per_second": "M non-zeros/s",
    "ratio": "ratio to ours",
    "predicted": "predicted : true",
    "growth": "2^24 : 2^10 features",
    "allocated": "MB allocated",
    "resident": "MB resident",
    "bytes_per_feature": "bytes per feature",
    "bytes_per_row": "bytes per row",
    "megabytes": "MB on disk",
    "data_bytes_per_row": "a row itself",
    "input_copied": "input copied",
    "setting": "setting",
    "rule": "rule",
    "cv_accuracy": "accuracy, CV",
    "accuracy": "accuracy, test",
    "log_loss": "log loss",
    "loss": "loss",
    "quotient": "ratio",
    "calibration_error": "calibration error",
    "r2": "R2",
    "progressive": "progressive",
    "held_out": "held out",
    "three_passes": "held out, three passes",
    "best": "best model",
    "average": "average",
    "vw": "by accumulators",
    "merged": "merge",
    "chosen": "merge, with rows",
    "rounds_of_dask": "rounds",
    "megabytes_per_million_rows": "MB per million rows",
    "target": "target",
    "measured": "measured",
    "published": "published",
}
_TEXT = ("case", "data", "rule", "dtype", "contestant", "setting")


def render(records, columns, with_targets=True):
    """The table of ``columns``, then a line for each contestant left out.

    ``with_targets`` leaves the column of targets in: it is for those who work on the speed.
    """
    columns = [each for each in columns if with_targets or each != "target"]
    shown = [record for record in records if "skipped" not in record]
    lines = [
        "| " + " | ".join(_HEADINGS[column] for column in columns) + " |",
        "|" + "|".join(" :-- " if column in _TEXT else " --: " for column in columns) + "|",
    ]
    lines += ["| " + " | ".join(_cell(record, each) for each in columns) + " |" for record in shown]
    notes = [f"Left out: {each['contestant']} ({each['skipped']})." for each in records
             if "skipped" in each]  # fmt: skip
    return "\n".join([*lines, *(line for note in notes for line in ("", note))])


def targets(records):
    """A list of the targets, what was measured, and whether they are met."""
    return "\n".join(_judged(record) for record in records if "target" in record)


def _cell(record, column):
    if column == "range" and "min_seconds" in record:
        return f"{seconds(record['min_seconds'])} - {seconds(record['max_seconds'])}"
    if column == "target":
        return (
            _target(record) + (": met" if record["met"] else ": missed") if column in record else ""
        )
    value = record.get(column)
    return "" if value is None else _number(column, value)


def _number(column, value):
    if isinstance(value, str):
        return value
    if column in ("seconds", "difference"):
        return seconds(value)
    if column == "nonzeros_per_second":
        return f"{value / 1e6:.3g}"
    if column in ("allocated", "resident"):
        return f"{value / 1e6:.0f}"
    if column in ("rows", "rows_per_second", "rounds_of_dask"):
        return f"{float(f'{value:.3g}'):,.0f}"
    if column in ("log_loss", "accuracy", "cv_accuracy", "calibration_error"):
        return f"{value:.4f}"
    if column in ("best", "average", "vw", "merged", "chosen"):
        return f"{value:.3f}"
    if column in ("loss", "quotient", "r2", "progressive", "held_out", "three_passes"):
        return f"{value:.4g}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def seconds(value):
    """A duration with three digits and a fitting unit."""
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if abs(value) * factor < 1000:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def _target(record):
    target = record["target"]
    sign, bound = (">=", target["at_least"]) if "at_least" in target else ("<=", target["at_most"])
    return f"{sign} {seconds(bound) if target['field'] == 'seconds' else f'{bound:g}'}"


def _judged(record):
    where = ", ".join(record[each] for each in _TEXT if record.get(each))
    field = record["target"]["field"]
    value, state = _number(field, record[field]), "met" if record["met"] else "**missed**"
    return f"- {where}: {_HEADINGS[field]} {value}, target {_target(record)}, {state}"
