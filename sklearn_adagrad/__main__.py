"""``python -m sklearn_adagrad``: the command, where it is not on the path."""

import sys

from .command import main

sys.exit(main())
