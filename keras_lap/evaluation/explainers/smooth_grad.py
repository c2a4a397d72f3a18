"""Noise that takes the noise out of gradients."""

import numpy as np

from keras_lap.evaluation.explainers.gradient_explainer import GradientExplainer
from keras_lap.evaluation.explainers.mean_gradients import mean_gradients
from keras_lap.utils.standardize_count import standardize_count


class SmoothGrad(GradientExplainer):
    r"""Mean gradient over noisy copies of the image.

    With the score $s$ before the softmax and $S$ draws of Gaussian noise of standard
    deviation $\sigma (\max x - \min x)$, taken over the image,

    $$ a = \frac{1}{S} \sum_{k=1}^S \nabla s(x + \epsilon_k), $$

    and a pixel's value is the sum of $|a|$ over its channels, or what `channels` says.

    On TensorFlow the gradients are those of tf-explain. Its own method takes gradients
    of the cross-entropy of the model's probabilities, which vanish where the model is
    sure, and noise in the units of the image; here the score and the noise are those of
    the paper.

    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017.

    Args:
        samples: int of at least 1, $S$. Defaults to `32`. `batch_size // samples`
            images, at least one, go through the model at a time.
        noise: float of at least 0, $\sigma$. Defaults to `0.15`; the paper found 0.1 to
            0.2 to work best.
        seed: int of at least 0, seed of the noise. The n-th image of a call has the
            same noise in every call. Defaults to `0`.
        **options: `name`, `batch_size`, `data_format` and `channels`, see `Explainer`
            and `GradientExplainer`.

    Raises:
        ValueError: If `samples` is below 1, or `noise` or `seed` is negative.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import SmoothGrad
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> SmoothGrad(samples=5).explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def __init__(self, samples=32, noise=0.15, seed=0, **options):
        super().__init__(**options)
        if not noise >= 0:
            raise ValueError(f"Expected noise of at least 0. Received: {noise=}")
        self.gradients_per_image = standardize_count("samples", samples)
        self.noise = noise
        self.seed = standardize_count("seed", seed, least=0)

    def attributions(self, gradients_of, images, targets, generator):
        ranges = np.ptp(images, axis=(1, 2, 3), keepdims=True)[:, None]
        noise = generator.normal(
            size=(len(images), self.gradients_per_image, *images.shape[1:])
        )
        return mean_gradients(
            gradients_of, images[:, None] + self.noise * ranges * noise, targets
        )
