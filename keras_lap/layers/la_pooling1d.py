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
        data_format: As for `LAPooling2D`.
        concepts: As for `LAPooling2D`, like all that follow.
        hidden: Width of a hidden layer in the score head, or `None`.
        weighting: `"gaussian"` or `"softmax"`.
        gating: `"score"` or `None`.
        alpha: Initial sharpness, positive; for weight decay see `LAPooling2D`.
        scores: `"max"`, `"noisy_or"` or `"features"`.
        score_activation: `"sigmoid"` or `"ramp"`.
        initial_score: Score of every step at the start of training.
        detach_scores: Whether scores learn from knowledge losses alone.
        score_gain: Factor of the logits, positive; see `LAPooling2D`.
        base: `None`, `"max"`, `"avg"` or `"first"`.
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
