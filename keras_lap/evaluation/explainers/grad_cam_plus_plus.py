"""Channels of a layer, weighted so that small places of a class count."""

import numpy as np

from keras_lap.evaluation.explainers.layer_explainer import LayerExplainer


class GradCAMPlusPlus(LayerExplainer):
    r"""Grad-CAM++: several places of a class count, however small they are.

    With the features $A$ of one layer and the gradient $g = \partial s / \partial A$ of
    the score $s$ before the softmax, the map is

    $$ \mathrm{ReLU}\Big(\sum_c A_{pc} \sum_q \alpha_{qc} \, \mathrm{ReLU}(g_{qc})\Big),
       \qquad
       \alpha_{qc} = \frac{g_{qc}^2}{2 g_{qc}^2 + g_{qc}^3 \sum_r A_{rc}}, $$

    resized bilinearly to the size of the images. This is the closed form of the paper
    for $e^s$ as what the class is given; the factor $e^s$ that all weights of a map
    then share is left out. The derivation takes for granted that features are not
    negative, as after a ReLU. Where the denominator is not above zero, which needs
    negative features, $\alpha$ is zero.

    Source: Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual
    Explanations for Deep Convolutional Networks", WACV 2018.

    Args:
        layer_name: name of the layer whose features are weighted, see
            `LayerExplainer`. Defaults to `None`: the last layer with a rank-4 output of
            more than one pixel.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import GradCAMPlusPlus
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(4, 3, activation="relu"),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(5, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> GradCAMPlusPlus().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def weighted(self, features, gradients):
        rising = np.maximum(gradients, 0)
        # Divided by the squared gradient, which may be too small for float32.
        denominator = 2 + rising * features.sum(axis=(1, 2), keepdims=True)
        alphas = np.divide(
            1, denominator, out=np.zeros_like(denominator), where=denominator > 0
        )
        weights = np.sum(alphas * rising, axis=(1, 2), keepdims=True)
        return np.sum(weights * features, axis=-1)
