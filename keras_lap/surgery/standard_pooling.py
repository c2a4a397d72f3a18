"""A LAP layer written out in standard Keras layers and operations."""

import keras
import numpy as np
from keras import layers, ops

from keras_lap.layers.score_head import attention_scores
from keras_lap.ops.reference import base_reference, la_pool_reference
from keras_lap.ops.repeats_border import repeats_border
from keras_lap.ops.windows import same_depends_on_size
from keras_lap.surgery.spatial_sizes import common_shape
from keras_lap.utils.layout import sizes_and_channels, spatial_axes

_KINDS = {"max": "Max", "avg": "Average"}


def standard_pooling(layer, *input_shapes):
    """Makes a layer that does at inference what a LAP layer does.

    It is a Functional model with the LAP layer's name. The score head becomes 1x1
    convolutions, with the batch norm of a hidden layer folded into them, and the
    pooling the operations of `la_pool_reference`, with alpha and gate as numbers. A
    gate of exactly 1 leaves no base branch. A gate of exactly 0 leaves nothing else:
    for `"max"` and `"avg"` a pooling layer, behind zero padding if need be, unless
    Keras' own is another one by `repeats_border`.

    Args:
        layer: A built LAP layer. It is only read.
        *input_shapes: Shapes that its calls read, with `None` where a size is unknown.

    Returns:
        A `keras.Model`, or a pooling layer that is not yet built.

    Raises:
        ValueError: If the layer has `padding="same"` and its zeros depend on a size
            that is unknown or not the same in all calls.

    Example:

    >>> import keras_lap
    >>> from keras_lap.surgery.standard_pooling import standard_pooling
    >>> layer = keras_lap.LAPooling2D(2, base="max", name="pool")
    >>> layer.build((None, 8, 8, 16))
    >>> type(standard_pooling(layer, (None, 8, 8, 16))).__name__
    'MaxPooling2D'
    >>> _ = layer.gate.assign(0.5)
    >>> model = standard_pooling(layer, (None, 8, 8, 16))
    >>> model.name, model.output_shape
    ('pool', (None, 4, 4, 16))
    """
    input_shape = common_shape(input_shapes)
    gate = 1.0 if layer.base is None else float(layer.gate)
    sizes, _ = sizes_and_channels(input_shape[1:], layer.data_format)
    windows = (layer.pool_size, layer.strides, layer.padding)
    has_layer = layer.base in _KINDS and not repeats_border(layer.base, sizes, *windows)
    if gate == 0 and has_layer:
        return _base_layer(layer, input_shape)
    x = inputs = keras.Input(input_shape[1:], dtype=layer.compute_dtype)
    if layer.data_format == "channels_first":
        x = ops.moveaxis(x, 1, -1)
    _check_sizes(layer, sizes, input_shapes)
    if gate == 0:
        y = base_reference(x, *windows, layer.base)
    else:
        blend = (None, None) if gate == 1 else (layer.base, gate)
        scores, alpha = _attention(layer, x), float(layer.sharpness)
        options = (layer.weighting, layer.gating, *blend)
        y = la_pool_reference(x, scores, alpha, *windows, *options)
    if layer.pool_size is None and not layer.keepdims:
        y = ops.squeeze(y, axis=spatial_axes("channels_last", layer.rank))
    elif layer.data_format == "channels_first":
        y = ops.moveaxis(y, -1, 1)
    return keras.Model(inputs, y, name=layer.name)


def _base_layer(layer, input_shape):
    """The base branch alone, which is a pooling layer, perhaps behind zero padding."""
    options = {"data_format": layer.data_format, "dtype": layer.dtype_policy}
    kind, rank = _KINDS[layer.base], layer.rank
    if layer.pool_size is None:
        make = getattr(layers, f"Global{kind}Pooling{rank}D")
        return make(keepdims=layer.keepdims, name=layer.name, **options)
    make = getattr(layers, f"{kind}Pooling{rank}D")
    explicit = not isinstance(layer.padding, str)
    pooling = make(
        layer.pool_size,
        layer.strides,
        "valid" if explicit else layer.padding,
        name="pool" if explicit else layer.name,
        **options,
    )
    if not explicit:
        return pooling
    zeros = layer.padding[0] if rank == 1 else layer.padding
    pad = getattr(layers, f"ZeroPadding{rank}D")(zeros, name="zeros", **options)
    inputs = keras.Input(input_shape[1:], dtype=layer.compute_dtype)
    return keras.Model(inputs, pooling(pad(inputs)), name=layer.name)


def _check_sizes(layer, sizes, input_shapes):
    if layer.padding != "same":
        return
    axes = zip(sizes, layer.pool_size, layer.strides, strict=True)
    for axis, (size, window, stride) in enumerate(axes):
        if size is not None or not same_depends_on_size(window, stride):
            continue
        maps = [
            sizes_and_channels(tuple(shape[1:]), layer.data_format)[0]
            for shape in input_shapes
        ]
        if None in [each[axis] for each in maps]:
            advice = (
                "Give the model a fixed input size: `copy = "
                "keras.models.clone_model(model, input_tensors=inputs)`, where "
                "`inputs` is `model.input` with `keras.Input((height, width, "
                "channels))` in the place of each tensor, then "
                "`copy.set_weights(model.get_weights())`."
            )
        else:
            advice = (
                "The sizes differ between its calls: build the model with a LAP layer "
                "for each size instead, all with its weights."
            )
        raise ValueError(
            f"Expected LAP layer {layer.name!r} to read maps of a known size, the same "
            'in all calls, on which the zeros of padding="same" depend. Received: '
            f"sizes {', '.join(map(str, maps))}, pool_size={layer.pool_size}, "
            f"strides={layer.strides}. {advice}"
        )


def _attention(layer, x):
    head = layer.head
    if head is None:
        return x
    if head.hidden is not None:
        dense, norm, _ = head.hidden_layers
        mean, variance, gamma, beta = map(
            _values, (norm.moving_mean, norm.moving_variance, norm.gamma, norm.beta)
        )
        scale = gamma / np.sqrt(variance + norm.epsilon)
        x = _score(x, dense, _values(dense.kernel) * scale, beta - mean * scale)
        x = layers.ReLU(name="relu", dtype=dense.dtype_policy)(x)
    kernel, bias = map(_values, (head.logits.kernel, head.logits.bias))
    logits = _score(x, head.logits, head.gain * kernel, head.gain * bias)
    return attention_scores(head.scores(logits), layer.scores)


def _score(x, dense, kernel, bias):
    """Applies a kernel and a bias to every pixel, in a layer named after `dense`."""
    rank = len(x.shape) - 2
    make = getattr(layers, f"Conv{rank}D")
    options = {"data_format": "channels_last", "dtype": dense.dtype_policy}
    convolution = make(dense.units, 1, name=dense.name, **options)
    y = convolution(x)
    convolution.set_weights([kernel.reshape((1,) * rank + kernel.shape), bias])
    return y


def _values(variable):
    """An array of float64, so that folding adds no rounding of its own."""
    return ops.convert_to_numpy(variable).astype("float64")
