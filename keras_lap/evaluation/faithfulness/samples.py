"""What every metric of faithfulness is given."""

import numpy as np

from keras_lap.classifier.image_input import check_finite
from keras_lap.evaluation.predictor import Predictor
from keras_lap.evaluation.standardize_maps import standardize_maps
from keras_lap.evaluation.targets import check_classes, standardize_targets


class Samples:
    """Images with the maps and classes that are to be judged, checked.

    Args:
        predict: a `Predictor`, or what one is made of.
        images: array `(N, H, W, C)`, finite.
        maps: array `(N, H, W)`, finite.
        targets: int array `(N,)`, or one int for all images.
        batch_size: int, number of images per call of the model.

    Raises:
        ValueError: If the shapes do not fit, there are no samples, or a value is NaN
            or infinite.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.faithfulness.samples import Samples
    >>> def brightness(images):
    ...     bright = images.mean(axis=(1, 2, 3))
    ...     return np.stack([1 - bright, bright], axis=1)
    >>> images = np.full((3, 2, 2, 1), 0.5)
    >>> samples = Samples(brightness, images, images[..., 0], 1, batch_size=2)
    >>> def brighter(index):
    ...     for factor in (0, 1, 2):
    ...         yield factor * samples.image(index)
    >>> samples.probabilities(brighter)
    array([[0. , 0.5, 1. ],
           [0. , 0.5, 1. ],
           [0. , 0.5, 1. ]])
    """

    def __init__(self, predict, images, maps, targets, batch_size):
        predictor = predict if isinstance(predict, Predictor) else Predictor(predict)
        self._predictor, self._batch_size = predictor, batch_size
        self._images = np.asarray(images)
        _check_images(self._images)
        self._maps = standardize_maps(maps)
        _check_maps(self._maps, self._images)
        self.targets = standardize_targets(targets, len(self))
        self.dtype = np.result_type(self._images.dtype, "float32")

    def __len__(self):
        return len(self._images)

    @property
    def size(self):
        """Height and width."""
        return self._maps.shape[1:]

    def image(self, index):
        """A new float copy of an image, `(H, W, C)`."""
        return self._images[index].astype(self.dtype)

    def map(self, index):
        """A new float64 copy of a map, `(H, W)`."""
        return self._maps[index].astype("float64")

    def probabilities(self, variants, measure="probability"):
        """What the model says of variants of each image, one batch in memory at a time.

        Args:
            variants: function that takes the index of a sample and returns an iterable
                of its variants, arrays `(H, W, C)`, for all samples equally many.
            measure: `"probability"` of the target, or `"accuracy"`: 1 if the target
                has the highest probability, else 0; among `n` classes that share the
                highest, `1 / n`.

        Returns:
            float64 array `(N, variants)`.

        Raises:
            ValueError: If a target is no class of the model, or as `Predictor.rows`.
        """
        owners = []

        def images():
            for index in range(len(self)):
                for image in variants(index):
                    owners.append(index)
                    yield image.astype(self.dtype, copy=False)

        values = []
        for row in self._predictor.rows(images(), self._batch_size):
            if not values:
                check_classes(self.targets, len(row))
            target = self.targets[owners[len(values)]]
            values.append(_MEASURES[measure](row, target))
        return np.reshape(values, (len(self), -1))


def _check_images(images):
    received = f"Received: images of dtype {images.dtype} and shape {images.shape}"
    if images.ndim != 4 or 0 in images.shape or images.dtype.kind not in "uif":
        raise ValueError(
            "Expected images of shape (N, H, W, C), not empty, of integers or floats. "
            f"{received}. Give one image a batch axis with `images[None]`, gray images "
            "a channel axis with `images[..., None]`."
        )
    check_finite(images)


def _check_maps(maps, images):
    if maps.shape != images.shape[:3]:
        raise ValueError(
            f"Expected maps of shape {images.shape[:3]}, one number per pixel of each "
            f"image. Received: maps.shape={maps.shape}. Resize the maps to the size of "
            "the images."
        )


def _probability(row, target):
    return row[target]


def _accuracy(row, target):
    best = row == row.max()
    return best[target] / best.sum()


_MEASURES = {"probability": _probability, "accuracy": _accuracy}
MEASURES = tuple(_MEASURES)
