"""What is thin, in masks that `Resizing` makes smaller."""

import keras
import tensorflow as tf

from keras_lap.utils.resized_masks import are_inside

# By so many pixels, Keras cuts out and pads otherwise than in the very middle.
_OFF_CENTRE = 1
# Of a pixel's edges, in old pixels.
_ROUNDING = 1e-6


class KeepThin:
    """Keeps what is thin where a layer makes masks smaller, as `resized_masks` does.

    Args:
        layer: A `keras.layers.Resizing`.
    """

    def __init__(self, layer):
        self._size = layer.height, layer.width
        self._crops, self._pads = layer.crop_to_aspect_ratio, layer.pad_to_aspect_ratio
        self._by_area = keras.layers.Resizing(
            *self._size,
            interpolation="area",
            crop_to_aspect_ratio=self._crops,
            pad_to_aspect_ratio=self._pads,
            data_format="channels_last",
            dtype="float32",
        )

    def __call__(self, masks, nearest):
        """The smaller masks, of the values of the larger ones alone.

        Args:
            masks: Float tensor `(..., H, W, K)`. What is not zero is inside.
            nearest: Float tensor, what the layer makes of it by the nearest pixels.

        Returns:
            Tensor of the shape and dtype of `nearest`. A pixel that is inside while
            the nearest one is not has the highest value that it covers.
        """
        shares = self._by_area(tf.cast(masks != 0, "float32"))
        highest = tf.reduce_max(shares, axis=(-3, -2), keepdims=True)
        is_near = nearest != 0
        inside = are_inside(shares, highest, tf.cast(is_near, "float32"))
        values = tf.where(is_near, nearest, self._highest_values(masks))
        shrinks = tf.reduce_any(tf.shape(masks)[-3:-1] > self._size)
        return tf.where(shrinks, tf.where(inside, values, 0.0), nearest)

    def _highest_values(self, masks):
        """The highest value but zero among those that each new pixel covers."""
        sides = tf.shape(masks)[-3:-1]
        scales = sides / self._size
        if self._crops:
            scales = tf.reduce_min(scales) * [1, 1]
        elif self._pads:
            scales = tf.reduce_max(scales) * [1, 1]
        off = _OFF_CENTRE if self._crops or self._pads else 0
        masks = tf.where(masks != 0, masks, masks.dtype.min)
        for at, axis in enumerate((-3, -2)):
            new, old, scale = self._size[at], sides[at], scales[at]
            begin = old / 2 + (tf.range(new, dtype="float64") - new / 2) * scale
            first = tf.cast(tf.floor(begin + _ROUNDING), "int32") - off
            last = tf.cast(tf.math.ceil(begin + scale - _ROUNDING), "int32") - 1 + off
            count = tf.reduce_max(last - first) + 1
            covered = tf.minimum(first[:, None] + tf.range(count), last[:, None])
            covered = tf.clip_by_value(covered, 0, old - 1)
            masks = tf.reduce_max(tf.gather(masks, covered, axis=axis), axis=axis)
        return masks
