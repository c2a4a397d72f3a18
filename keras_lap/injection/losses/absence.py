"""What is known to be absent, where a layer is surest of it."""

import keras
from keras import ops

from keras_lap.injection.losses.cross_layer_loss import CrossLayerLoss
from keras_lap.injection.losses.highest_pixels import (
    check_top_fraction,
    height_of_highest,
    mean_above,
    pixel_count,
    pixels_in_a_row,
)
from keras_lap.injection.losses.knowledge_loss import concept_mean
from keras_lap.utils.names import check_choice

_KNOWN_BY = ("present", "concepts")


@keras.saving.register_keras_serializable("keras_lap")
class Absence(CrossLayerLoss):
    """In the last layer an absent concept is nowhere, not even at its peak.

    With `z` the logits of one concept over the `P` pixels of the last layer,

        absent:  mean softplus(z) over the `top_fraction * P` highest pixels

    averaged over the absent concepts. The last layer is the last one that the model
    calls, of those that are supervised and have several concepts, if any has.
    `Presence` and `ConceptLabels` take the mean over all pixels instead, in every
    layer, so that an absent concept that is high at a few pixels costs next to nothing
    there; beside them this loss makes the last layer tell images with a concept from
    those without. Earlier layers may see too little of an image to tell, and close.
    This library's own design.

    It does not ask for anything to be found, so use it along with a loss that does.
    Start with a tenth of that loss's weight: too much of it closes the layer.

    Args:
        known_by: `"present"` for what the labels name, `"concepts"` for attributes.
        top_fraction: Share of the pixels, in `(0, 0.5]`; at least one pixel is taken.
        name: Name of the term in the logs.

    Call arguments:
        layers: List of `SupervisedLayer` whose `knowledge` holds `(N, K)` of that name,
            of any dtype; 1 present, 0 absent, -1 unknown.

    Returns:
        float32 tensor `(N,)`.

    Raises:
        ValueError: If `known_by` or `top_fraction` is out of its range.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> logits = np.full((1, 4, 4, 2), -9.0)
    >>> logits[0, 1, 2, 1] = 9.0
    >>> last = losses.SupervisedLayer(
    ...     logits, knowledge={"present": np.array([[1, 0]])}
    ... )
    >>> round(float(losses.Absence()([last])[0]), 2)
    9.0
    """

    compares_places = False

    def __init__(self, known_by="present", top_fraction=0.05, name=None):
        super().__init__(name)
        check_choice("known_by", known_by, _KNOWN_BY)
        check_top_fraction(top_fraction)
        self.known_by = known_by
        self.top_fraction = top_fraction
        self.needs = (known_by,)

    def told(self, forward):
        return self.told_in_layer(_last(forward.layers).knowledge)

    def call(self, layers):
        last = _last(layers)
        known = ops.cast(last.knowledge[self.known_by], "float32")
        maps = pixels_in_a_row(last.logits)
        count = pixel_count(self.top_fraction, ops.shape(maps)[1])
        bound = height_of_highest(ops.stop_gradient(maps), count)[:, None]
        peaks = mean_above(bound, maps, count, ops.softplus(maps))
        return concept_mean(peaks, ops.where(known == 0, 0, -1))

    def get_config(self):
        return {
            **super().get_config(),
            "known_by": self.known_by,
            "top_fraction": self.top_fraction,
        }


def _last(layers):
    """The last one that has several concepts, if any has."""
    several = [layer for layer in layers if layer.logits.shape[-1] > 1]
    return (several or layers)[-1]
