"""Draw the pictures of the documentation anew, in docs/images.

    python examples/pictures.py                             # eight of them: about seven minutes
    python examples/pictures.py click_through search_rates  # only these
    python examples/pictures.py --texts texts.jsonl.gz      # the 20 newsgroups, not downloaded
    python examples/pictures.py --texts texts.jsonl.gz --clicks train.tsv   # all ten

Each is drawn by the example of its name (batches by plot_batches.py, scaling by plot_scaling.py)
with nothing but its defaults, in a process of its own; the two of plot_rates.py only where files of
clicks (in Criteo's format) and of texts are named. The latter is one of those that text_pipeline.py
reads. many_classes shows seconds and wants a machine that does nothing else; the others come out
the same wherever the arithmetic does.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from text_pipeline import FOUR

EXAMPLES = [
    "click_through", "click_stream", "text_pipeline", "many_classes", "search_rates",
    "sparse_models", "batches", "scaling",
]  # fmt: skip
DRAWN_BY = {
    "batches": "plot_batches", "scaling": "plot_scaling",
    "no_tuning": "plot_rates", "no_tuning_readme": "plot_rates",
}  # fmt: skip
FROM_FILES = {"no_tuning": [], "no_tuning_readme": ["--small"]}
HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"


def draw(name: str, options: list) -> bool:
    """Whether the example succeeded."""
    print(f"\n{name}", flush=True)
    example = DRAWN_BY.get(name, name)
    picture = IMAGES / f"{name}.png"
    command = [sys.executable, HERE / f"{example}.py", *options, "--picture", picture]
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [*EXAMPLES, *FROM_FILES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all")
    parser.add_argument("--texts", type=Path, help="the 20 newsgroups")
    parser.add_argument("--clicks", type=Path, help="Criteo-format file, for no_tuning")
    args = parser.parse_args()
    if unknown := set(args.names) - set(known):
        parser.error(f"there is no example {', '.join(sorted(unknown))}")
    options = {"text_pipeline": [args.texts, "--categories", *FOUR] if args.texts else []}
    if args.texts and args.clicks:
        options |= {name: [args.clicks, args.texts, *more] for name, more in FROM_FILES.items()}
    elif asked := set(args.names) & set(FROM_FILES):
        parser.error(f"{', '.join(sorted(asked))}: name files by --clicks and --texts")
    names = args.names or [each for each in known if each in EXAMPLES or each in options]
    failed = [each for each in names if not draw(each, options.get(each, []))]
    if failed:
        sys.exit(f"\nNot drawn: {', '.join(failed)}")


if __name__ == "__main__":
    main()
