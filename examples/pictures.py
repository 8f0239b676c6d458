"""Draw the pictures of the documentation anew, in docs/images.

    python examples/pictures.py                             # all six: about six minutes
    python examples/pictures.py click_through search_rates  # only these
    python examples/pictures.py --texts texts.jsonl.gz      # the 20 newsgroups, not downloaded

Each is drawn by the example of its name with nothing but its defaults, in a process of its own. The
file of texts is one of those that text_pipeline.py reads. many_classes shows seconds and wants a
machine that does nothing else; the others come out the same wherever the arithmetic does.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from text_pipeline import FOUR

EXAMPLES = [
    "click_through", "click_stream", "text_pipeline", "many_classes", "search_rates",
    "sparse_models",
]  # fmt: skip
HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"


def draw(name: str, options: list[str]) -> bool:
    """Whether the example succeeded."""
    print(f"\n{name}", flush=True)
    command = [sys.executable, HERE / f"{name}.py", *options, "--picture", IMAGES / f"{name}.png"]
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXAMPLES)}; all")
    parser.add_argument("--texts", type=Path, help="the 20 newsgroups, for text_pipeline")
    args = parser.parse_args()
    if unknown := set(args.names) - set(EXAMPLES):
        parser.error(f"there is no example {', '.join(sorted(unknown))}")
    options = {"text_pipeline": [args.texts, "--categories", *FOUR] if args.texts else []}
    failed = [each for each in args.names or EXAMPLES if not draw(each, options.get(each, []))]
    if failed:
        sys.exit(f"\nNot drawn: {', '.join(failed)}")


if __name__ == "__main__":
    main()
