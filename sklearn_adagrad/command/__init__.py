"""The command ``sklearn-adagrad``: train, predict and inspect, on files or standard input."""

import argparse
import os
import sys
import warnings
from functools import partial

from . import formats, inspection, prediction, training

_PARTS = {"train": training, "predict": prediction, "inspect": inspection}
# What errors of the package mean here.
_HINTS = {
    "target_type=float": "Labels that are names: --classes NO,YES.",
    "is not one of the classes": "Here: --classes A,B,...",
    "resume=True": "Here: --resume.",
    "is no column": "Without targets: --no-target, to predict.",
}
_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C has ended


def main(arguments=None):
    """Run the command with these arguments, those of the process by default; its exit code."""
    parser = argparse.ArgumentParser(
        "sklearn-adagrad",
        formatter_class=partial(argparse.HelpFormatter, width=80),
        description="Linear models with a learning rate for every feature, from files.",
        epilog="sklearn-adagrad train --help, and so on, has the options.",
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="{train,predict,inspect}")
    for name, part in _PARTS.items():
        said = part.__doc__.splitlines()[0]
        part.add_arguments(
            parts.add_parser(
                name, help=said, description=said, usage=f"%(prog)s {part.USAGE}",
                formatter_class=partial(argparse.HelpFormatter, max_help_position=30, width=80),
            )
        )  # fmt: skip
    given = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _PARTS[given.part].run(given) or 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except formats.UsageError as error:
        _say(f"sklearn-adagrad {given.part}: {error}")
        return 2
    except (ArithmeticError, ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        hints = [hint for said, hint in _HINTS.items() if said in str(error)]
        _say(" ".join([f"sklearn-adagrad {given.part}: {error}", *hints]))
        return 1


def _show_warning(message, *where, **more):
    _say(f"sklearn-adagrad: {message}")


def _say(text):
    if sys.stderr is not None:
        print(text, file=sys.stderr)
