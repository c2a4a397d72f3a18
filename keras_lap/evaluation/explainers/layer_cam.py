"""Channels of a layer, weighted place by place."""

import numpy as np

from keras_lap.evaluation.explainers.layer_explainer import LayerExplainer


class LayerCAM(LayerExplainer):
    r"""LayerCAM: each place of a layer has a weight of its own.

    With the features $A$ of one layer and the score $s$ before the softmax, the map is

    $$ \mathrm{ReLU}\Big(\sum_c \mathrm{ReLU}\Big(
       \frac{\partial s}{\partial A_{pc}}\Big) A_{pc}\Big) $$

    resized bilinearly to the size of the images. Unlike a mean gradient, it is of use
    in shallow layers, too.

    Source: Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for
    Localization", IEEE Transactions on Image Processing 30, 2021.

    Args:
        layer_name: name of the layer whose features are weighted, see
            `LayerExplainer`. Defaults to `None`: the last layer with a rank-4 output of
            more than one pixel.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import LayerCAM
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(4, 3, activation="relu"),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(5, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> LayerCAM().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def weighted(self, features, gradients):
        return np.sum(np.maximum(gradients, 0) * features, axis=-1)
