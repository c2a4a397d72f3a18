"""The small network that several examples train from scratch."""

from keras import layers

import keras_lap

# Of LAP layers that are told places, as by `keras_lap.convert(..., preset="places")`.
TOLD_PLACES = {
    "hidden": 32,
    "score_activation": "ramp",
    "initial_score": 0.5,
    "detach_scores": True,
}


def lap_features(image, **options):
    """Four convolutions with LAP layers behind the second to the fourth.

    Args:
        image: The input of the network, `(N, H, W, C)` in `[0, 255]`.
        **options: Of the LAP layers.

    Returns:
        Features `(N, 64)`.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.MaxPooling2D(2)(convolve(16, x))
    x = keras_lap.LAPooling2D(2, **options)(convolve(32, x))
    x = keras_lap.LAPooling2D(2, **options)(convolve(64, x))
    return keras_lap.GlobalLAPooling2D(**options)(convolve(64, x))


def convolve(filters, x):
    """A 3x3 convolution of feature maps, normalised, with ReLU."""
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
