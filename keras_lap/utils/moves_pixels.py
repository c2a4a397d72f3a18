"""Which layers of Keras put the pixels of an image to other places."""

from keras import layers

from keras_lap.utils.preprocessing_layers import IN_PLACE


def moves_pixels(layer):
    """Whether a preprocessing layer puts the pixels of images to other places.

    Masks and boxes given beside the images do not fit any longer behind such a layer.
    It does so in training alone, apart from `CenterCrop` and `Resizing`.

    Args:
        layer: A Keras layer. A `Pipeline` or a model moves pixels if one of its layers
            does.

    Returns:
        `True` for layers that flip, turn, shift, zoom, shear, distort or crop images,
        or lay one over another, and for layers of your own that derive from Keras'
        preprocessing layers for images. `False` for those of Keras that change colours
        only, for a `Resizing` that neither crops nor pads, as places relative to the
        image stay, and for every layer that does not preprocess images.

    Example:

    >>> import keras
    >>> from keras_lap.utils.moves_pixels import moves_pixels
    >>> moves_pixels(keras.layers.RandomContrast(0.2))
    False
    >>> moves_pixels(
    ...     keras.layers.Pipeline(
    ...         [keras.layers.RandomContrast(0.2), keras.layers.RandomFlip()]
    ...     )
    ... )
    True
    """
    if isinstance(layer, layers.Resizing):
        return layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio
    if hasattr(layer, "transform_segmentation_masks"):
        return not isinstance(layer, IN_PLACE)
    return any(map(moves_pixels, getattr(layer, "layers", ())))
