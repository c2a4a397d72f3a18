"""Parts of the image that the model misses when they are covered."""

import math

import numpy as np

from keras_lap.evaluation.explainers.covered import covered
from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.evaluation.explainers.resized import resized
from keras_lap.evaluation.outputs import signed_outputs
from keras_lap.evaluation.targets import check_classes
from keras_lap.utils.standardize_count import standardize_count


class Occlusion(Explainer):
    r"""How far the probability falls when a patch of the image is covered.

    With the model's output $p$ for the class, as it is and not before the softmax, and
    the image $x_u$ whose patch $u$ is covered, patch $u$ has the value
    $p(x) - p(x_u)$. The patches do not overlap; their values are resized bilinearly to
    the size of the image. All channels are covered together. A single output speaks for
    class 1 of two: what makes it fall is what makes class 0 rise.

    tf-explain has the same, but covers with 127.5 in images of any range, returns
    $1 - p(x_u)$, and takes height for width where images are not square.

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks",
    ECCV 2014.

    Args:
        patch_size: int, side of a patch in pixels. Defaults to `None`: an eighth of the
            shorter side of the image, rounded up.
        value: float, what patches are covered with. Defaults to `None`: the mean of
            each image over its pixels, for each channel.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Raises:
        ValueError: If `patch_size` is below 1.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import Occlusion
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((2, 8, 8, 3))
    >>> Occlusion(patch_size=4).explain(model, images, targets=[3, 1]).shape
    (2, 8, 8)
    """

    def __init__(self, patch_size=None, value=None, **options):
        super().__init__(**options)
        if patch_size is not None:
            patch_size = standardize_count("patch_size", patch_size)
        self.patch_size = patch_size
        self.value = value

    def prepare(self, model):
        def maps_of(images, targets):
            height, width = self.image_size(images)
            patch_size = self.patch_size or math.ceil(min(height, width) / 8)
            rows, columns = (math.ceil(side / patch_size) for side in (height, width))
            patch_of_pixel = np.add.outer(
                np.arange(height) // patch_size * columns,
                np.arange(width) // patch_size,
            )
            clear = signed_outputs(model, images, self.batch_size)
            check_classes(targets, clear.shape[-1])
            falls = np.empty((len(images), rows * columns), np.float32)
            for start in range(0, rows * columns, self.batch_size):
                batch = slice(start, start + self.batch_size)
                patches = np.arange(rows * columns)[batch]
                visible = patch_of_pixel != patches[:, None, None]
                for index, (image, target) in enumerate(
                    zip(images, targets, strict=True)
                ):
                    seen = covered(image, visible, self.value, self.data_format)
                    scores = signed_outputs(model, seen, self.batch_size)
                    falls[index, batch] = clear[index, target] - scores[:, target]
            # Whole patches, also where the image cuts off the last ones.
            maps = resized(
                falls.reshape(-1, rows, columns),
                (rows * patch_size, columns * patch_size),
            )
            return maps[:, :height, :width]

        return maps_of
