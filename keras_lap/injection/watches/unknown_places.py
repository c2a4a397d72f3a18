"""Looks for maps of which it is not known where they lie in the image."""

from keras_lap.injection.places.image_size import image_sizes


def unknown_places(names, reason, forward):
    """That losses compare places of maps that are not known.

    Args:
        names: List of the names of these losses.
        reason: Function of a `ForwardPass` that returns what is not known of its
            places, and what to do, or `None`.
        forward: The `ForwardPass`, of a `Watch`.
    """
    text = reason(forward)
    if text is None:
        return None
    return True, lambda _: f"The losses {names} compare places in the image. {text}"


def places_of_images(forward):
    """What is not known of places since images have not one size, or `None`."""
    advice = _advice(image_sizes(forward.inputs, forward.data_format))
    if advice is None:
        return None
    return (
        "There is not one size of images known before the data, so the maps of all LAP "
        "layers are taken to extend over the image evenly, which is off where "
        f"convolutions or poolings leave borders out. {advice}"
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
