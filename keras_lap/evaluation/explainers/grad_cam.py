"""Channels of a layer, weighted by their mean gradients."""

import numpy as np

from keras_lap.evaluation.explainers.layer_explainer import LayerExplainer


class GradCAM(LayerExplainer):
    """Grad-CAM as in the paper; on TensorFlow with the gradients of tf-explain.

    `keras_lap.evaluation.grad_cam` says what it computes: it starts from the score
    before the softmax, and the channels of the layer are weighted and added up.

    Args:
        layer_name: name of the layer whose features are weighted, see
            `LayerExplainer`. Defaults to `None`: the last layer with a rank-4 output of
            more than one pixel.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import GradCAM
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(4, 3),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(5, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> GradCAM().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def weighted(self, features, gradients):
        weights = gradients.mean(axis=(1, 2), keepdims=True)
        return np.sum(weights * features, axis=-1)
