"""A file of named arrays and one text, in the safetensors format.

A file has its name only when it is complete and on disk.
"""

import contextlib
import os
import secrets
import stat

import numpy as np

from .._optional import optional

_KEY = "sklearn_adagrad"  # of the text, among the metadata of the file


def check_place(path):
    """OSError or ImportError unless a file can be written to ``path``."""
    optional("safetensors.numpy")
    path = os.path.realpath(os.fsdecode(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(f"{path!r} is no file: it would be replaced by one.")
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{path!r} cannot be written: there is no folder {folder!r}.")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{path!r} cannot be written: its folder is read-only.")


def write(path, text, arrays):
    """Write ``text`` and ``arrays``, a dict, to ``path``; what was there is replaced at the end."""
    check_place(path)
    save_file = optional("safetensors.numpy").save_file
    path = os.path.realpath(os.fsdecode(path))  # a link goes on pointing to the file
    folder, name = os.path.split(path)
    part = os.path.join(folder, f"{name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:  # safetensors makes files that others cannot read
            mode = os.stat(path if os.path.exists(path) else file.fileno()).st_mode
        try:
            save_file({key: np.ascontiguousarray(each) for key, each in arrays.items()}, part,
                      metadata={_KEY: text})  # fmt: skip
        except Exception as error:  # safetensors has errors of its own for those of the system
            raise OSError(f"{path!r} cannot be written: {error}") from error
        os.chmod(part, mode & 0o777)
        _to_disk(part)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)
        raise
    with contextlib.suppress(OSError):  # some systems have no files for folders
        _to_disk(folder)


def read(path):
    """The text of the file at ``path``, and a function that reads one of its arrays by name.

    The array is read when it is asked for, None is for a name that does not exist. ValueError if
    this is no such file.
    """
    safe_open, path = optional("safetensors").safe_open, os.fsdecode(path)
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path!r} is no file of a model.")
    with open(path, "rb"):  # the errors of the system are better than those of safetensors
        pass
    try:
        file = safe_open(path, framework="numpy")
        names, text = set(file.keys()), (file.metadata() or {}).get(_KEY)
    except Exception as error:  # whatever it says of bytes that make no sense
        raise ValueError(f"{path!r} is no model, or is damaged: {error}") from error
    if text is None:
        raise ValueError(f"{path!r} is a file of safetensors, but no model of sklearn_adagrad.")

    def array(name):
        if name not in names:
            return None
        try:
            return file.get_tensor(name)
        except Exception as error:  # a type that NumPy does not have, say
            raise ValueError(f"{path!r} has an array {name!r} of no use: {error}") from error

    return text, array


def _to_disk(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
