"""Watches for images in which it is not known where the pixels of layers lie."""

import keras

from keras_lap.injection.image_size import image_sizes
from keras_lap.injection.losses import CrossLayerLoss, KnowledgeLoss, PerturbationLoss
from keras_lap.warn import warn


class PlacesWatch:
    """Counts the steps whose losses compare places that `layer_cells` has to guess.

    The count is a variable of the steps, which run without Python once they are
    compiled. Steps that have nothing to guess leave it as it is.

    Args:
        losses: List of losses.
    """

    def __init__(self, losses):
        self._placed = [loss.name for loss in losses if _compares_places(loss)]
        self._guesses = keras.metrics.Sum(name="guesses")
        self._advice = None
        self._has_warned = False

    @property
    def variables(self):
        """All that changes from step to step: list of `keras.Variable`."""
        return self._guesses.variables

    def reset(self):
        """Begins anew."""
        self._guesses.reset_state()
        self._has_warned = False

    def add(self, inputs, data_format):
        """Takes note of what the model is called on in a step.

        Args:
            inputs: A tensor or any structure of tensors.
            data_format: The layout of the images.
        """
        advice = _advice(image_sizes(inputs, data_format)) if self._placed else None
        if advice is not None:
            self._advice = advice
            self._guesses.update_state(1.0)

    def warn(self):
        """Warns of guesses, if it did not before. It waits for the last step."""
        if self._has_warned or self._advice is None or not self._guesses.result():
            return
        self._has_warned = True
        warn(
            f"The losses {self._placed} compare places in the image, of which "
            "there is not one size known before the data. So the maps of all LAP "
            "layers are taken to extend over the image evenly, which is off where "
            f"convolutions or poolings leave borders out. {self._advice}",
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
