"""This library's explainers, for xplique's metrics."""

import keras
import numpy as np

from keras_lap.evaluation.explainers.explainer import as_explainer


class _AsXplique:
    """An `Explainer` with the interface of xplique's `BlackBoxExplainer`."""

    def __init__(self, explainer, model):
        self.batch_size = explainer.batch_size
        self._explainer = explainer
        self.model = model

    @property
    def model(self):
        return self._model

    @model.setter
    def model(self, model):
        self._model = model
        self._explained = self._explainer.on(model)

    def explain(self, inputs, targets=None):
        if targets is None:
            # A data set of batches of images and targets.
            batches = [tuple(map(np.asarray, batch)) for batch in inputs]
            inputs, targets = map(np.concatenate, zip(*batches, strict=True))
        maps = self._explained(np.asarray(inputs), _classes(np.asarray(targets)))
        return keras.ops.convert_to_tensor(maps[..., None])

    def __call__(self, inputs, targets=None):
        return self.explain(inputs, targets)


def _classes(targets):
    """The classes of targets as xplique's, of which a single column is class 1."""
    if targets.ndim != 2:
        raise ValueError(
            "Expected one-hot targets (N, classes), as xplique's explainers take them. "
            f"Received: targets of shape {targets.shape}"
        )
    if targets.shape[1] == 1:
        return (targets[:, 0] > 0).astype(int)
    return targets.argmax(axis=-1)


def as_xplique(explainer, model):
    """Makes an explainer one of xplique's, for xplique's own metrics.

    Args:
        explainer: An `Explainer`, such as `LAP()`.
        model: The `keras.Model` to explain.

    Returns:
        An object that is called, or whose `explain` is called, with images and one-hot
        targets `(N, classes)`, or of a model with a single output with `(N, 1)`, 1 for
        class 1, or with a batched `tf.data.Dataset` of both, and returns
        a float32 tensor `(N, H, W, 1)`. Like an explainer of xplique it has a `model`,
        which may be exchanged, and a `batch_size`.

    Raises:
        TypeError: If it is no explainer.
        ValueError: When it is called, if targets have another rank.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import VanillaGradients, as_xplique
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> explainer = as_xplique(VanillaGradients(), model)
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> tuple(explainer(images, np.eye(5)[[3, 1, 3, 0]]).shape)
    (4, 8, 8, 1)
    """
    return _AsXplique(as_explainer(explainer), model)
