"""Gradients of class scores on torch."""

import torch
from keras import ops

from keras_lap.evaluation.score_gradients.base_score_gradients import (
    BaseScoreGradients,
    total,
)


class ScoreGradients(BaseScoreGradients):
    """Those of torch's own record of the forward pass."""

    def _to_images(self):
        return lambda images, classes: _gradient(
            self._score.of_all, ops.convert_to_tensor(images), classes
        )

    def _to_features(self, layer):
        before, after = self._score.split(layer)

        def features_and_gradients(images, classes):
            images = ops.convert_to_tensor(images)
            with torch.no_grad():
                features = before(images)
            gradient = _gradient(lambda x: after([images, x]), features, classes)
            return features, gradient

        return features_and_gradients


def _gradient(scores_of, x, classes):
    """Gradient of the sum of the scores with respect to `x`, or `None`."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        score = total(scores_of(x), ops.convert_to_tensor(classes))
    if not score.requires_grad:
        return None
    return torch.autograd.grad(score, x, allow_unused=True)[0]
