"""What the command line decides for all benchmarks."""

from typing import NamedTuple


class Options(NamedTuple):
    """How much to run."""

    rounds: int | None = None  # None: as many as the benchmark itself thinks fit
    scale: float = 1.0  # share of the rows; figures count only at 1
    adult: str | None = None  # file with the Adult data
    newsgroups: str | None = None  # file with the 20 newsgroups, as JSON lines
    criteo: str | None = None  # file with clicks, as in the Criteo challenge
    data: str | None = None  # folder with the files of ``real``

    def rows(self, full):
        """``full`` rows, scaled down for a quick look."""
        return max(1000, int(full * self.scale))
