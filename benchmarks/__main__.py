"""The command line: run benchmarks, print JSON lines, then tables.

Standard output carries one JSON object per line and nothing else; the tables for people go to
standard error. ``--markdown`` prints only the tables, on standard output. ``--write PAGE``
puts them, without the targets, between the markers of a Markdown page and leaves its prose alone;
``--targets PAGE`` does the same with lists of the targets.
"""

import argparse
import json
import sys
import time

from . import machine, page, registry, table
from .options import Options


def main():
    """Run the benchmarks that the command line names."""
    arguments = _parse()
    if not arguments.names:
        print("python -m benchmarks NAME [NAME ...], or all:")
        for name in registry.NAMES:
            print(f"  {name:15} {registry.load(name).__doc__.splitlines()[0]}")
        return
    names = registry.NAMES if "all" in arguments.names else arguments.names
    options = Options(*(getattr(arguments, name) for name in Options._fields))
    if arguments.write:
        page.check(arguments.write, ["machine", *names])
    about = machine.describe(options)
    printed, tables, targets = [about], {"machine": about}, {}
    for name in names:
        columns, records = _run(name, options, quiet=arguments.markdown)
        printed.append(table.render(records, columns))
        tables[name] = table.render(records, columns, with_targets=False)
        if any("target" in record for record in records):
            targets[name] = table.targets(records)
        if arguments.write:  # now, so that an interrupted run keeps what it measured
            page.write(arguments.write, tables)
        if arguments.targets:
            page.write(arguments.targets, targets)
    print("\n\n".join(printed), file=sys.stdout if arguments.markdown else sys.stderr)


def _parse():
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; none: list them")
    parser.add_argument("--rounds", type=int, help="timed runs of each contestant")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the rows, for a quick look (say 0.02)"
    )
    parser.add_argument("--adult", metavar="FILE", help="Adult as libsvm rows (a9a)")
    parser.add_argument("--newsgroups", metavar="FILE", help="20 newsgroups")
    parser.add_argument("--criteo", metavar="FILE", help="Criteo-format clicks, for published")
    parser.add_argument(
        "--data", metavar="FOLDER", help="real data, for no_tuning, batches, merging"
    )
    parser.add_argument("--markdown", action="store_true", help="print only the tables")
    parser.add_argument("--write", metavar="PAGE", help="also put the tables into this page")
    parser.add_argument("--targets", metavar="PAGE", help="and the targets into this one")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {"all", *registry.NAMES}
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return arguments


def _run(name, options, quiet):
    """Run one benchmark and return its columns and its records."""
    module = registry.load(name)
    began = time.perf_counter()
    records = []
    for record in module.run(options):
        records.append({"benchmark": name, **record})
        if not quiet:
            print(json.dumps(records[-1]), flush=True)
    print(f"{name}: {time.perf_counter() - began:.0f} s in all", file=sys.stderr)
    return module.COLUMNS, records


if __name__ == "__main__":
    main()
