"""The loops, for one thread of the processor."""
