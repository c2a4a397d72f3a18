"""Channels of a layer, weighted by their mean gradients."""

import numpy as np

from keras_lap.evaluation.explainers.layer_explainer import LayerExplainer


class GradCAM(LayerExplainer):
    r"""Grad-CAM as in the paper.

    With the features $A$ of one layer ($Z$ pixels, channels $c$) and the score $s$ of
    the asked class before the softmax, the map is

    $$ \mathrm{ReLU}\Big(\sum_c \Big(\frac{1}{Z} \sum_p
       \frac{\partial s}{\partial A_{pc}}\Big) A_{pc}\Big) $$

    resized bilinearly to the size of the images.

    On TensorFlow the features and gradients are taken by tf-explain. Its own defaults,
    guided gradients and no ReLU, are not Grad-CAM and are not used. On JAX and torch
    nothing but Keras is needed.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", ICCV 2017.

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
