"""Watches for images whose layers are taken to lie evenly over them."""

from keras_lap.injection.image_size import image_sizes
from keras_lap.injection.watches.base_watch import BaseWatch


class SizeWatch(BaseWatch):
    """Counts the runs of images that have not one size known before the data.

    Args:
        names: List of the names of the losses that compare places.
    """

    def __init__(self, names):
        super().__init__()
        self._names = names
        self._advice = None

    def found(self, forward):
        advice = _advice(image_sizes(forward.inputs, forward.data_format))
        if advice is None:
            return None
        self._advice = advice
        return 1.0

    def message(self, count):
        return (
            f"The losses {self._names} compare places in the image, of which "
            "there is not one size known before the data. So the maps of all LAP "
            "layers are taken to extend over the image evenly, which is off where "
            f"convolutions or poolings leave borders out. {self._advice}"
        )


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
