"""Local attention pooling of images and feature maps."""

import keras

from keras_lap.layers.base_windowed_la_pooling import BaseWindowedLAPooling


@keras.saving.register_keras_serializable("keras_lap")
class LAPooling2D(BaseWindowedLAPooling):
    """Local attention pooling (LAP) for 2D feature maps.

    Every pixel is scored for `concepts` concepts by a 1x1 convolution. Inside each
    window the pixels are averaged with weights that grow with their score, and by
    default each pixel is multiplied by its score besides, so that a pixel with a
    score of zero has no influence on the output. The scores are the explanation:
    they say where the information came from.

    The output has `floor((size - pool_size) / strides) + 1` pixels along an axis
    with `padding="valid"` and `ceil(size / strides)` with `padding="same"`.

    Args:
        pool_size: Integer or a pair, `(height, width)` of the window.
        strides: Integer, a pair, or `None` for `pool_size`.
        padding: `"valid"`, `"same"`, or explicit zeros
            `((top, bottom), (left, right))`, each smaller than the window. Padded
            pixels carry no weight; a base branch sees explicit zeros.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras'
            own setting.
        concepts: Number of concept maps `K`.
        hidden: Width of a hidden layer in the score head, or `None`.
        weighting: `"gaussian"`: `exp(-alpha^2 (max - score)^2)`, or `"softmax"`:
            `exp(alpha (score - max))`.
        gating: `"score"` multiplies each pixel by its attention score; `None` only
            weights the pixels of a window against each other.
        alpha: Initial sharpness, positive; trained through a softplus. Weight decay
            draws it to 0.69, the softplus of 0, unless the optimizer is told, before it
            is built, to `exclude_from_weight_decay(var_names=["raw_alpha"])`.
        scores: How attention comes from concept scores: `"max"`, `"noisy_or"`, or
            `"features"`, where every channel is its own score. That takes no score
            head: alpha is left to train, and of no account are `concepts`, `hidden`,
            `score_activation`, `initial_score` and `score_gain`.
        score_activation: `"sigmoid"`, or `"ramp"`, `clip((z + 1) / 2, 0, 1)` of the
            logit `z`, which can close the gate exactly.
        initial_score: Score of every pixel at the start of training.
        detach_scores: Whether the output passes no gradient to the scores, so that
            they learn from knowledge losses alone. Else the task loss keeps a
            shortcut's scores up, against what knowledge says.
        score_gain: Factor of the logits, positive. Under an adaptive optimiser it acts
            on the scores as a factor of the learning rate. Scores that the task trains
            too can outrun a trained network at 10; at 1 they move as it does.
        base: `None`, or the pooling to blend with, `"max"`, `"avg"` or `"first"`,
            by the variable `gate`: 0 at first, which gives the base branch alone;
            1 gives LAP alone. See `keras_lap.callbacks.GateAnneal`.
        **kwargs: `name`, `dtype` and so on, as for every Keras layer.

    Input shape:
        `(N, H, W, C)` or, with `channels_first`, `(N, C, H, W)`.

    Output shape:
        `(N, H', W', C)` or, with `channels_first`, `(N, C, H', W')`.

    Raises:
        ValueError: If an argument is out of its range, or a window does not fit
            into the input.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.random.rand(2, 8, 8, 16).astype("float32")
    >>> keras_lap.LAPooling2D(2, concepts=10)(x).shape
    TensorShape([2, 4, 4, 16])

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808).
    """

    rank = 2
