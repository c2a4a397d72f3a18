"""The images of a step, for losses that look into them."""

import keras
from keras import ops, tree

from keras_lap.utils.layout import channel_axis, height_and_width


class ImageBatch:
    """Images in the layout of their model, and in that of the losses.

    Args:
        inputs: What the model is called on: a float tensor `(N, H, W, C)`, or with
            `channels_first` `(N, C, H, W)`, or a structure with that alone in it.
        data_format: `"channels_last"` or `"channels_first"`.

    Attributes:
        images: The tensor.

    Raises:
        ValueError: If there is no such tensor.
    """

    def __init__(self, inputs, data_format):
        tensors = tree.flatten(inputs)
        if len(tensors) != 1 or not _is_image(tensors[0]):
            raise ValueError(
                "Expected a model with a single input, images (N, H, W, C) of a float "
                "dtype, for losses on input gradients or on changed images: cast "
                f"integers beforehand. Received: {_described(tensors)}"
            )
        (self.images,) = tensors
        self._inputs = inputs
        self._data_format = data_format

    @property
    def size(self):
        """Number of the images, their height and their width."""
        shape = ops.shape(self.images)
        return shape[0], *height_and_width(shape, self._data_format)

    def channels_last(self, images):
        """Turns what has the layout of the model into `(N, H, W, C)`."""
        return ops.moveaxis(images, channel_axis(self._data_format), -1)

    def as_inputs(self, images):
        """Turns images in the layout of the model into what it is called on."""
        return tree.pack_sequence_as(self._inputs, [images])

    def for_model(self, images):
        """Turns `(N, H, W, C)` into what the model is called on, dtype included."""
        images = ops.cast(images, self.images.dtype)
        return self.as_inputs(ops.moveaxis(images, -1, channel_axis(self._data_format)))


def _is_image(tensor):
    return len(getattr(tensor, "shape", ())) == 4 and keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(tensor.dtype)
    )


def _described(tensors):
    if len(tensors) != 1:
        return f"{len(tensors)} inputs"
    return f"an input of shape {tuple(tensors[0].shape)} and dtype {tensors[0].dtype}"
