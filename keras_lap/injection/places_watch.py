"""Watches for maps of which it is not known where they lie in the image."""

from keras_lap.injection.base_watch import BaseWatch
from keras_lap.injection.image_size import image_sizes
from keras_lap.injection.losses import CrossLayerLoss, KnowledgeLoss, PerturbationLoss
from keras_lap.layers.guess_check import guess_warning

_SIZES, _STEPS = "sizes", "steps"


class PlacesWatch(BaseWatch):
    """Counts the runs whose losses compare places that `layer_cells` has to guess.

    It does so because of the sizes of the images, or of steps within the model.

    Args:
        losses: List of losses.
    """

    def __init__(self, losses):
        super().__init__([_SIZES, _STEPS])
        self._placed = [loss.name for loss in losses if _compares_places(loss)]
        self._advice = {}

    def add(self, knowledge, inputs, predictions, data_format, guesses):
        if not self._placed:
            return
        advice = {
            _SIZES: _advice(image_sizes(inputs, data_format)),
            _STEPS: guess_warning(guesses),
        }
        for name, text in advice.items():
            if text is not None:
                self._advice[name] = text
                self._counts[name].update_state(1.0)

    def message(self, name, count):
        advice = self._advice[name]
        if name == _STEPS:
            return f"The losses {self._placed} compare places in the image. {advice}"
        return (
            f"The losses {self._placed} compare places in the image, of which "
            "there is not one size known before the data. So the maps of all LAP "
            "layers are taken to extend over the image evenly, which is off where "
            f"convolutions or poolings leave borders out. {advice}"
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
