"""What skl2onnx needs to know of the estimators."""

import numpy as np

from .. import AdagradClassifier, AdagradRegressor
from .graph import DOUBLE, FLOAT, STRING, Graph, describe, library, write_predictions
from .linear import linear_of


def register_onnx() -> None:
    """Let skl2onnx's own functions convert the estimators of this package, alone or in others.

    Its options for classifiers are known, and ``raw_scores`` for regressors. Pipelines with a
    ``FieldHasher`` need :func:`to_onnx`.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import skl2onnx
    >>> from sklearn_adagrad import AdagradRegressor
    >>> from sklearn_adagrad.export import register_onnx
    >>> register_onnx()
    >>> model = AdagradRegressor().fit(np.eye(3), [1.0, 2.0, 3.0])
    >>> [output.name for output in skl2onnx.to_onnx(model, np.eye(3)).graph.output]
    ['variable']
    """
    register = library("skl2onnx").update_registered_converter
    options = {"raw_scores": [True, False]}
    register(AdagradRegressor, "AdagradRegressor", _set_types, _convert, options=options)
    options |= {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    options |= {"output_class_labels": [False, True]}
    register(AdagradClassifier, "AdagradClassifier", _set_types, _convert, options=options)


def _described(operator):
    """The ``Linear`` of an operator, and whether its predictions go through a ZipMap."""
    model, options = operator.raw_operator, {"raw_scores": False}
    if isinstance(model, AdagradClassifier):
        options |= {"zipmap": True, "nocl": False}
    options = operator.scope_inst.get_options(model, options)
    linear = linear_of(model, raw_scores=options["raw_scores"])
    if options.get("nocl"):
        linear = linear._replace(classes=np.arange(len(linear.classes)))
    return linear, options.get("zipmap", False)


def _set_types(operator):
    """Say of which types and shapes the outputs are."""
    types = library("skl2onnx.common.data_types")
    linear, _ = _described(operator)
    n_rows = operator.inputs[0].get_first_dimension()
    is_double = isinstance(operator.inputs[0].type, types.DoubleTensorType)
    number = types.DoubleTensorType if is_double else types.FloatTensorType
    of_outputs = describe(linear)
    if linear.classes is not None:
        _, kind, columns = of_outputs[0]
        label = types.StringTensorType if kind == STRING else types.Int64TensorType
        operator.outputs[0].set_type(label([n_rows, *columns]))
    operator.outputs[-1].set_type(number([n_rows, *of_outputs[-1][2]]))


def _convert(scope, operator, container):
    linear, zipmap = _described(operator)
    if zipmap and (linear.has_columns or (linear.link is None and len(linear.coef) == 1)):
        raise ValueError(
            f"zipmap names a number for each class, but {operator.raw_operator!r} gives others: "
            'convert with options={"zipmap": False}.'
        )
    double = library("skl2onnx.common.data_types").DoubleTensorType
    number = DOUBLE if isinstance(operator.outputs[-1].type, double) else FLOAT
    graph = _InContainer(scope, container)
    scores = _scores(graph, linear, [each.full_name for each in operator.inputs])
    outputs = [each.full_name for each in operator.outputs]
    write_predictions(graph, linear, scores, outputs, number)


def _scores(graph, linear, inputs):
    """Sums in float64 of numbers that are rounded to the dtype of the model first, as ours are."""
    kind = DOUBLE if linear.coef.dtype == np.float64 else FLOAT
    rounded = [graph.node("Cast", each, to=kind) for each in inputs]
    rows, coef = (
        graph.node("Cast", each, to=DOUBLE)
        for each in (graph.node("Concat", *rounded, axis=1), graph.constant(linear.coef.T))
    )
    intercept = graph.constant(linear.intercept.astype(np.float64))
    return graph.node("Add", graph.node("MatMul", rows, coef), intercept)


class _InContainer(Graph):
    """A ``Graph`` that is a part of what skl2onnx converts."""

    def __init__(self, scope, container):
        self._container, self.name = container, scope.get_unique_variable_name

    def constant(self, array):
        name, array = self.name("constant"), np.asarray(array)
        tensor = library("onnx.numpy_helper").from_array(array, name)
        content = tensor if array.dtype != object else [text.encode() for text in array]
        self._container.add_initializer(name, tensor.data_type, array.shape, content)
        return name

    def node(self, op, *inputs, output=None, **attributes):
        output = output or self.name(op)
        self._container.add_node(op, list(inputs), [output], name=output, **attributes)
        return output
