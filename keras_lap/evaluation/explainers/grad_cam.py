import warnings

import keras
import numpy as np

from keras_lap.evaluation.class_score import ClassScore
from keras_lap.evaluation.explainers.explainer import Explainer, checked_classes
from keras_lap.evaluation.explainers.tf_explain_method import tf_explain_method


class GradCAM(Explainer):
    """Grad-CAM as in the paper, by tf-explain.

    `keras_lap.evaluation.grad_cam` says what it computes: it starts from the score
    before the softmax, and the channels of the layer are weighted and added up.

    Args:
        layer_name: name of the layer whose features are weighted. Defaults to `None`:
            the last layer with a rank-4 output of more than one pixel.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import GradCAM
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(4, 3),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(5, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> GradCAM().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def __init__(self, layer_name: str | None = None, **options):
        super().__init__(**options)
        self.layer_name = layer_name

    def prepare(self, model):
        method = tf_explain_method("grad_cam", "GradCAM")
        score = ClassScore(model)
        features_of = score.features(self.layer_name, self.data_format).name

        def maps_of(images, targets):
            checked_classes(targets, score.classes)
            maps = np.empty((len(images), *self.image_size(images)), np.float32)
            for start in range(0, len(images), self.batch_size):
                batch = slice(start, start + self.batch_size)
                features, gradients = _features_and_gradients(
                    method, score.of(targets[batch]), images[batch], features_of
                )
                if self.data_format == "channels_first":
                    features = keras.ops.moveaxis(features, 1, -1)
                    gradients = keras.ops.moveaxis(gradients, 1, -1)
                coarse = method.generate_ponderated_output(features, gradients)
                coarse = keras.ops.relu(keras.ops.stack(coarse))
                maps[batch] = keras.ops.image.resize(
                    coarse[..., None],
                    self.image_size(images),
                    interpolation="bilinear",
                    data_format="channels_last",
                )[..., 0]
            return maps

        return maps_of


def _features_and_gradients(method, scorer, images, name):
    with warnings.catch_warnings():
        # tf-explain wraps the model's inputs in one list too many.
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        features, gradients = method.get_gradients_and_filters(
            scorer, images, name, class_index=0, use_guided_grads=False
        )
    if gradients is None:
        raise ValueError(
            "Expected a layer that the class scores depend on. Received: a layer "
            "without a gradient. Choose another `layer_name`."
        )
    return keras.ops.cast(features, "float32"), keras.ops.cast(gradients, "float32")
