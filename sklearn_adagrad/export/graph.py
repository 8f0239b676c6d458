"""Graphs of ONNX, node by node, and what all of ours end with: predictions made of scores."""

import numpy as np

from .._optional import optional

DOUBLE, FLOAT, INT64, STRING, UINT64 = 11, 1, 7, 8, 13  # onnx.TensorProto.DataType


def library(name):
    """onnx, skl2onnx or a module of them, which is wanted by nobody who does not export."""
    return optional(name, "onnx")


class Graph:
    """Nodes and constants of a graph whose inputs and outputs have the names ``taken``."""

    def __init__(self, taken):
        self.nodes, self.constants, self._names = [], [], set(taken)

    def name(self, wish):
        """A name that nothing else has."""
        name, n = wish, 0
        while name in self._names:
            name, n = f"{wish}_{n}", n + 1
        self._names.add(name)
        return name

    def constant(self, array):
        """The name of an array of numbers or texts."""
        name = self.name("constant")
        self.constants.append(library("onnx.numpy_helper").from_array(np.asarray(array), name))
        return name

    def node(self, op, *inputs, output=None, **attributes):
        """The name of what an operator makes of ``inputs``: ``output``, or a new one."""
        output = output or self.name(op)
        make_node = library("onnx.helper").make_node
        self.nodes.append(make_node(op, inputs, [output], **attributes))
        return output


def describe(linear):
    """Name, type and number of columns (none for a vector) of each output.

    Numbers are of the dtype of the model.
    """
    number = DOUBLE if linear.coef.dtype == np.float64 else FLOAT
    n_outputs = len(linear.coef)
    if linear.classes is None:
        return [("variable", number, [n_outputs])]
    label = STRING if labels_of(linear.classes).dtype == object else INT64
    of_labels = ("label", label, [n_outputs] if linear.has_columns else [])
    if linear.link is None:
        return [of_labels, ("scores", number, [n_outputs])]
    return [of_labels, ("probabilities", number, [len(linear.classes)])]


def write_predictions(graph, linear, scores, outputs, number):
    """Predictions made of ``scores``, float64 of shape (n_rows, n_outputs), become the ``outputs``.

    Those are a label and probabilities or scores, or for a regressor one variable. ``number`` is
    the type of all but labels.
    """
    if linear.classes is None:
        link = "Exp" if linear.link else "Identity"
        graph.node("Cast", graph.node(link, scores), output=outputs[0], to=number)
        return
    _write_label(graph, linear, scores, outputs[0])
    graph.node("Cast", _probabilities(graph, linear, scores), output=outputs[1], to=number)


def _write_label(graph, linear, scores, output):
    if linear.has_columns or len(linear.classes) == 2:
        is_positive = graph.node("Greater", scores, graph.constant(0.0))
        if linear.has_columns:
            graph.node("Cast", is_positive, output=output, to=INT64)
            return
        in_a_row = graph.node("Reshape", is_positive, graph.constant(np.array([-1])))
        best = graph.node("Cast", in_a_row, to=INT64)
    else:
        best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.node("Gather", graph.constant(labels_of(linear.classes)), best, output=output)


def labels_of(classes):
    """Labels as ONNX has them: texts, or else int64."""
    if all(isinstance(each, str) for each in classes):
        return classes.astype(object)
    if np.array(classes.tolist()).dtype.kind not in "biuf":
        raise ValueError(
            f"The labels are of type {type(classes[0]).__name__}, but ONNX has texts and integers "
            "only: train with their positions in classes_."
        )
    if classes.dtype == np.uint64 and classes.max() > np.iinfo(np.int64).max:
        raise ValueError(f"The label {classes.max()} is too large for ONNX, which has int64.")
    return classes.astype(np.int64)


def _probabilities(graph, linear, scores):
    """Or the scores themselves, if that is all there is."""
    if linear.link is None:
        return scores
    if linear.link == "softmax":
        return graph.node("Softmax", scores, axis=1)
    if linear.link == "logistic":
        chances = graph.node("Sigmoid", scores)
    else:
        half = graph.constant(0.5)
        halved = graph.node("Add", graph.node("Mul", scores, half), half)
        chances = graph.node("Clip", halved, graph.constant(0.0), graph.constant(1.0))
    if linear.has_columns:
        return chances
    if len(linear.classes) == 2:
        return graph.node(
            "Concat", graph.node("Sub", graph.constant(1.0), chances), chances, axis=1
        )
    total = graph.node("ReduceSum", chances, graph.constant(np.array([1])), keepdims=1)
    is_some = graph.node("Greater", total, graph.constant(0.0))
    equal = graph.constant(1.0 / len(linear.classes))
    return graph.node("Where", is_some, graph.node("Div", chances, total), equal)
