"""Images of which it is not known where in them the pixels of layers lie."""

import warnings

from keras_lap.injection.image_size import image_size
from keras_lap.injection.losses import CrossLayerLoss, KnowledgeLoss, PerturbationLoss


def warn_of_even_maps(inputs, data_format, losses):
    """Warns if losses compare places and `layer_cells` has to guess these.

    Args:
        inputs: What the model is called on.
        data_format: The layout of the images.
        losses: List of losses.
    """
    placed = [loss.name for loss in losses if _compares_places(loss)]
    if placed and image_size(inputs, data_format) is None:
        warnings.warn(
            f"The losses {placed} compare places in the image, of which there is not "
            "one size known before the data. So the maps of all LAP layers are taken "
            "to extend over the image evenly, which is off where convolutions or "
            "poolings leave borders out. Batch images of one size and say so in the "
            "data set, by `tf.ensure_shape(x, (None, height, width, channels))`, or "
            "compile the model with `run_eagerly=True`.",
            stacklevel=2,
        )


def _compares_places(loss):
    if isinstance(loss, KnowledgeLoss):
        return not {"mask", "boxes"}.isdisjoint((*loss.needs, *loss.accepts))
    return isinstance(loss, CrossLayerLoss | PerturbationLoss)
