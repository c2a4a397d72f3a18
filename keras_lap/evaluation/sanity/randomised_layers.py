"""Layers with weights, and new random weights for them."""

import keras
import numpy as np

from keras_lap.graph.functional_of import functional_of
from keras_lap.layers.score_head import ScoreHead


def layers_with_weights(model):
    """What is randomised at a time: the layers that hold weights, from the output on.

    Functional and Sequential models are followed along the forward pass, nested ones
    entered at any depth; the inner layers of other layers come in the order in which
    they were created. The score head of a LAP layer is a layer of its own, as a whole.
    A shared layer is listed once; inner layers of one path are one entry. What cannot
    be drawn anew, such as the gate and alpha of LAP layers, one number each, is left
    out.

    Args:
        model: A `keras.Model`.

    Returns:
        Dict from paths, such as `"backbone/conv1"`, to lists of pairs of a variable and
        its initializer, or `None` where there is none that can be drawn from anew.

    Example:

    >>> import keras, keras_lap
    >>> from keras_lap.evaluation.sanity.randomised_layers import layers_with_weights
    >>> layers = [keras_lap.LAPooling2D(2, name="pool"), keras.layers.Flatten()]
    >>> layers += [keras.layers.Dense(3, name="head")]
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    >>> list(layers_with_weights(model))
    ['head', 'pool/score_head']
    """
    groups, seen = {}, set()
    _collect(model, "", groups, seen)
    return dict(reversed(groups.items()))


def randomise(weights, generator):
    """Draws weights anew.

    Each comes from the initializer of its layer; where the layer does not name it, or
    it is a function or an array, the values are shuffled, and so are the integers of
    quantised weights.

    Args:
        weights: Pairs of a variable and its initializer or `None`, as in
            `layers_with_weights`.
        generator: Where the random numbers come from.
    """
    for variable, initializer in weights:
        if initializer is None or not keras.backend.is_float_dtype(variable.dtype):
            values = generator.permuted(keras.ops.convert_to_numpy(variable), axis=None)
        else:
            config = initializer.get_config()
            if "seed" in config:
                config = config | {"seed": int(generator.integers(2**31))}
            fresh = type(initializer).from_config(config)
            values = fresh(variable.shape, dtype=variable.dtype)
        variable.assign(values)


def _collect(layer, path, groups, seen):
    if id(layer) in seen:
        return
    seen.add(id(layer))
    functional = functional_of(layer)
    inside = layer._layers if functional is None else functional.operations
    inside = [inner for inner in inside if isinstance(inner, keras.Layer)]
    if isinstance(layer, ScoreHead):
        weights = [weight for inner in inside for weight in _own_weights(inner)]
    else:
        for inner in inside:
            _collect(inner, f"{path}/{inner.name}".lstrip("/"), groups, seen)
        # Statistics of the images are nothing that the model has learned.
        is_fixed = isinstance(layer, keras.layers.Normalization)
        weights = [] if is_fixed else _own_weights(layer)
    if weights:
        # Inner layers of one layer may share a name.
        groups.setdefault(path, []).extend(weights)


def _own_weights(layer):
    of_others = {id(weight) for inner in layer._layers for weight in inner.weights}
    pairs = (
        (weight, _initializer(layer, weight.name))
        for weight in layer.weights
        if id(weight) not in of_others
    )
    return [
        (weight, initializer)
        for weight, initializer in pairs
        if initializer is not None or np.prod(weight.shape) > 1
    ]


def _initializer(layer, name):
    kind = name.removesuffix("_kernel")
    initializer = getattr(layer, f"{kind}_initializer", None)
    if kind == "kernel" and initializer is None:
        # That of a depthwise layer, whose weight has the plain name.
        initializer = getattr(layer, "depthwise_initializer", None)
    is_drawn_anew = isinstance(initializer, keras.initializers.Initializer)
    return initializer if is_drawn_anew else None
