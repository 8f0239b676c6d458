"""The compiled part: losses, rules, rows and the loop that joins them.

Nothing here allocates or prints, and besides numba, llvmlite and numpy it imports only the
standard library and its own neighbours. Every function also runs as plain Python under
``NUMBA_DISABLE_JIT=1``.
"""
