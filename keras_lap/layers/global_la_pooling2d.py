"""Local attention pooling of whole feature maps."""

import keras

from keras_lap.layers.base_global_la_pooling import BaseGlobalLAPooling


@keras.saving.register_keras_serializable("keras_lap")
class GlobalLAPooling2D(BaseGlobalLAPooling):
    """Local attention pooling with one window over the whole 2D map.

    Stands where a `GlobalAveragePooling2D` or `GlobalMaxPooling2D` would. Scores,
    weights and gating are those of `LAPooling2D`.

    Args:
        data_format: As for `LAPooling2D`.
        keepdims: Whether to keep the spatial axes, of size 1.
        concepts, hidden, weighting, gating, alpha, scores, score_activation,
            initial_score, detach_scores, score_gain, base: As for `LAPooling2D`.
        **kwargs: `name`, `dtype` and so on, as for every Keras layer.

    Input shape:
        `(N, H, W, C)` or, with `channels_first`, `(N, C, H, W)`.

    Output shape:
        `(N, C)`; with `keepdims`, `(N, 1, 1, C)` or `(N, C, 1, 1)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.random.rand(2, 8, 8, 16).astype("float32")
    >>> keras_lap.GlobalLAPooling2D(concepts=10)(x).shape
    TensorShape([2, 16])

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808).
    """

    rank = 2
