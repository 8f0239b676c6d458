"""A FieldHasher and an estimator as one graph of ONNX, from raw fields to predictions.

No row of the hasher is ever made: the weights of a row's features are gathered by the columns of
their hashes, and summed. Features that share a column add up in that sum as they do in the row.
All fields that are hashed as a name and a value are hashed at once, and so are all crosses: the
graph has as many nodes for forty fields as for four.
"""

from typing import NamedTuple

import numpy as np
from sklearn.utils import murmurhash3_32

from .. import FieldHasher, fields
from .graph import DOUBLE, FLOAT, INT64, STRING, UINT64, Graph, describe, library, write_predictions
from .linear import linear_of

_TYPES = {"texts": STRING, "codes": STRING, "integers": INT64, "numbers": DOUBLE}
_MOST_BINS = 2**10  # of Log for each octave, of which float64 has 1024


class _Entries(NamedTuple):
    """Names of arrays of shape (n_rows, n_entries): int64, and of the dtype of the hasher."""

    hashes: str
    values: str


def hashed_model(pipeline, X, raw_scores):
    """The ``onnx.ModelProto`` of a fitted pipeline of these two steps, for tables such as ``X``."""
    if len(pipeline.steps) != 2 or not isinstance(pipeline[0], FieldHasher):
        raise ValueError(
            "A FieldHasher can be exported only as the first of the two steps of a pipeline, whose "
            f"second is an estimator, but there are {[name for name, _ in pipeline.steps]}."
        )
    hasher, model = pipeline[0], pipeline[1]
    linear = linear_of(model, raw_scores=raw_scores)
    plan, forms = hasher._plan_for(X)
    _refuse_others(plan, forms)
    if hasher.n_features != linear.coef.shape[1]:
        raise ValueError(
            f"The FieldHasher has n_features={hasher.n_features}, but the model has "
            f"{linear.coef.shape[1]} weights: set it to that."
        )
    inputs = [(field.name, _type_of(*forms[field.position])) for field in plan.fields]
    graph = Graph(name for name, _ in inputs)
    outputs = [
        (graph.name(name), kind, [None, *columns]) for name, kind, columns in describe(linear)
    ]
    entries = _crossed(graph, plan, _singles(graph, plan, inputs))
    scores = _scores(graph, linear, entries, hasher)
    write_predictions(graph, linear, scores, [name for name, *_ in outputs], outputs[-1][1])
    return _packed(graph, [(name, kind, [None, 1]) for name, kind in inputs], outputs)


def _type_of(form, column):
    return UINT64 if column == "uint64" else _TYPES[form]


def _refuse_others(plan, forms):
    for field in plan.fields:
        if isinstance(field.kind, fields.Words):
            raise ValueError(
                f"Field {field.name!r} is of words, which cannot be exported: train without it, "
                "or with a category in its place."
            )
        form, column = forms[field.position]
        if not isinstance(field.kind, fields.Category) and form in ("texts", "codes"):
            raise ValueError(
                f"Field {field.name!r} is of type {column}, but is taken for a number: give X with "
                "numbers."
            )
        if isinstance(field.kind, fields.Log) and field.kind.per_octave > _MOST_BINS:
            raise ValueError(
                f"Field {field.name!r} has {field.kind.per_octave:g} bins per octave, more than "
                f"the {_MOST_BINS} that fit into a graph: train with fewer."
            )
    for members in plan.crosses:
        if len(members) > 2:
            names = tuple(plan.fields[n].name for n in members)
            raise ValueError(
                f"The interaction {names} is of {len(names)} fields, but only pairs "
                "can be exported: train without it."
            )


def _singles(graph, plan, inputs):
    """The entries of all fields, in their order."""
    numbers = [n for n, field in enumerate(plan.fields) if isinstance(field.kind, fields.Number)]
    names = [n for n, field in enumerate(plan.fields) if isinstance(field.kind, fields.Category)]
    binned = [n for n in range(len(plan.fields)) if n not in {*numbers, *names}]
    parts, texts = [], []
    for n in names:
        name, kind = inputs[n]
        texts.append(name if kind == STRING else graph.node("Cast", name, to=STRING))
    if binned:
        chosen = [plan.fields[n] for n in binned]
        texts.append(_bins(graph, chosen, _numbers(graph, inputs, binned)))
    if texts:
        of_names = [plan.fields[n].name for n in names + binned]
        parts.append(_of_texts(graph, plan, of_names, graph.node("Concat", *texts, axis=1)))
    if numbers:
        of_names = [plan.fields[n].name for n in numbers]
        parts.append(_of_numbers(graph, plan, of_names, _numbers(graph, inputs, numbers)))
    order = np.argsort([*names, *binned, *numbers])
    return _Entries(*(_taken(graph, each, order) for each in zip(*parts, strict=True)))


def _taken(graph, parts, order):
    """Columns of some arrays side by side."""
    whole = graph.node("Concat", *parts, axis=1)
    return graph.node("Gather", whole, graph.constant(order), axis=1)


def _numbers(graph, inputs, chosen):
    """Some of the inputs side by side, as float64."""
    columns = [graph.node("Cast", inputs[n][0], to=DOUBLE) for n in chosen]
    return graph.node("Concat", *columns, axis=1)


def _of_texts(graph, plan, names, texts):
    """``field=text`` is hashed; an empty text is a missing value."""
    prefixes = np.array([[f"{name}=" for name in names]], dtype=object)
    hashes = _murmur(graph, graph.node("StringConcat", graph.constant(prefixes), texts))
    empty = graph.node("Equal", texts, graph.constant(np.array("", dtype=object)))
    one = graph.constant(np.ones(1, plan.settings.dtype))
    absent = graph.constant(np.array([plan.settings.keep_missing], plan.settings.dtype))
    return _Entries(hashes, graph.node("Where", empty, absent, one))


def _of_numbers(graph, plan, names, numbers):
    """``field`` is hashed; NaN is 1 under ``field=``."""
    dtype = plan.settings.dtype
    of_name = np.array([[murmurhash3_32(name, seed=0) for name in names]], np.int64)
    of_missing = np.array([[murmurhash3_32(f"{name}=", seed=0) for name in names]], np.int64)
    missing = graph.node("IsNaN", numbers)
    hashes = graph.node("Where", missing, graph.constant(of_missing), graph.constant(of_name))
    kept = graph.constant(np.array([plan.settings.keep_missing], dtype))
    rounded = graph.node("Cast", numbers, to=DOUBLE if dtype == np.float64 else FLOAT)
    return _Entries(hashes, graph.node("Where", missing, kept, rounded))


def _murmur(graph, array):
    """The hashes of texts or of the bytes of integers, signed, as int64."""
    hashes = graph.node("MurmurHash3", array, domain="com.microsoft", seed=0, positive=0)
    return graph.node("Cast", hashes, to=INT64)


def _bins(graph, chosen, numbers):
    """The bins of numbers as texts, empty if missing."""
    is_log = np.array([[isinstance(field.kind, fields.Log) for field in chosen]])
    edges = [
        _edges_of(field.kind) if log else field.edges
        for field, log in zip(chosen, is_log[0], strict=True)
    ]
    log, zero = graph.constant(is_log), graph.constant(0.0)
    sizes = graph.node("Where", log, graph.node("Abs", numbers), numbers)
    ranks = _ranks(graph, sizes, edges)
    negative = graph.node("And", log, graph.node("Less", numbers, zero))
    bins = graph.node("Where", negative, graph.node("Neg", ranks), ranks)
    digits = graph.node("Cast", bins, to=STRING)
    empty = graph.constant(np.array("", dtype=object))
    return graph.node("Where", graph.node("IsNaN", numbers), empty, digits)


def _edges_of(kind):
    """The smallest number of each bin of ``Log`` above 0, bit for bit."""
    largest = np.finfo(float).max
    n_bins = int(kind.bins(np.array([largest]), None)[0])
    wanted = np.arange(1, n_bins + 1)
    below, edges = np.zeros(n_bins, np.int64), np.full(n_bins, np.array(largest).view(np.int64))
    while (edges - below > 1).any():  # numbers that are not negative are ordered as their bits
        middle = below + (edges - below) // 2
        is_in = kind.bins(middle.view(float), None) >= wanted
        below, edges = np.where(is_in, below, middle), np.where(is_in, middle, edges)
    return edges.view(float)


def _ranks(graph, numbers, edges):
    """How many of its edges are not above each number: a search that halves, of all columns."""
    counts = np.array([[len(each) for each in edges]])
    starts = np.concatenate([[0], np.cumsum(counts[0] + 1)[:-1]]).reshape(1, -1)
    # NaN, which no number reaches, stands behind the last edge.
    whole = graph.constant(np.concatenate([part for each in edges for part in (each, [np.nan])]))
    starts, last = graph.constant(starts - 1), graph.constant(counts + 1)
    ranks = graph.node(
        "Cast", graph.node("ConstantOfShape", graph.node("Shape", numbers)), to=INT64
    )
    for power in reversed(range(int(counts.max()).bit_length())):
        further = graph.node("Add", ranks, graph.constant(np.array([2**power])))
        at = graph.node("Add", starts, graph.node("Min", further, last))
        reached = graph.node("GreaterOrEqual", numbers, graph.node("Gather", whole, at))
        ranks = graph.node("Where", reached, further, ranks)
    return ranks


def _crossed(graph, plan, singles):
    """Those of crosses too: the hash of two hashes, four bytes each, which are one int64."""
    if not plan.crosses:
        return singles
    sides = np.array(plan.crosses).T
    left, right = (_taken(graph, [singles.hashes], side) for side in sides)
    size = graph.constant(np.array([2**32]))
    both = graph.node("Add", graph.node("Mul", right, size), graph.node("Mod", left, size))
    values = graph.node("Mul", *(_taken(graph, [singles.values], side) for side in sides))
    return _Entries(
        graph.node("Concat", singles.hashes, _murmur(graph, both), axis=1),
        graph.node("Concat", singles.values, values, axis=1),
    )


def _scores(graph, linear, entries, hasher):
    hashes, values = entries
    values = graph.node("Cast", values, to=DOUBLE)
    if hasher.alternate_sign:
        negative = graph.node("Less", hashes, graph.constant(np.array([0])))
        values = graph.node("Where", negative, graph.node("Neg", values), values)
    n_features = graph.constant(np.array([hasher.n_features]))
    columns = graph.node("Mod", graph.node("Abs", hashes), n_features)
    weights = graph.node("Gather", graph.constant(linear.coef.T), columns, axis=0)
    weights = graph.node("Cast", weights, to=DOUBLE)
    of_entries = graph.node("Unsqueeze", values, graph.constant(np.array([2])))
    products = graph.node("Mul", of_entries, weights)
    sums = graph.node("ReduceSum", products, graph.constant(np.array([1])), keepdims=0)
    return graph.node("Add", sums, graph.constant(linear.intercept.astype(float)))


def _packed(graph, inputs, outputs):
    helper = library("onnx.helper")
    inputs, outputs = (
        [helper.make_tensor_value_info(*each) for each in some] for some in (inputs, outputs)
    )
    whole = helper.make_graph(graph.nodes, "adagrad", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(whole, opset_imports=opsets, ir_version=9)
