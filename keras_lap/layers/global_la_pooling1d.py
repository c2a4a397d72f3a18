"""Local attention pooling of whole sequences."""

import keras

from keras_lap.layers.base_global_la_pooling import BaseGlobalLAPooling


@keras.saving.register_keras_serializable("keras_lap")
class GlobalLAPooling1D(BaseGlobalLAPooling):
    """Local attention pooling with one window over the whole sequence.

    Stands where a `GlobalAveragePooling1D` or `GlobalMaxPooling1D` would. Scores,
    weights and gating are those of `LAPooling1D`.

    Args:
        data_format: As for `LAPooling2D`.
        keepdims: Whether to keep the spatial axis, of size 1.
        concepts, hidden, weighting, gating, alpha, scores, score_activation,
            initial_score, detach_scores, score_gain, base: As for `LAPooling2D`, of
            steps in place of pixels.
        **kwargs: `name`, `dtype` and so on, as for every Keras layer.

    Input shape:
        `(N, L, C)` or, with `channels_first`, `(N, C, L)`.

    Output shape:
        `(N, C)`; with `keepdims`, `(N, 1, C)` or `(N, C, 1)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.random.rand(2, 8, 16).astype("float32")
    >>> keras_lap.GlobalLAPooling1D(concepts=10)(x).shape
    TensorShape([2, 16])

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808).
    """

    rank = 1
