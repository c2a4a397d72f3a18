"""Blurred images."""

from keras import ops


def gaussian_blur(images, share):
    """Blurs images, by a matrix product along either axis.

    At the borders the weights of the pixels that there are add up to 1. With a wide
    blur this is much faster than the convolution of `keras.ops.image.gaussian_blur`.

    Args:
        images: Float tensor `(N, H, W, C)`.
        share: Standard deviation of the blur, as a share of the shorter side. The
            larger it is, the more the blurred image is the mean of the image alone.

    Returns:
        Tensor like the images.

    Example:

    >>> import numpy as np
    >>> from keras_lap.injection.losses.gaussian_blur import gaussian_blur
    >>> image = np.zeros((1, 3, 3, 1))
    >>> image[0, 1, 1] = 1
    >>> blurred = np.array(gaussian_blur(image, 1 / 3))[0, ..., 0]
    >>> blurred.round(2)
    array([[0.12, 0.16, 0.12],
           [0.16, 0.2 , 0.16],
           [0.12, 0.16, 0.12]])
    """
    _, height, width, _ = ops.shape(images)
    deviation = share * ops.cast(ops.minimum(height, width), images.dtype)
    rows, columns = (
        _weights(length, deviation, images.dtype) for length in (height, width)
    )
    return ops.einsum("yh,nhwc,xw->nyxc", rows, images, columns)


def _weights(length, deviation, dtype):
    """Share of each pixel along one axis in each blurred one, `(length, length)`."""
    pixels = ops.cast(ops.arange(length), dtype)
    distance = (pixels[:, None] - pixels) / deviation
    return ops.softmax(-ops.square(distance) / 2, axis=-1)
