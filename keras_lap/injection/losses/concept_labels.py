"""Attributes of whole images as knowledge."""

import keras

from keras_lap.injection.losses.presence import Presence


@keras.saving.register_keras_serializable("keras_lap")
class ConceptLabels(Presence):
    """`Presence` by the attributes of each image instead of its label.

    The formula is that of `Presence`, with the attributes in place of what the label
    makes present: those that are known to be there are somewhere, but not everywhere,
    those that are known not to be there are nowhere, and those that are not known are
    left out. In `fit`, a layer with a single concept learns whether any of the
    attributes is there, as far as that is known. This library's own design.

    Arguments, errors and values are those of `Presence`.

    Call arguments:
        logits: `(N, H, W, K)`.
        concepts: `(N, K)`; 1 present, 0 absent, -1 unknown.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> logits = np.full((1, 4, 4, 3), -9.0)
    >>> logits[0, 1, 2, :2] = 9.0
    >>> attributes = np.array([[1, -1, 0]])
    >>> float(losses.ConceptLabels()(logits, concepts=attributes)[0]) < 0.001
    True
    """

    needs = ("concepts",)

    def call(self, logits, concepts):
        return super().call(logits, concepts)
