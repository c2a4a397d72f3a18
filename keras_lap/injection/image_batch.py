"""The images of a step, for losses that look into them."""

import keras
from keras import ops


class ImageBatch:
    """Images in the layout of their model, and in that of the losses.

    Args:
        images: Float tensor `(N, H, W, C)`, or with `channels_first` `(N, C, H, W)`.
        data_format: `"channels_last"` or `"channels_first"`.

    Attributes:
        images: As given.

    Raises:
        ValueError: If the images are none, or not of a float dtype.
    """

    def __init__(self, images, data_format="channels_last"):
        is_image = len(getattr(images, "shape", ())) == 4
        if not is_image or not keras.backend.is_float_dtype(
            keras.backend.standardize_dtype(images.dtype)
        ):
            raise ValueError(
                "Expected a model with a single input, images (N, H, W, C) of a float "
                "dtype, for losses on input gradients or on changed images: cast "
                f"integers beforehand. Received: {_described(images)}"
            )
        self.images = images
        self._is_first = data_format == "channels_first"

    @property
    def size(self):
        """Number of the images, their height and their width."""
        samples, *size = ops.shape(self.images)
        return samples, *(size[1:] if self._is_first else size[:2])

    def channels_last(self, images):
        """Turns what has the layout of the model into `(N, H, W, C)`."""
        return ops.moveaxis(images, 1, -1) if self._is_first else images

    def for_model(self, images):
        """Turns `(N, H, W, C)` into what the model takes, dtype included."""
        images = ops.cast(images, self.images.dtype)
        return ops.moveaxis(images, -1, 1) if self._is_first else images


def _described(images):
    if not hasattr(images, "shape"):
        return f"inputs of type {type(images).__name__}"
    return f"inputs of shape {tuple(images.shape)} and dtype {images.dtype}"
