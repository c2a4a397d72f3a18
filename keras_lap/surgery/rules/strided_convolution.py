"""Which layers are convolutions with a stride."""

from keras_lap.graph.windows_of import CONVOLUTIONS


def is_strided_convolution(layer):
    """Whether a layer is one of Keras' 2D convolutions and has a stride."""
    return type(layer) in CONVOLUTIONS and max(layer.strides) > 1
