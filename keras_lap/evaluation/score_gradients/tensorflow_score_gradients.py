"""Gradients of class scores on TensorFlow, by tf-explain."""

import functools
import warnings

from keras_lap.evaluation.score_gradients.base_score_gradients import (
    BaseScoreGradients,
)
from keras_lap.evaluation.score_gradients.tf_explain_method import tf_explain_method
from keras_lap.utils.compiled import compiled


class ScoreGradients(BaseScoreGradients):
    """Those that tf-explain takes.

    Its own `tf.function` would keep every model that it ever saw. Here each method of
    an object makes one.
    """

    def _to_images(self):
        method = tf_explain_method("vanilla_gradients", "VanillaGradients")
        gradients = functools.partial(_gradients, method, self._score)
        return compiled(gradients, self._score.variables, any_batch=True)

    def _to_features(self, layer):
        method = tf_explain_method("grad_cam", "GradCAM")
        both = functools.partial(
            _features_and_gradients, method, self._score, layer.name
        )
        return compiled(both, self._score.variables, any_batch=True)


def _gradients(method, score, images, classes):
    return method.compute_gradients.python_function(images, score.of(classes), 0)


def _features_and_gradients(method, score, layer_name, images, classes):
    with warnings.catch_warnings():
        # tf-explain wraps the model's inputs in one list too many.
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        return method.get_gradients_and_filters(
            score.of(classes),
            images,
            layer_name,
            class_index=0,
            use_guided_grads=False,
        )
