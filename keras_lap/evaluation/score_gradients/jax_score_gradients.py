"""Gradients of class scores on JAX."""

import jax
import keras

from keras_lap.evaluation.score_gradients.base_score_gradients import (
    BaseScoreGradients,
    total,
)


class ScoreGradients(BaseScoreGradients):
    """Those of functions that are compiled once for every shape of the images."""

    def _to_images(self):
        return self._compiled(
            jax.grad(lambda images, classes: total(self._score.of_all(images), classes))
        )

    def _to_features(self, layer):
        before, after = self._score.split(layer)

        def features_and_gradients(images, classes):
            features = before(images)
            gradient = jax.grad(lambda x: total(after([images, x]), classes))(features)
            return features, gradient

        return self._compiled(features_and_gradients)

    def _compiled(self, function):
        variables = self._score.variables

        # With the weights as arguments, since what is compiled holds copies of others.
        @jax.jit
        def compiled(weights, images, classes):
            with keras.StatelessScope(list(zip(variables, weights, strict=True))):
                return function(images, classes)

        return lambda images, classes: compiled(
            [each.value for each in variables], images, classes
        )
