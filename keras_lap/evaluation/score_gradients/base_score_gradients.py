"""What the ways to gradients of class scores have in common."""

import abc

import numpy as np
from keras import ops

from keras_lap.evaluation.score_model import ScoreModel
from keras_lap.utils.layout import channel_axis


class BaseScoreGradients(abc.ABC):
    """Gradients of the scores that a model gives to the classes asked for.

    The score is the one before the softmax, see
    `keras_lap.evaluation.score_model.ScoreModel`. What is compiled is freed with the
    functions that the methods return.

    Args:
        model: A classifier, as `ScoreModel` takes it.

    Attributes:
        classes: Number of classes.

    Raises:
        ValueError: If the model is of another kind.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.score_gradients import ScoreGradients
    >>> flat = keras.layers.Flatten()
    >>> head = keras.layers.Dense(2, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((1, 3, 1)), flat, head])
    >>> ScoreGradients(model).to_images()(np.zeros((1, 1, 3, 1)), np.array([1])).ravel()
    array([1., 1., 1.], dtype=float32)
    """

    def __init__(self, model):
        self._score = ScoreModel(model)
        self.classes = self._score.classes

    def to_images(self):
        """A function from images and classes to gradients with respect to the images.

        Returns:
            Function of images, an array `(N, ...)` as the model takes them, and
            classes, an int array `(N,)`, that returns a float32 array of the shape of
            the images. It raises a `ValueError` if there is no gradient.
        """
        gradient_of = self._to_images()

        def gradients(images, classes):
            gradient = gradient_of(*_typed(images, classes))
            if gradient is None:
                raise ValueError(
                    "Expected class scores that depend on the images, through "
                    "operations that have gradients. Received scores that do not."
                )
            return _float32(gradient)

        return gradients

    def to_features(self, layer_name, data_format):
        """A function to the features of a layer, and gradients with respect to them.

        Args:
            layer_name: Name or path of the layer, or `None`, as in
                `ScoreModel.features`.
            data_format: `"channels_last"` or `"channels_first"`, of the features.

        Returns:
            Function as of `to_images` that returns two float32 arrays `(N, h, w, C)`,
            the output of the layer and its gradient. It raises a `ValueError` if there
            is no gradient. On JAX that cannot be told from a gradient of zero.

        Raises:
            ValueError: If no layer or more than one has the name.
        """
        axis = channel_axis(data_format)
        features_of = self._to_features(self._score.features(layer_name, data_format))

        def features_and_gradients(images, classes):
            features, gradient = features_of(*_typed(images, classes))
            if gradient is None:
                raise ValueError(
                    "Expected a layer that the class scores depend on. Received: a "
                    "layer without a gradient. Choose another `layer_name`."
                )
            both = _float32(features), _float32(gradient)
            return tuple(np.moveaxis(values, axis, -1) for values in both)

        return features_and_gradients

    @abc.abstractmethod
    def _to_images(self):
        """Like `to_images`, of typed arrays to a tensor or `None`."""

    @abc.abstractmethod
    def _to_features(self, layer):
        """Like `to_features`, in the layer's own layout and dtype."""


def total(scores, classes):
    """Sum of the scores of one class per image.

    Args:
        scores: Float tensor `(N, classes)`.
        classes: int32 array or tensor `(N,)`.
    """
    return ops.sum(ops.take_along_axis(scores, classes[:, None], axis=1))


def _typed(images, classes):
    return np.asarray(images, np.float32), np.asarray(classes, np.int32)


def _float32(values):
    return ops.convert_to_numpy(ops.cast(values, "float32"))
