"""``python -m sklearn_adagrad``: the command, where it is not on the path."""

import sys

try:
    from .command import main

    sys.exit(main())
except KeyboardInterrupt:  # while modules are imported
    sys.exit(130)
