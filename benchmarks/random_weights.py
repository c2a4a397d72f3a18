"""Random weights with which a network of any depth still tells images apart."""

import numpy as np
from keras import layers, ops

# Spread of a classifier's logits: a distinct answer, far from a certain one.
LOGIT_SPREAD = 2.5
# How much of the mean batch normalisation takes off. Random weights of many layers blow
# up what is left, rounding with it, where all is taken off; where none is, all images
# end up the same.
CENTRED = 0.2


def random_weights(model, images, rng):
    """Gives a new model the uneven weights and statistics of a trained one.

    The images pass through the model once, and each layer is set as they reach it.
    Kernels keep their random values, scaled to an output of spread 1; normalisation
    gets statistics of the scale of what it sees, drawn for each channel; gains, offsets
    and biases are drawn. So values neither vanish nor explode, however deep the
    network, and no weight has the value of a new layer, behind which a mistake could
    hide.

    Args:
        model: A model as keras.applications builds it without pretrained weights.
        images: float32 `(N, H, W, 3)`.
        rng: A `numpy.random.Generator`.
    """
    leaves = [
        layer
        for layer in model._flatten_layers()
        if layer.weights and not list(layer._flatten_layers(include_self=False))
    ]
    logits = [layer for layer in leaves if _kernels(layer)][-1]
    for layer in leaves:
        spread = LOGIT_SPREAD if layer is logits else 1.0
        layer.call = _drawing(layer, spread, rng)
    try:
        model(images, training=False)
    finally:
        for layer in leaves:
            del layer.call


def _drawing(layer, spread, rng):
    """The layer's `call`, which draws its weights before it computes."""
    call = layer.call

    def draw_and_call(x, *args, **kwargs):
        if _kernels(layer):
            kernel = _kernels(layer)[-1]
            kernel.assign(kernel * spread / _output_spread(layer, call, x))
        for weight in layer.trainable_weights:
            if weight.name in ("bias", "beta"):
                weight.assign(rng.normal(0, 0.2, weight.shape))
            elif "kernel" not in weight.name:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        if isinstance(layer, layers.BatchNormalization):
            _set_statistics(layer.moving_mean, layer.moving_variance, x, rng)
        if isinstance(layer, layers.Normalization):
            _set_statistics(layer.adapt_mean, layer.adapt_variance, x, rng)
            layer.finalize_state()
        return call(x, *args, **kwargs)

    return draw_and_call


def _kernels(layer):
    return [weight for weight in layer.weights if "kernel" in weight.name]


def _output_spread(layer, call, x):
    """Spread of a layer's output before its activation function."""
    activation, layer.activation = layer.activation, None
    spread = ops.std(call(x))
    layer.activation = activation
    return spread


def _set_statistics(mean, variance, x, rng):
    axes = list(range(len(x.shape) - 1))
    seen_mean, seen_variance = map(ops.convert_to_numpy, ops.moments(x, axes))
    centre = CENTRED * seen_mean
    variance.assign(
        np.mean(seen_variance + (seen_mean - centre) ** 2)
        * rng.uniform(0.6, 1.6, centre.shape)
    )
    mean.assign(centre + rng.normal(0, 0.2, centre.shape) * np.sqrt(variance))
