"""Which pixels would change the score most."""

from keras_lap.evaluation.explainers.gradient_explainer import GradientExplainer


class VanillaGradients(GradientExplainer):
    r"""Gradient of the class score to the image; on TensorFlow by tf-explain.

    With the score $s$ before the softmax, a pixel's value is
    $\sum_c |\partial s / \partial x_{pc}|$ over its channels, or what `channels` says.

    Source: Simonyan et al., "Deep Inside Convolutional Networks: Visualising Image
    Classification Models and Saliency Maps", 2013, who take the maximum over the
    channels: `channels="absolute_max"`.

    Args:
        **options: `name`, `batch_size`, `data_format` and `channels`, see `Explainer`
            and `GradientExplainer`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import VanillaGradients
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> VanillaGradients().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def attributions(self, gradients_of, images, targets, generator):
        return gradients_of(images, targets)
