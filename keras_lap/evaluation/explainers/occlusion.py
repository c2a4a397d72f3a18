import math

import numpy as np

from keras_lap.evaluation.class_scores import outputs
from keras_lap.evaluation.explainers.explainer import Explainer, checked_classes
from keras_lap.evaluation.explainers.tf_explain_method import tf_explain_method


class Occlusion(Explainer):
    r"""How far the probability falls when a patch of the image is covered.

    With the model's output $p$ for the class, as it is and not before the softmax, and
    the image $x_u$ whose patch $u$ is covered, patch $u$ has the value
    $p(x) - p(x_u)$. The patches do not overlap; their values are resized bilinearly to
    the size of the image. All channels are covered together. A single output speaks for
    class 1 of two: what makes it fall is what makes class 0 rise.

    By tf-explain, which lays the patches and puts the map together. What it does
    otherwise is not used: it covers with 127.5 in images of any range, returns
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

    def __init__(
        self,
        patch_size: int | None = None,
        value: float | None = None,
        **options,
    ):
        super().__init__(**options)
        if patch_size is not None and patch_size < 1:
            raise ValueError(
                f"Expected patches of at least one pixel. Received: {patch_size=}"
            )
        self.patch_size = patch_size
        self.value = value

    def prepare(self, model):
        method = tf_explain_method("occlusion_sensitivity", "OcclusionSensitivity")
        method = method(self.batch_size)
        pixel_axes = (1, 2) if self.data_format == "channels_first" else (0, 1)

        def maps_of(images, targets):
            height, width = self.image_size(images)
            patch_size = self.patch_size or math.ceil(min(height, width) / 8)
            # tf-explain is right for squares of whole patches.
            side = math.ceil(max(height, width) / patch_size) * patch_size
            clear = _scores(model, images, self.batch_size)
            checked_classes(targets, clear.shape[-1])
            maps = np.empty((len(images), height, width), np.float32)
            for index, (image, target) in enumerate(zip(images, targets, strict=True)):
                value = self.value
                if value is None:
                    value = image.mean(axis=pixel_axes, keepdims=True)

                def covered_score(patches, image=image, value=value, target=target):
                    covered = patches[:, :height, :width] != 0
                    if self.data_format == "channels_first":
                        covered = np.moveaxis(covered, -1, 1)
                    images = np.where(covered, value, image).astype(image.dtype)
                    return _scores(model, images, self.batch_size)[:, target]

                maps[index] = method.get_sensitivity_map(
                    _Covered(covered_score, clear[index, target]),
                    np.zeros((side, side, 1), np.float32),
                    0,
                    patch_size,
                )[:height, :width]
            return maps

        return maps_of


def _scores(model, images, batch_size):
    """Outputs of which the differences count, so that -p will do for 1 - p."""
    scores = outputs(model, images, batch_size)
    if scores.shape[-1] == 1:
        scores = np.concatenate([-scores, scores], axis=-1)
    return scores


class _Covered:
    """What tf-explain takes for the model: it is shown the patches on black squares.

    The output is such that the `1 - output` of tf-explain is the fall of the score.
    """

    def __init__(self, score, clear):
        self._score = score
        self._clear = clear

    def predict(self, patches, batch_size=None):
        return 1 - (self._clear - self._score(patches))[:, None]
