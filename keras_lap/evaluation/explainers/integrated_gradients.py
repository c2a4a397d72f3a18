"""What each pixel adds to the score on the way from zeros to the image."""

import numpy as np

from keras_lap.evaluation.explainers.gradient_explainer import GradientExplainer
from keras_lap.evaluation.explainers.mean_gradients import mean_gradients
from keras_lap.utils.standardize_count import standardize_count


class IntegratedGradients(GradientExplainer):
    r"""Gradients along the straight way from an image of zeros.

    With the score $s$ before the softmax, the image $x$ and the baseline $x' = 0$,

    $$ a = (x - x') \odot \frac{1}{S} \sum_{k=0}^{S-1}
       \nabla s\Big(x' + \frac{k}{S - 1} (x - x')\Big), $$

    and a pixel's value is the sum of $|a|$ over its channels, or what `channels` says.
    With `channels="sum"` a map adds up to $s(x) - s(x')$, but for the error of taking
    a sum for the integral.

    Zeros are black only if the model takes pixels from 0 on; in the range from -1 to 1
    they are grey.

    On TensorFlow the gradients are those of tf-explain, whose own method leaves the
    factor $x - x'$ of the paper out; here it is there.

    Source: Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017.

    Args:
        steps: int of at least 2, $S$, the number of gradients. Defaults to `32`.
            `batch_size // steps` images, at least one, go through the model at a time.
        **options: `name`, `batch_size`, `data_format` and `channels`, see `Explainer`
            and `GradientExplainer`.

    Raises:
        ValueError: If `steps` is below 2.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import IntegratedGradients
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> IntegratedGradients(steps=5).explain(model, images, [3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def __init__(self, steps=32, **options):
        super().__init__(**options)
        self.gradients_per_image = standardize_count("steps", steps, least=2)

    def attributions(self, gradients_of, images, targets, generator):
        steps = self.gradients_per_image
        shares = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, 1, 1, 1)
        return images * mean_gradients(gradients_of, images[:, None] * shares, targets)
