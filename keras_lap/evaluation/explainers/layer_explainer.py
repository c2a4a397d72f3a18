"""From the features of a layer to maps of the size of the images."""

import abc

import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.evaluation.explainers.in_batches import in_batches
from keras_lap.evaluation.explainers.resized import resized
from keras_lap.evaluation.score_gradients import ScoreGradients
from keras_lap.evaluation.targets import check_classes


class LayerExplainer(Explainer):
    """What the methods share that weight the features of a layer by gradients.

    The score is the one before the softmax, see
    `keras_lap.evaluation.score_model.ScoreModel`. Negative values of the weighted sum
    become zero, and the map is resized bilinearly to the size of the images.

    Args:
        layer_name: name of the layer whose features are weighted. A layer in a nested
            model goes by its own name if that is unique, or by its path, such as
            `"backbone/conv5"`. Of a layer that is called several times the last call
            is taken. Defaults to `None`: the last layer with a rank-4 output of more
            than one pixel.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.
    """

    def __init__(self, layer_name=None, **options):
        super().__init__(**options)
        self.layer_name = layer_name

    @abc.abstractmethod
    def weighted(self, features, gradients):
        """The features of a few images, weighted and added up over the channels.

        Args:
            features: Float32 array `(N, h, w, C)`, the output of the layer.
            gradients: Array like `features`, of the score with respect to them.

        Returns:
            Array `(N, h, w)`.
        """

    def prepare(self, model):
        scores = ScoreGradients(model)
        features_of = scores.to_features(self.layer_name, self.data_format)

        def maps_of_some(images, targets):
            coarse = self.weighted(*features_of(images, targets))
            return resized(np.maximum(coarse, 0), self.image_size(images))

        def maps_of(images, targets):
            check_classes(targets, scores.classes)
            return in_batches(maps_of_some, self.batch_size, images, targets)

        return maps_of
