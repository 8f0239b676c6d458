"""What is shown while a stream is learnt: lines at powers of two, or a bar. On standard error."""

import sys

from .._optional import optional

_WIDTH = 10


class Lines:
    """A line of figures each time that the number of rows has doubled, and at the end."""

    def __init__(self):
        self._next, self._metrics, self._last = 1, None, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def learnt(self, n_rows, seconds):
        """Hear that so many rows were learnt by now."""

    def line(self, line, is_last):
        """Hear of a new line of the history."""
        if (line["rows"] < self._next and not is_last) or line["rows"] == self._last:
            return
        self._next, self._last = 2 ** int(line["rows"]).bit_length(), line["rows"]
        metrics = metrics_of(line)
        if metrics != self._metrics:
            self._metrics = metrics
            names = "".join(f"{name.replace('_', ' '):>{2 * _WIDTH}}" for name in metrics)
            parts = "".join(f"{each:>{_WIDTH}}" for _ in metrics for each in ("all", "window"))
            self.say(f"{'':>14}{'':>{_WIDTH}}{names}")
            self.say(f"{'rows':>14}{'rows/s':>{_WIDTH}}{parts}")
        speed = line["rows"] / line["seconds"] if line["seconds"] > 0 else 0.0
        figures = (line[each] for name in metrics for each in (name, f"window_{name}"))
        shown = "".join(f"{value:>{_WIDTH}.4g}" for value in figures)
        self.say(f"{line['rows']:>14,}{speed:>{_WIDTH},.0f}{shown}")

    def say(self, text):
        """Show a sentence."""
        if sys.stderr is not None:  # or it would go to standard output
            print(text, file=sys.stderr, flush=True)


class Bar:
    """A bar with the number of rows, rows a second, and the latest figures. By rich."""

    def __init__(self, n_rows):
        progress, console = optional("rich.progress"), optional("rich.console")
        self._bar = progress.Progress(
            progress.TextColumn("{task.completed:,.0f} rows"), progress.BarColumn(10),
            progress.TextColumn("{task.fields[speed]}"), progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[figures]}"), console=console.Console(stderr=True),
        )  # fmt: skip
        self._task = self._bar.add_task("", total=n_rows, speed="", figures="")

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *error):
        self._bar.stop()

    def learnt(self, n_rows, seconds):
        speed = f"{n_rows / seconds:,.0f} rows/s" if seconds > 0 else ""
        self._bar.update(self._task, completed=n_rows, speed=speed)

    def line(self, line, is_last):
        name = metrics_of(line)[0]  # a bar is narrow
        self._bar.update(self._task, figures=f"{name.replace('_', ' ')} {line[name]:.4g}")

    def say(self, text):
        self._bar.console.print(text)


class Nothing(Lines):
    """No report."""

    def say(self, text):
        pass


def report_of(name, n_rows):
    """The report that a user calls ``name``; ``n_rows`` is how many there will be, if known."""
    if name not in ("lines", "bar", None):
        raise ValueError(f"report must be 'lines', 'bar' or None, got {name!r}.")
    return Bar(n_rows) if name == "bar" else Lines() if name == "lines" else Nothing()


def metrics_of(line):
    """The names of the metrics in a line."""
    return [name.removeprefix("window_") for name in line if name.startswith("window_")]
