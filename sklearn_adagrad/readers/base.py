"""What all readers share: chunks of rows, made ahead of the learner, and kept for the next time."""

import contextlib
from numbers import Integral

import numpy as np

from ..hashing.hasher import FieldHasher
from .ahead import run_ahead
from .cache import cached
from .sources import COMPRESSIONS, open_source, sources_of

_BAD_LINES = ("error", "skip")


class Chunk:
    """Rows on their way to be a chunk, with their targets and weights."""

    def __init__(self, builder):
        self.builder, self._targets, self._weights = builder, [], []

    def add(self, targets, weights):
        """The targets and weights of rows that the builder has got; None if there are none."""
        self._targets.append(targets)
        self._weights.append(weights)

    def finish(self):
        """``(X, y, sample_weight)``."""
        return self.builder.sealed(), _joined(self._targets), _joined(self._weights)


def _joined(parts):
    return None if parts[0] is None else np.concatenate(parts)


class Reader:
    """Chunks ``(X, y, sample_weight)`` of a source; every loop over it starts from its beginning.

    ``n_bad_lines`` counts what the last loop skipped. Subclasses yield chunks in ``_chunks``.
    """

    def __init__(
        self, source, hasher, settings, *, on_bad_lines="error", compression="infer",
        chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        if not isinstance(hasher, FieldHasher):
            raise ValueError(f"hasher must be a FieldHasher, got {hasher!r}.")
        check_choice("on_bad_lines", on_bad_lines, _BAD_LINES)
        check_choice("compression", compression, (*COMPRESSIONS, None))
        check_count("chunk_rows", chunk_rows, 1)
        check_count("read_ahead", read_ahead, 0)
        self.source, self.hasher, self.cache = source, hasher, cache
        self.on_bad_lines, self.compression = on_bad_lines, compression
        self.chunk_rows, self.read_ahead = int(chunk_rows), int(read_ahead)
        self.n_bad_lines = 0
        self._settings, self._is_used_up = settings, False

    def __iter__(self):
        self.n_bad_lines = 0
        sources = sources_of(self.source)
        if self.cache is not None:
            chunks = cached(self, sources)
        else:
            chunks = self.chunks_of(sources)
        return run_ahead(chunks, self.read_ahead) if self.read_ahead else chunks

    def chunks_of(self, sources):
        """The chunks, read anew."""
        if any(source.stream is not None for source in sources):
            if self._is_used_up:
                raise ValueError(
                    "source is a stream, which can be read once: give its path, or open it anew."
                )
            self._is_used_up = True
        return self._chunks(sources)

    def settings(self):
        """What the chunks depend on besides their source, as text."""
        own = {
            "reader": type(self).__name__,
            "on_bad_lines": self.on_bad_lines,
            "compression": self.compression,
            "chunk_rows": self.chunk_rows,
        }
        hasher = self.hasher.get_params(deep=False) | {"learnt": self.hasher._learnt()}
        return repr(sorted((own | self._settings).items())) + repr(sorted(hasher.items()))

    @contextlib.contextmanager
    def _open(self, source):
        stream = open_source(source, self.compression)
        try:
            yield stream
        finally:
            if stream is not source.stream:
                stream.close()


def check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def check_count(name, value, least):
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
