"""Local attention pooling of sequences."""

import keras

from keras_lap.layers.base_windowed_la_pooling import BaseWindowedLAPooling


@keras.saving.register_keras_serializable("keras_lap")
class LAPooling1D(BaseWindowedLAPooling):
    """Local attention pooling (LAP) for sequences.

    Each step is scored, weighted and gated as `LAPooling2D` does with pixels.

    Args:
        pool_size: Integer, the length of the window.
        strides: Integer, or `None` for `pool_size`.
        padding: `"valid"`, `"same"`, or explicit zeros `((before, after),)`, each
            fewer than the window is long. Padded steps carry no weight; a base branch
            sees explicit zeros.
        data_format, concepts, hidden, weighting, gating, alpha, scores,
            score_activation, initial_score, detach_scores, score_gain, base: As for
            `LAPooling2D`, of steps in place of pixels.
        **kwargs: `name`, `dtype` and so on, as for every Keras layer.

    Input shape:
        `(N, L, C)` or, with `channels_first`, `(N, C, L)`.

    Output shape:
        `(N, L', C)` or, with `channels_first`, `(N, C, L')`.

    Raises:
        ValueError: If an argument is out of its range, or a window does not fit
            into the input.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.random.rand(2, 8, 16).astype("float32")
    >>> keras_lap.LAPooling1D(2, concepts=10)(x).shape
    TensorShape([2, 4, 16])

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808).
    """

    rank = 1
