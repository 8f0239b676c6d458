"""The compiled part: losses, rules, rows and the loop that joins them.

Nothing here allocates, prints or imports anything but numba, numpy, math and its own
neighbours. Every function also runs as plain Python under ``NUMBA_DISABLE_JIT=1``.
"""
