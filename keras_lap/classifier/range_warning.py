"""Whether images have the range that a model was trained on.

The layers near the image know about it:

- The first `BatchNormalization`, or a `Normalization` in front of it, knows the
  variance of what reached it in training. Where images have another range, the
  variance changes by the square of the factor: by 65025 between `[0, 1]` and
  `[0, 255]`. It also depends on what the images show, on few images more, and more
  downward than upward. So the median over the channels has to be over 100 times as
  large, or under a thousandth.
- A `Rescaling` by 1/50 or less, such as `Rescaling(1 / 255)`, in front of them is there
  for `[0, 255]`. What reaches it within `[-1, 1]` has been rescaled already.

Nothing is said of models without a graph or with several inputs, of statistics as they
are before training, of images that hardly vary, and of ranges that are near each other,
such as `[0, 1]` and `[-1, 1]`.
"""

import numpy as np
from keras import layers, ops, tree
from keras.src.models.functional import operation_fn

from keras_lap.graph.functional_of import functional_of
from keras_lap.utils.to_numpy import to_numpy

_HIGH, _LOW = 100, 1 / 1000
# Share of the largest value that values vary by, below which they say nothing.
_FLAT = 0.02
_SMALL_SCALE = 1 / 50
# The statistics of a fresh layer are equal in all channels, and stay nearly so for the
# first steps of training.
_FRESH = 0.05


def range_warning(model, images):
    """What to say if images seem to have another range than a model was trained on.

    Args:
        model: A built model. It is called up to its first `BatchNormalization`.
        images: A batch of images, as the model takes them.

    Returns:
        A string, or `None` if there is nothing to say.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap.classifier.range_warning import range_warning
    >>> model = keras.Sequential(
    ...     [keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255)]
    ... )
    >>> range_warning(model, np.full((1, 4, 4, 3), 200.0)) is None
    True
    >>> range_warning(model, np.full((1, 4, 4, 3), 0.8)) is None
    False
    """
    functional = functional_of(model)
    is_read = functional is not None and len(functional.inputs) == 1
    telling = _telling_layers(functional) if is_read else []
    if not telling:
        return None
    images = ops.convert_to_tensor(images, dtype=functional.inputs[0].dtype)
    waiting = {id(layer) for layer in telling}

    def runner(operation):
        inner = functional_of(operation)

        def run(*args, **kwargs):
            values = list(filter(ops.is_tensor, tree.flatten((args, kwargs))))
            if inner is not None:
                return inner._run_through_graph(values, operation_fn=runner)
            if id(operation) in waiting:
                waiting.remove(id(operation))
                message = _TELLING[type(operation)](
                    operation, to_numpy(values[0], "float32")
                )
                if message or not waiting:
                    raise _Told(message)
            return operation_fn(operation, training=False)(*args, **kwargs)

        return run

    message = None
    try:
        functional._run_through_graph([images], operation_fn=runner)
    except _Told as told:
        (message,) = told.args
    if not message:
        return None
    low, high = (float(function(images)) for function in (ops.min, ops.max))
    return (
        f"The images, with values from {low:.4g} to {high:.4g}, seem to have another "
        f"range than those that {model.name!r} was trained on: {message}. Pass them as "
        "they were passed in training."
    )


class _Told(Exception):  # noqa: N818
    """Ends a forward pass that has gone far enough."""


def _telling_layers(functional):
    """The layers that know a range, up to the first `BatchNormalization`."""
    found = []
    for operation in functional.operations:
        inner = functional_of(operation)
        if inner is not None:
            found += _telling_layers(inner)
        elif type(operation) in _TELLING:
            found.append(operation)
        if found and isinstance(found[-1], layers.BatchNormalization):
            break
    return found


def _of_rescaling(layer, values):
    scale = np.max(np.abs(to_numpy(layer.scale, "float32")))
    size = np.max(np.abs(values))
    if scale <= _SMALL_SCALE and 0 < size <= 1:
        return (
            f"{layer.name!r} rescales by {scale:.4g}, and what reaches it is within "
            "[-1, 1] already"
        )
    return None


def _of_batch_normalization(layer, values):
    variance = to_numpy(layer.moving_variance, "float32")
    low, high = variance.min(), variance.max()
    if high <= 1 + _FRESH and low >= high * (1 - _FRESH):
        return None
    return _compared(layer, values, variance, (layer.axis,))


def _of_normalization(layer, values):
    mean, variance = (
        to_numpy(layer.mean, "float32"),
        to_numpy(layer.variance, "float32"),
    )
    if layer.invert or (np.all(mean == 0) and np.all(variance == 1)):
        return None
    return _compared(layer, values, variance.reshape(-1), layer.axis)


def _compared(layer, values, variance, axes):
    """What to say of values with another variance along `axes` than that known."""
    if values.std() <= _FLAT * np.max(np.abs(values)):
        return None
    kept = {axis % values.ndim for axis in axes}
    others = tuple(axis for axis in range(values.ndim) if axis not in kept)
    ratio = np.median(values.var(axis=others).reshape(-1) / np.maximum(variance, 1e-30))
    if _LOW <= ratio <= _HIGH:
        return None
    return f"the variance of what reaches {layer.name!r} is {ratio:.2g} times as large"


_TELLING = {
    layers.Rescaling: _of_rescaling,
    layers.Normalization: _of_normalization,
    layers.BatchNormalization: _of_batch_normalization,
}
