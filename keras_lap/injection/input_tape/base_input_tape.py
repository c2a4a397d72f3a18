"""Gradients with respect to the images of the forward pass that is trained on."""

import keras
from keras import ops

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


class InputTape:
    """Records what is computed of images inside of a `with` block, on TensorFlow.

    Args:
        images: Float tensor `(N, H, W, C)`, or with `channels_first` `(N, C, H, W)`.
        data_format: `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: If Keras runs on another backend, or the images are none, or not
            of a float dtype.
    """

    def __init__(self, images, data_format="channels_last"):
        backend = keras.config.backend()
        if backend != "tensorflow":
            raise ValueError(
                "Expected Keras to run on TensorFlow, where losses on input gradients "
                f"can see the forward pass. Received: backend {backend!r}"
            )
        is_image = len(getattr(images, "shape", ())) == 4
        if not is_image or not keras.backend.is_float_dtype(images.dtype):
            raise ValueError(
                "Expected a model with a single input, images (N, H, W, C) of a float "
                "dtype, for losses on input gradients: cast integers beforehand. "
                f"Received: {images!r}"
            )
        self._images = images
        self._data_format = data_format
        self._tape = tf.GradientTape(persistent=True)

    def __enter__(self):
        self._tape.__enter__()
        self._tape.watch(self._images)
        return self

    def __exit__(self, *exception):
        self._tape.__exit__(*exception)

    @property
    def image_size(self):
        """Number of the images, their height and their width."""
        samples, *size = ops.shape(self._images)
        size = size[1:] if self._data_format == "channels_first" else size[:2]
        return samples, *size

    def gradient(self, target):
        """Gradient of the sum of a target computed inside of the block.

        Tapes that are open besides this one record it.

        Args:
            target: Tensor.

        Returns:
            Tensor `(N, H, W, C)` of the images' dtype.

        Raises:
            ValueError: If the target does not depend on the images.
        """
        with self._tape.stop_recording():
            gradient = self._tape.gradient(target, self._images)
        if gradient is None:
            raise ValueError(
                "Expected predictions that depend on the images of the step, through "
                "operations that have gradients. Received some that do not."
            )
        if self._data_format == "channels_first":
            return ops.transpose(gradient, (0, 2, 3, 1))
        return gradient
