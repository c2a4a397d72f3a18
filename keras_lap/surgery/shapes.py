"""The shapes of a graph's tensors."""

import keras
from keras import config, layers, tree


def shapes_at(graph, image_size):
    """Finds every tensor's shape without a batch axis.

    Args:
        graph: A `Graph`.
        image_size: Height and width of the images where the model leaves them open.

    Returns:
        Dict from ids of tensors to tuples of integers, with `None` for sizes that
        Keras does not know. Inside a nested model that is called several times the
        shapes are those of its first call.
    """
    shapes = {}
    inputs = [_sized(tensor, image_size) for tensor in graph.model.inputs]
    known = all(None not in tensor.shape[1:] for tensor in graph.model.inputs)
    _run(graph, graph.model, inputs, shapes, lazily=known)
    return shapes


def layout_of(graph):
    """Where the channels of a graph's maps lie.

    Args:
        graph: A `Graph`.

    Returns:
        The `data_format` of the first operation that has one, else Keras' own.
    """
    operations = (call.operation for call in graph.calls)
    # A `Flatten` has Keras' own wherever the channels of what it reads lie.
    formats = (
        getattr(operation, "data_format", None)
        for operation in operations
        if not isinstance(operation, layers.Flatten)
    )
    return next(filter(None, formats), config.image_data_format())


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
