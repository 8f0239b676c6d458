"""What the figures were measured on: without it they mean nothing."""

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "sklearn-adagrad",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "llvmlite",
    "vowpalwabbit",
    "river",
    "torch",
)


def describe(options):
    """A few lines of Markdown: day, processor, system, versions, and whether it was quiet."""
    lines = [
        f"Measured on {datetime.date.today().isoformat()}, one thread.",
        f"Machine: {_processor()}, {os.cpu_count()} cores, caches {_caches()}, "
        f"{platform.system()} {platform.release()}.",
        f"Versions: Python {platform.python_version()}, "
        + ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
        + ".",
    ]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.3:
        lines.append(f"Provisional: other work was running (load average {load:.1f} at the start).")
    if options.scale != 1:
        lines.append(f"Provisional: run on {options.scale:g} of the rows.")
    return "\n".join(f"* {line}" for line in lines)


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _caches():
    """Size of every level that holds data, as Linux tells it."""
    levels = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (folder / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            levels[level] = size
    return ", ".join(f"L{level} {size}" for level, size in levels.items()) or "unknown"


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
