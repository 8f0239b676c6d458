"""Tables go between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; prose stays as it is."""

import re
from pathlib import Path


def check(path, names):
    """Say before hours of measuring, not after, which markers a page lacks."""
    text = Path(path).read_text(encoding="utf-8")
    missing = [name for name in names if not _between(name).search(text)]
    if missing:
        raise SystemExit(f"{path} has no pair of markers for {', '.join(missing)}.")


def write(path, blocks):
    """Replace what stands between the markers of every block."""
    text = Path(path).read_text(encoding="utf-8")
    for name, block in blocks.items():
        text = _between(name).sub(
            lambda found, block=block: f"{found[1]}\n\n{block}\n\n{found[2]}", text
        )
    Path(path).write_text(text, encoding="utf-8")


def _between(name):
    return re.compile(f"(<!-- begin {name} -->).*?(<!-- end {name} -->)", re.DOTALL)
