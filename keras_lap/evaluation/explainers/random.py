"""A baseline that knows nothing."""

import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.utils.standardize_count import standardize_count


class Random(Explainer):
    """Uniform noise in `[0, 1)`, to compare with: it knows neither model nor image.

    Args:
        seed: int of at least 0, seed of the noise. Defaults to `0`. The n-th image of a
            call has the same map in every call.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Raises:
        ValueError: If `seed` is something else.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import Random
    >>> Random(seed=1).explain(None, np.zeros((2, 8, 8, 3)), targets=0).shape
    (2, 8, 8)
    """

    def __init__(self, seed=0, **options):
        super().__init__(**options)
        self.seed = standardize_count("seed", seed, least=0)

    def prepare(self, model):
        return lambda images, targets: np.random.default_rng(self.seed).random(
            (len(images), *self.image_size(images)), np.float32
        )
