"""Python's values as JSON, and back: numbers, texts, arrays, and objects of types that are known.

=========================  =====================================================================
None, bool, int, str       as they are, and finite floats
other floats               ``{"float": "inf"}``
lists                      as they are
tuples                     ``{"tuple": [...]}``
dicts                      ``{"dict": [[key, value], ...]}``
dtypes                     ``{"dtype": "float32"}``
arrays of numbers          ``{"array": "name of an array of the file"}``
arrays of texts            ``{"texts": "name", "as": "U" or "O"}``: all of them in UTF-8, one after
                           the other, in the array "name.bytes", and their ends in "name.ends"
arrays of other objects    ``{"objects": [...]}``
named tuples               ``{"type": "Momentum", "fields": {...}}``
models                     ``{"type": "FieldHasher", ...}``, whatever their ``_described`` returns
=========================  =====================================================================
"""

import itertools
import math
from numbers import Integral, Real

import numpy as np

_PLAIN = (bool, int, str, type(None))
_LARGEST = 2**24  # letters of an array of texts of one length


class Encoder:
    """Turns values into what JSON can say; ``arrays`` collects those that they hold."""

    def __init__(self, serving=False):
        self.arrays, self.serving = {}, serving

    def encode(self, value, name):
        """``value`` for JSON. ``name`` is what to call it in errors, and its array in the file."""
        if type(value) in _PLAIN:
            return value
        if isinstance(value, bool | np.bool_):
            return bool(value)
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real):
            value = float(value)
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, str):
            return str(value)
        if isinstance(value, np.ndarray):
            return self._encode_array(value, name)
        if isinstance(value, np.dtype) or value is np.float32 or value is np.float64:
            return {"dtype": np.dtype(value).name}
        if hasattr(value, "_described"):
            return {"type": type(value).__name__, **value._described(self, name)}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            fields = {
                field: self.encode(each, f"{name}.{field}")
                for field, each in value._asdict().items()
            }
            return {"type": type_name(type(value)), "fields": fields}
        if isinstance(value, list | tuple):
            items = [self.encode(each, f"{name}[{n}]") for n, each in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        if isinstance(value, dict):
            items = [
                [self.encode(key, name), self.encode(each, f"{name}[{key!r}]")]
                for key, each in value.items()
            ]
            return {"dict": items}
        raise TypeError(
            f"{name}={value!r} cannot be saved: a file holds numbers, texts, arrays, and objects "
            "of this package. Pickle or skops save all kinds of objects."
        )

    def add(self, name, array):
        """Keep an array in the file, and return its name there."""
        self.arrays[name] = array
        return name

    def _encode_array(self, array, name):
        items = array.tolist() if array.dtype.kind in "UO" else []
        if array.dtype.kind in "UO" and all(isinstance(each, str) for each in items):
            parts = [each.encode(errors="surrogatepass") for each in items]
            ends = np.cumsum([len(each) for each in parts], dtype=np.int64)
            self.add(f"{name}.bytes", np.frombuffer(b"".join(parts), np.uint8))
            return {
                "texts": self.add(f"{name}.ends", ends)[: -len(".ends")],
                "as": array.dtype.kind,
            }
        if array.dtype.kind == "O":
            return {"objects": [self.encode(each, name) for each in items]}
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{name} of dtype {array.dtype} cannot be saved.")
        return {"array": self.add(name, array.astype(array.dtype.newbyteorder("="), copy=False))}


class Decoder:
    """Turns them back; ``types`` has the classes by name, ``array(name)`` the arrays."""

    def __init__(self, types, array):
        self._types, self._array, self._taken = types, array, set()

    def decode(self, item):
        """The value; ValueError if ``item`` describes none."""
        if type(item) in (*_PLAIN, float):
            return item
        if isinstance(item, list):
            return [self.decode(each) for each in item]
        if "type" in item:
            return self._decode_object(item)
        if "texts" in item:
            return self._decode_texts(item["texts"], item["as"])
        (kind, content), *more = item.items()
        if more or kind not in _KINDS:
            raise ValueError(f"{item!r} describes nothing")
        return _KINDS[kind](self, content)

    def array(self, name, dtype=None, shape=None):
        """An array of the file, which must exist and be of this dtype and shape.

        Each can be had once: what is made of a file is no larger than the file.
        """
        if name in self._taken:
            raise ValueError(f"the array {name!r} is there twice")
        self._taken.add(name)
        array = self._array(name)
        if array is None:
            raise ValueError(f"the array {name!r} is missing")
        if dtype is not None and array.dtype != dtype:
            raise ValueError(f"the array {name!r} is of {array.dtype}, not of {np.dtype(dtype)}")
        if shape is not None and array.shape != shape:
            raise ValueError(f"the array {name!r} has shape {array.shape}, not {shape}")
        return array

    def _decode_object(self, item):
        known = self._types.get(item["type"])
        if known is None:
            raise ValueError(
                f"it holds an object of type {item['type']!r}, which is not of this package: if it "
                "is yours, pass its class in trusted"
            )
        if not hasattr(known, "_restored"):
            fields = {name: self.decode(each) for name, each in item["fields"].items()}
            return known(**fields)
        return known._restored(item, self)

    def _decode_texts(self, name, kind):
        data = self.array(f"{name}.bytes", np.uint8).tobytes()
        ends = self.array(f"{name}.ends", np.int64)
        lengths = np.diff(ends, prepend=0)
        if ends.ndim != 1 or (lengths < 0).any() or lengths.sum() != len(data):
            raise ValueError(f"the texts {name!r} are not where they should be")
        if kind == "U" and len(ends) * int(lengths.max(initial=0)) > _LARGEST + 64 * len(data):
            raise ValueError(f"the texts {name!r} take much more memory than the file")
        texts = [
            data[first:last].decode(errors="surrogatepass")
            for first, last in itertools.pairwise([0, *ends.tolist()])
        ]
        return np.array(texts, str) if kind == "U" else _objects(texts)


_KINDS = {
    "float": lambda decoder, text: float(text),
    "tuple": lambda decoder, items: tuple(map(decoder.decode, items)),
    "dict": lambda decoder, items: {
        decoder.decode(key): decoder.decode(value) for key, value in items
    },
    "dtype": lambda decoder, name: {"float32": np.float32, "float64": np.float64}[name],
    "array": lambda decoder, name: decoder.array(name),
    "objects": lambda decoder, items: _objects(map(decoder.decode, items)),
}


def type_name(kind):
    """What a class is called in a file: those of this package by their public names."""
    own = kind.__module__.split(".")[0] == __name__.split(".")[0]
    return kind.__qualname__ if own else f"{kind.__module__}.{kind.__qualname__}"


def _objects(items):
    items = list(items)
    array = np.empty(len(items), object)
    array[:] = items
    return array
