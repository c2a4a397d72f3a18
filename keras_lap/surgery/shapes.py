"""The shapes of all tensors of a graph for images of a given size."""

import keras
from keras import tree


def shapes_at(graph, image_size):
    """Finds every tensor's shape without a batch axis.

    Args:
        graph: A `Graph`.
        image_size: Height and width of the images where the model leaves them open.

    Returns:
        Dict from ids of tensors to tuples of integers. Inside a nested model that is
        called several times the shapes are those of its first call.
    """
    shapes = {}
    inputs = [_sized(tensor, image_size) for tensor in graph.model.inputs]
    known = all(None not in tensor.shape[1:] for tensor in graph.model.inputs)
    _run(graph, graph.model, inputs, shapes, lazily=known)
    return shapes


def _run(graph, model, inputs, shapes, lazily):
    """Sends symbolic tensors through a model; `lazily` if its own shapes will do."""
    tensors = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}

    def new(value):
        return tensors[id(value)] if isinstance(value, keras.KerasTensor) else value

    for call in graph.calls_in(model):
        args, kwargs = tree.map_structure(new, (call.args, call.kwargs))
        if graph.contains(call.operation):
            read = [new(tensor) for tensor in call.inputs]
            outputs = _run(graph, call.operation, read, shapes, lazily)
        elif lazily and all(None not in tensor.shape[1:] for tensor in call.outputs):
            outputs = call.outputs
        else:
            outputs = call.operation.compute_output_spec(*args, **kwargs)
        tensors.update(
            (id(old), made)
            for old, made in zip(call.outputs, tree.flatten(outputs), strict=True)
        )
    for old, tensor in tensors.items():
        shapes.setdefault(old, tuple(tensor.shape[1:]))
    return [tensors[id(tensor)] for tensor in model.outputs]


def _sized(tensor, image_size):
    """The input tensor with its unknown sizes filled in."""
    shape = list(tensor.shape)
    open_axes = [axis for axis in range(1, len(shape)) if shape[axis] is None]
    sizes = image_size if len(open_axes) == 2 else (image_size[0],) * len(open_axes)
    for axis, size in zip(open_axes, sizes, strict=True):
        shape[axis] = size
    return keras.KerasTensor(shape, dtype=tensor.dtype)
