"""Watches for images in which it is not known where the pixels of layers lie."""

from keras_lap.injection.base_watch import BaseWatch
from keras_lap.injection.image_size import image_sizes
from keras_lap.injection.losses import CrossLayerLoss, KnowledgeLoss, PerturbationLoss

_GUESSES = "guesses"


class PlacesWatch(BaseWatch):
    """Counts the steps whose losses compare places that `layer_cells` has to guess.

    Args:
        losses: List of losses.
    """

    def __init__(self, losses):
        super().__init__([_GUESSES])
        self._placed = [loss.name for loss in losses if _compares_places(loss)]
        self._advice = None

    def add(self, knowledge, inputs, predictions, data_format):
        advice = _advice(image_sizes(inputs, data_format)) if self._placed else None
        if advice is not None:
            self._advice = advice
            self._counts[_GUESSES].update_state(1.0)

    def message(self, name, count):
        return (
            f"The losses {self._placed} compare places in the image, of which "
            "there is not one size known before the data. So the maps of all LAP "
            "layers are taken to extend over the image evenly, which is off where "
            f"convolutions or poolings leave borders out. {self._advice}"
        )


def _compares_places(loss):
    if isinstance(loss, KnowledgeLoss):
        return not {"mask", "boxes"}.isdisjoint(loss.takes)
    return isinstance(loss, CrossLayerLoss | PerturbationLoss)


def _advice(sizes):
    """What to do about images of some `image_sizes`, or `None` if nothing."""
    if not sizes:
        return "Let the model take its images as an input with four axes."
    if any(None in size for size in sizes):
        return (
            "Batch images of one size and say so in the data set, by "
            "`tf.ensure_shape(x, (None, height, width, channels))`, or compile the "
            "model with `run_eagerly=True`."
        )
    if len(sizes) > 1:
        return (
            f"All inputs with four axes are taken for images, here of {sorted(sizes)} "
            "pixels: resize them to one size in the data set, or give what is no "
            "image another number of axes."
        )
    return None
