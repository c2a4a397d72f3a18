"""A baseline that knows where objects mostly are."""

import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer


class CenterGaussian(Explainer):
    r"""A bump at the centre of every image, to compare with: photographers aim.

    $\exp(-r^2 / 2)$, where $r$ is the distance to the centre in units of `width` times
    the image's height and width.

    Args:
        width: float above 0, standard deviation as a share of the image's height and
            width. Defaults to `0.25`.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Raises:
        ValueError: If `width` is not above 0.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import CenterGaussian
    >>> maps = CenterGaussian().explain(None, np.zeros((2, 9, 9, 3)), targets=0)
    >>> float(maps[0, 4, 4]), bool(maps[0, 0, 0] < 0.1)
    (1.0, True)
    """

    def __init__(self, width=0.25, **options):
        super().__init__(**options)
        if not width > 0:
            raise ValueError(f"Expected a width above 0. Received: {width=}")
        self.width = width

    def prepare(self, model):
        def maps_of(images, targets):
            rows, columns = (
                np.exp(-np.square(_from_centre(size) / self.width) / 2)
                for size in self.image_size(images)
            )
            map_ = np.outer(rows, columns)
            return np.broadcast_to(map_, (len(images), *map_.shape))

        return maps_of


def _from_centre(size):
    """Places of pixels, from -1/2 to 1/2 along an image."""
    return (np.arange(size) + 0.5) / size - 0.5
