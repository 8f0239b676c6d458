"""What is known of a stream that was learnt: a line of figures for each window."""

import numpy as np

from .._optional import optional


class History:
    """How well rows of a stream were predicted, each just before it was learnt.

    Made by :func:`fit_stream`. A line of its table has the figures of all rows so far, and under
    ``window_...`` of those since the line before.

    Attributes
    ----------
    columns : list of str
        Names of the columns: ``"rows"`` (how many were seen up to there), ``"seconds"`` (since the
        beginning, without what passed between an interrupt and its resumption), the metrics, and
        these of the window.
    n_rows : int
        How many rows were seen, those of weight zero too.
    interrupted : bool
        Whether Ctrl-C ended it before the stream did.

    See Also
    --------
    sklearn_adagrad.plotting.ProgressDisplay : Draws it.
    """

    def __init__(self):
        self.n_rows, self.interrupted, self._lines = 0, False, []

    def __repr__(self):
        last = self._lines[-1] if self._lines else {}
        figures = ", ".join(
            f"{name}={value:.4g}"
            for name, value in last.items()
            if not name.startswith("window_") and name not in ("rows", "seconds")
        )
        return f"History({self.n_rows:,} rows{', ' + figures if figures else ''})"

    def __len__(self):
        return len(self._lines)

    def __getitem__(self, name):
        """The column ``name``, an array with an entry for each line."""
        if name not in self.columns:
            raise KeyError(f"{name!r} is no column; the columns are {self.columns}")
        kind = np.int64 if name == "rows" else np.float64
        return np.array([line.get(name, np.nan) for line in self._lines], kind)

    @property
    def columns(self):
        return list(dict.fromkeys(name for line in self._lines for name in line))

    def to_dict(self):
        """The table as arrays by the names of its columns.

        Returns
        -------
        columns : dict of str to ndarray of shape (n_lines,)
            NaN where a figure needs rows that there were not, of both classes for instance.
        """
        return {name: self[name] for name in self.columns}

    def to_pandas(self):
        """The table as a ``pandas.DataFrame``, which needs pandas.

        Returns
        -------
        table : pandas.DataFrame
            A row for each line.
        """
        return optional("pandas").DataFrame(self.to_dict())
