"""Records become a Markdown table, and every missed target a sentence below it."""

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
    "growth": "2^24 : 2^10 features",
    "allocated": "MB allocated",
    "resident": "MB resident",
    "bytes_per_feature": "bytes per feature",
    "bytes_per_row": "bytes per row",
    "data_bytes_per_row": "a row itself",
    "input_copied": "input copied",
    "setting": "setting",
    "cv_accuracy": "accuracy, CV",
    "accuracy": "accuracy, test",
    "log_loss": "log loss",
    "target": "target",
    "measured": "measured",
    "published": "published",
}
_TEXT = ("case", "data", "dtype", "contestant", "setting")


def render(records, columns):
    """The table of ``columns``, then a line for each contestant left out or target missed."""
    shown = [record for record in records if "skipped" not in record]
    lines = [
        "| " + " | ".join(_HEADINGS[column] for column in columns) + " |",
        "|" + "|".join(" :-- " if column in _TEXT else " --: " for column in columns) + "|",
    ]
    lines += ["| " + " | ".join(_cell(record, each) for each in columns) + " |" for record in shown]
    notes = [f"Left out: {each['contestant']} ({each['skipped']})." for each in records
             if "skipped" in each]  # fmt: skip
    notes += [_missed(record) for record in shown if record.get("met") is False]
    return "\n".join([*lines, *(line for note in notes for line in ("", note))])


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
    if column in ("rows", "rows_per_second"):
        return f"{float(f'{value:.3g}'):,.0f}"
    if column in ("log_loss", "accuracy", "cv_accuracy"):
        return f"{value:.4f}"
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


def _missed(record):
    where = ", ".join(record[each] for each in _TEXT if each in record)
    field = record["target"]["field"]
    what = _HEADINGS[field]
    return (
        f"Missed: {where}: {what} is {_number(field, record[field])}, the target {_target(record)}."
    )
