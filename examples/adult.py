"""The people of UCI Adult, which come with the examples (see data/README.md)."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Row = tuple[bool, list[str]]  # whether it was clicked, and names


def adult_rows() -> Iterator[Row]:
    """All rows, in an order that was shuffled once."""
    data = Path(__file__).parent / "data"
    packed = [(data / name).read_bytes() for name in ("a9a.xz", "a9a.t.xz")]
    lines = b"".join(map(lzma.decompress, packed)).decode().splitlines()
    for i in np.random.default_rng(0).permutation(len(lines)):
        label, *columns = lines[i].split()
        yield label == "+1", [f"f{column.removesuffix(':1')}" for column in columns]
