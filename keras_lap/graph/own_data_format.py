"""Where an operation itself says that the channels of images lie."""

from keras import layers

from keras_lap.utils.layout import DATA_FORMATS
from keras_lap.utils.preprocessing_layers import IN_PLACE

# Theirs is Keras' own wherever the channels of what they read lie.
_OF_ANY_LAYOUT = (layers.Flatten, *IN_PLACE)


def own_data_format(operation):
    """The `data_format` of an operation that stands for the layout of what it reads.

    Args:
        operation: A layer, or another operation of Keras.

    Returns:
        `"channels_last"` or `"channels_first"`; `None` if it has none, and for layers
        that flatten or change colours alone, which say nothing by theirs.

    Example:

    >>> import keras
    >>> from keras_lap.graph.own_data_format import own_data_format
    >>> own_data_format(keras.layers.MaxPooling2D(data_format="channels_first"))
    'channels_first'
    >>> own_data_format(keras.layers.Flatten()) is None
    True
    """
    found = getattr(operation, "data_format", None)
    says = found in DATA_FORMATS and not isinstance(operation, _OF_ANY_LAYOUT)
    return found if says else None
