"""Gradients of class scores on JAX."""

import jax

from keras_lap.evaluation.score_gradients.base_score_gradients import (
    BaseScoreGradients,
    total,
)
from keras_lap.utils.compiled import compiled


class ScoreGradients(BaseScoreGradients):
    """Those of functions that are compiled once for every shape of the images."""

    def _to_images(self):
        gradients = jax.grad(
            lambda images, classes: total(self._score.of_all(images), classes)
        )
        return compiled(gradients, self._score.variables)

    def _to_features(self, layer):
        before, after = self._score.split(layer)

        def features_and_gradients(images, classes):
            features = before(images)
            gradient = jax.grad(lambda x: total(after([images, x]), classes))(features)
            return features, gradient

        return compiled(features_and_gradients, self._score.variables)
