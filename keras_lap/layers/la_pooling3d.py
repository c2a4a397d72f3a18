"""Local attention pooling of volumes."""

import keras

from keras_lap.layers.base_windowed_la_pooling import BaseWindowedLAPooling


@keras.saving.register_keras_serializable("keras_lap")
class LAPooling3D(BaseWindowedLAPooling):
    """Local attention pooling (LAP) for volumes.

    Each voxel is scored, weighted and gated as `LAPooling2D` does with pixels.

    Args:
        pool_size: Integer or three of them, `(depth, height, width)` of the window.
        strides: Integer, three of them, or `None` for `pool_size`.
        padding: `"valid"`, `"same"`, or explicit zeros, one `(before, after)` pair
            per axis, each smaller than the window. Padded voxels carry no weight; a
            base branch sees explicit zeros.
        data_format, concepts, hidden, weighting, gating, alpha, scores,
            score_activation, initial_score, detach_scores, score_gain, base: As for
            `LAPooling2D`, of voxels in place of pixels.
        **kwargs: `name`, `dtype` and so on, as for every Keras layer.

    Input shape:
        `(N, D, H, W, C)` or, with `channels_first`, `(N, C, D, H, W)`.

    Output shape:
        `(N, D', H', W', C)` or, with `channels_first`, `(N, C, D', H', W')`.

    Raises:
        ValueError: If an argument is out of its range, or a window does not fit
            into the input.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.random.rand(2, 8, 8, 8, 16).astype("float32")
    >>> keras_lap.LAPooling3D(2, concepts=10)(x).shape
    TensorShape([2, 4, 4, 4, 16])

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808).
    """

    rank = 3
