"""What the examples share: the option that says where the picture goes, and writing it."""

import argparse
import tempfile
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

matplotlib.use("Agg")


def add_picture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--picture",
        type=writable,
        metavar="PATH",
        help="where the picture goes (a new folder for temporary files)",
    )


def writable(path: str) -> Path:
    """The path, if it has a folder: nobody should learn of that after minutes."""
    if not Path(path).parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {Path(path).parent}")
    return Path(path)


def save(figure: Figure, name: str, path: Path | None) -> None:
    if path is None:
        path = Path(tempfile.mkdtemp(prefix="sklearn_adagrad_")) / name
    figure.savefig(path, dpi=150)
    print(f"Picture: {path}")
