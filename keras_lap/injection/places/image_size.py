"""How large the images of a step are."""

from keras import tree

from keras_lap.utils.layout import height_and_width


def image_sizes(inputs, data_format):
    """Heights and widths of the images that a model is called on.

    Args:
        inputs: A tensor or any structure of tensors, of which those with four axes are
            images: `(N, H, W, C)`, or with `channels_first` `(N, C, H, W)`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Set of pairs of integers, or of `None` where they are not known before the data.
    """
    shapes = (tuple(getattr(leaf, "shape", ())) for leaf in tree.flatten(inputs))
    return {height_and_width(each, data_format) for each in shapes if len(each) == 4}


def image_size(inputs, data_format):
    """Height and width of the images that a model is called on.

    Args:
        inputs: As for `image_sizes`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A pair of integers, or `None` where there are no images, they are of several
        sizes, or their size is not known before the data.
    """
    sizes = image_sizes(inputs, data_format)
    size = sizes.pop() if len(sizes) == 1 else (None,)
    return None if None in size else size
