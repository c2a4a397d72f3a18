"""Which activations act on each pixel by itself."""

import keras
from keras import activations, layers

from keras_lap.surgery.rewrite import LeftAloneError
from keras_lap.utils.layout import spatial_axes

_ALONG_LAST_AXIS = (
    activations.glu,
    activations.log_softmax,
    activations.softmax,
    activations.sparsemax,
)


def check_activation(layer):
    """Refuses an activation that would give other values on a larger map.

    What Keras does not have is taken for one that acts on each pixel by itself.

    Args:
        layer: A convolution.

    Raises:
        LeftAloneError: If its activation is a layer with an axis, a `PReLU` with a
            weight per pixel, or a function of Keras along an axis that is spatial.
    """
    activation = layer.activation
    if isinstance(activation, layers.PReLU):
        shared = set(activation.shared_axes or ())
        if not shared.issuperset(spatial_axes(layer.data_format)):
            raise LeftAloneError("its activation has weights for each of its pixels")
    if isinstance(activation, keras.Layer):
        has_axis = hasattr(activation, "axis")
    else:
        is_spatial = layer.data_format == "channels_first"
        has_axis = is_spatial and activation in _ALONG_LAST_AXIS
    if has_axis:
        raise LeftAloneError(
            "its activation works along an axis, and may see the pixels between the "
            "strides too"
        )
