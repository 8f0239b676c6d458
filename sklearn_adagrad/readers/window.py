"""The bytes of a stream, a window at a time."""

import io
import lzma
import zlib

import numpy as np

SIZE = 2**20  # bytes at a time; more for a line that is longer
PADDING = 64  # bytes behind the window that may be read: what a vector takes at once
_LONGEST = 2**31 - 2**10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_END = 10
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}


class Window:
    """``data[first:stop]`` is what was read and not used yet; ``data[first - 1]`` came before it.

    What was used is said by moving ``first`` on.
    """

    def __init__(self, stream, name, size=SIZE):
        self._stream, self.name = stream, name
        self.data = np.zeros(size + PADDING, np.uint8)
        self.first = self.stop = 1
        self.at_end, self._is_new = False, True

    def advance(self):
        """Read more behind what is left. False if there is nothing more."""
        if self.at_end:
            return False
        left = self.stop - self.first
        size = len(self.data) - PADDING
        if 2 * left > size:
            if size >= _LONGEST:
                raise ValueError(
                    f"{self.name} has a line of more than 2 GiB, or a quote that is never closed."
                )
            size = min(2 * size, _LONGEST)
        data = np.zeros(size + PADDING, np.uint8) if size + PADDING > len(self.data) else self.data
        data[: left + 1] = self.data[self.first - 1 : self.stop]
        self.data, self.first, self.stop = data, 1, left + 1
        n_read = self._read(size)
        self.stop += n_read
        if self._is_new and n_read:
            self._is_new = False
            while n_read and self.stop - self.first < len(_BYTE_ORDER_MARK):
                n_read = self._read(size)
                self.stop += n_read
            beginning = self.data[1 : self.stop][:8].tobytes()
            if beginning.startswith(_BYTE_ORDER_MARK):
                self.first += len(_BYTE_ORDER_MARK)
            for mark, name in _PACKED.items():
                if beginning.startswith(mark):
                    raise ValueError(f"{self.name} is packed: read it with compression={name!r}.")
        if n_read == 0:
            self.at_end = True
            if self.stop > self.first and self.data[self.stop - 1] != _END:
                self.data[self.stop] = _END
                self.stop += 1
        return True

    def _read(self, size):
        """How many bytes were read behind ``stop``."""
        room = memoryview(self.data)[self.stop : max(size, self.stop + 1)]
        try:
            if isinstance(self._stream, io.BufferedReader):  # a pipe: what there is, at once
                n_read = self._stream.readinto1(room)
                if n_read and n_read < len(room) and not self._stream.seekable():
                    # Its buffer is empty now. It has a lock, which Python could not take at its end
                    # from a thread that still waits for a pipe.
                    self._stream = self._stream.raw
            elif hasattr(self._stream, "readinto"):
                n_read = self._stream.readinto(room)
            else:
                read = self._stream.read(len(room))
                if isinstance(read, str):
                    raise OSError("it gives text, not bytes")
                n_read = None if read is None else len(read)
                if n_read and n_read <= len(room):
                    room[:n_read] = read
        except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
            raise OSError(f"{self.name} cannot be read: {error}") from error
        if n_read is None:
            raise OSError(f"{self.name} has no bytes yet: open it so that reading waits for them.")
        if not 0 <= n_read <= len(room):
            raise OSError(f"{self.name} says that it read {n_read} bytes of {len(room)}.")
        return n_read
