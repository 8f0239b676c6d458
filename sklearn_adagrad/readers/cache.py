"""Hashed rows in an Arrow file, which is mapped into memory when they are wanted again."""

import contextlib
import os
import tempfile

import numpy as np
from scipy import sparse

from ..hashing.tables import arrow
from .sources import state_of

_STATE, _N_BAD = b"sklearn_adagrad", b"n_bad_lines"


def cached(reader, sources):
    """The chunks of ``reader.cache`` if it was made of the same, else new ones, kept there."""
    files = [state_of(source) for source in sources]
    state = repr((files, sorted(reader._about().items()))).encode()
    file = _opened(reader.cache)
    if file is not None and (file.schema.metadata or {}).get(_STATE) == state:
        return _read(file, reader)
    return _write(reader, sources, state)


def _opened(path):
    """The cache, or None if there is none; what is no cache is not written over."""
    pa, ipc = arrow(), arrow("ipc")
    if not os.path.exists(path):
        return None
    try:
        file = ipc.open_file(pa.memory_map(os.fspath(path)))
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        file, reason = None, f": {error}"
    else:
        reason = ""
    if file is None or _STATE not in (file.schema.metadata or {}):
        raise ValueError(
            f"cache={os.fspath(path)!r} is a file of something else{reason}. Remove it, or give "
            "another path."
        )
    return file


def _read(file, reader):
    n_features = reader.hasher.n_features
    for n in range(file.num_record_batches):
        try:
            batch, more = file.get_batch_with_custom_metadata(n)
            batch.validate(full=True)
            rows = batch.column("rows")
            entries = rows.values
            arrays = (entries.field("value"), entries.field("column"), rows.offsets)
            arrays = tuple(array.to_numpy() for array in arrays)
            if len(arrays[1]) and not 0 <= arrays[1].min() <= arrays[1].max() < n_features:
                raise ValueError("a column is out of range")
            X = sparse.csr_array(arrays, shape=(len(batch), n_features))
            targets, weights = _numpy(batch, "target"), _numpy(batch, "weight")
            reader.n_bad_lines = int(more[_N_BAD])
        except Exception as error:  # whatever pyarrow and scipy say of bytes that make no sense
            raise ValueError(
                f"cache={os.fspath(reader.cache)!r} is damaged: {error}. Remove it."
            ) from error
        if len(batch):  # the last one is empty: it has the number of all bad lines
            yield X, targets, weights


def _numpy(batch, name):
    if name not in batch.schema.names:
        return None
    return batch.column(name).to_numpy(zero_copy_only=False)


def _write(reader, sources, state):
    """The chunks, read anew. The file has its name only when it is complete."""
    pa, ipc = arrow(), arrow("ipc")
    folder, name = os.path.split(os.path.abspath(reader.cache))
    descriptor, part = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=folder)
    file, batch = None, None
    try:
        with open(descriptor, "wb") as sink:
            for chunk in reader._chunks_of(sources):
                batch = _batch(pa, *chunk)
                if file is None:
                    file = ipc.new_file(sink, batch.schema.with_metadata({_STATE: state}))
                file.write_batch(batch, custom_metadata=_counted(reader))
                yield chunk
            if file is not None:
                file.write_batch(batch.slice(0, 0), custom_metadata=_counted(reader))
                file.close()
        if file is not None:
            os.replace(part, reader.cache)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)


def _counted(reader):
    return {_N_BAD: str(reader.n_bad_lines).encode()}


def _batch(pa, X, targets, weights):
    entries = pa.StructArray.from_arrays(
        [pa.array(X.indices), pa.array(X.data)], names=["column", "value"]
    )
    kind = pa.ListArray if X.indptr.dtype == np.int32 else pa.LargeListArray
    columns = {"rows": kind.from_arrays(pa.array(X.indptr), entries)}
    for name, values in (("target", targets), ("weight", weights)):
        if values is not None:
            columns[name] = pa.array(values)
    return pa.record_batch(columns)
