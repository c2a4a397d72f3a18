"""Maps of a layer, brought to the pixels of the image."""

import keras
import numpy as np


def resized(maps, size):
    """Maps of another size, by bilinear interpolation between the pixels' centres.

    Args:
        maps: Float array `(N, h, w)`.
        size: Height and width.

    Returns:
        Float32 array `(N, H, W)`.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers.resized import resized
    >>> resized(np.array([[[0.0, 4.0]]]), (1, 4)).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """
    larger = keras.ops.image.resize(
        np.asarray(maps, np.float32)[..., None],
        size,
        interpolation="bilinear",
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(larger)[..., 0]
