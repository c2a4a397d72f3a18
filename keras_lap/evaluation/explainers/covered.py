"""What a model is shown to learn which parts of an image matter."""

import numpy as np

from keras_lap.utils.layout import channel_axis, spatial_axes


def covered(image, visible, value, data_format):
    """Copies of an image in which only parts of it are visible.

    Args:
        image: Array `(H, W, C)`, or `(C, H, W)` with `"channels_first"`.
        visible: Array `(M, H, W)` with values in `[0, 1]`, the share of the image in
            each pixel of each copy.
        value: float, what the rest of a pixel is made of. `None` for the mean of the
            image over its pixels, for each channel.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Array `(M, H, W, C)` or `(M, C, H, W)` of the image's dtype; integers are
        rounded.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers.covered import covered
    >>> image = np.array([[[2.0], [4.0]]])
    >>> visible = np.array([[[1, 0.5]], [[0, 1]]])
    >>> covered(image, visible, None, "channels_last")[..., 0].tolist()
    [[[2.0, 3.5]], [[3.0, 4.0]]]
    """
    if value is None:
        value = image[None].mean(axis=spatial_axes(data_format), keepdims=True)
    shares = np.expand_dims(visible, channel_axis(data_format))
    copies = shares * image + (1 - shares) * value
    if image.dtype.kind in "iu":
        # Cut off instead, they would be darker by half a step on average.
        copies = np.rint(copies)
    return copies.astype(image.dtype)
