"""To first order, what each pixel adds to the score."""

from keras_lap.evaluation.explainers.gradient_explainer import GradientExplainer


class GradientInput(GradientExplainer):
    r"""Gradient of the class score to the image, times the image.

    With the score $s$ before the softmax, a channel's value is
    $x_{pc} \, \partial s / \partial x_{pc}$, and a pixel's the sum of the absolute
    values over its channels, or what `channels` says. With `channels="sum"` the map of
    a score that is linear in the image adds up to it, but for its bias.

    Zeros get no value, whatever they mean: black only if the model takes pixels from 0
    on.

    Source: Shrikumar et al., "Not Just a Black Box: Learning Important Features Through
    Propagating Activation Differences", 2016, who name it as what others do.

    Args:
        **options: `name`, `batch_size`, `data_format` and `channels`, see `Explainer`
            and `GradientExplainer`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import GradientInput
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> GradientInput().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def attributions(self, gradients_of, images, targets, generator):
        return images * gradients_of(images, targets)
