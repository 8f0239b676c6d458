"""A fresh Python process for what a process can measure only once."""

import json
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def probe(name, *arguments, **environment):
    """What ``benchmarks/probes/NAME.py`` prints, which is JSON."""
    command = [sys.executable, "-m", f"{__package__}.probes.{name}", *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)
