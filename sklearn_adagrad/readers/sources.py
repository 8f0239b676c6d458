"""Where bytes come from: paths, patterns, addresses, streams, compressed or not."""

import bz2
import contextlib
import glob
import gzip
import io
import lzma
import os
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..hashing.tables import arrow

_SUFFIXES = {".gz": "gzip", ".xz": "xz", ".bz2": "bz2", ".zst": "zstd"}
COMPRESSIONS = ("infer", *_SUFFIXES.values())


class Source(NamedTuple):
    """A file that is not open yet: what to call it, and a stream if it is one already."""

    name: str
    stream: BinaryIO | None = None


def sources_of(source):
    """The ``Source`` of each file that ``source`` stands for."""
    if isinstance(source, list | tuple):
        return [each for part in source for each in sources_of(part)]
    if hasattr(source, "read"):
        if isinstance(source, io.TextIOBase):
            raise ValueError(f"{source!r} is open as text: open it in binary mode, with 'rb'.")
        return [Source(str(getattr(source, "name", type(source).__name__)), source)]
    if not isinstance(source, str | os.PathLike):
        raise ValueError(
            "source must be a path, a pattern, an address, a binary file, or a list of these, got "
            f"{source!r}."
        )
    name = os.path.expanduser(os.fspath(source))
    if name == "-" and sys.stdin is None:
        raise ValueError("Standard input is closed.")
    if name == "-":
        return [Source("standard input", sys.stdin.buffer)]
    if "://" in name or not glob.has_magic(name) or Path(name).exists():
        return [Source(name)]
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise FileNotFoundError(f"No file matches {name!r}.")
    return [Source(each) for each in found]


@contextlib.contextmanager
def opened(source, compression):
    """The bytes of a source, unpacked. What is opened here is closed at the end."""
    with contextlib.ExitStack() as stack:
        if source.stream is not None:
            stream = source.stream
        elif "://" in source.name:
            system, path = filesystem_of(source.name)
            stream = stack.enter_context(system.open_input_stream(path, compression=None))
        else:
            stream = stack.enter_context(open(source.name, "rb", buffering=0))
        if compression == "infer":
            suffix = None if source.stream else Path(source.name).suffix.lower()
            compression = _SUFFIXES.get(suffix)
        if compression is not None:
            stream = stack.enter_context(_unpacked(stream, compression))
        yield stream


class _Borrowed:
    """A stream that pyarrow, which closes whatever it unpacks, leaves open."""

    def __init__(self, stream):
        self.read, self.closed = stream.read, False

    def close(self):
        self.closed = True


def _unpacked(stream, compression):
    if compression == "zstd":
        return arrow().CompressedInputStream(arrow().PythonFile(_Borrowed(stream), "r"), "zstd")
    return {"gzip": gzip.open, "xz": lzma.open, "bz2": bz2.open}[compression](stream)


def filesystem_of(address):
    """The ``pyarrow.fs`` filesystem of an address, by way of fsspec if need be, and the path."""
    fs = arrow("fs")
    try:
        return fs.FileSystem.from_uri(address)
    except (arrow().ArrowInvalid, NotImplementedError) as error:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise ValueError(
                f"pyarrow does not know the address {address!r} ({error}), and fsspec, which may "
                "know it, is not installed: python -m pip install fsspec"
            ) from error
        system, path = url_to_fs(address)
        return fs.PyFileSystem(fs.FSSpecHandler(system)), path


def state_of(source):
    """Name, size and time of a source, by which a cache knows it again."""
    if source.stream is not None:
        raise ValueError(f"{source.name} cannot be kept in a cache: it has no size and no time.")
    if "://" not in source.name:
        found = os.stat(source.name)
        return [os.path.abspath(source.name), found.st_size, found.st_mtime_ns]
    system, path = filesystem_of(source.name)
    found = system.get_file_info(path)
    if found.size is None or found.mtime_ns is None:
        raise ValueError(f"{source.name} cannot be kept in a cache: it has no size and no time.")
    return [source.name, found.size, found.mtime_ns]
