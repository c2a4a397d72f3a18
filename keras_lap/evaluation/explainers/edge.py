"""A baseline that knows the image alone."""

import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.utils.layout import channel_axis


class Edge(Explainer):
    """Strength of the image's edges, to compare with: it does not know the model.

    The Euclidean length of the two Sobel derivatives of the mean over the channels,
    with the border repeated outward.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, show that some
    methods come close to an edge detector.

    Args:
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import Edge
    >>> images = np.zeros((1, 3, 6, 1))
    >>> images[:, :, 3:] = 1
    >>> Edge().explain(None, images, targets=0)[0, 1].tolist()
    [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]
    """

    def prepare(self, model):
        def maps_of(images, targets):
            channels = channel_axis(self.data_format)
            grey = np.asarray(images, np.float32).mean(axis=channels)
            return np.hypot(_sobel(grey, 1, 2), _sobel(grey, 2, 1))

        return maps_of


def _sobel(grey, across, along):
    """Derivative along one axis, smoothed across the other."""
    padding = [(0, 0), (1, 1), (1, 1)]
    grey = np.moveaxis(np.pad(grey, padding, mode="edge"), (across, along), (-2, -1))
    change = grey[..., 2:] - grey[..., :-2]
    smooth = change[..., :-2, :] + 2 * change[..., 1:-1, :] + change[..., 2:, :]
    return np.moveaxis(smooth, (-2, -1), (across, along))
