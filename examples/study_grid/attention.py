"""Training on Grad-CAM maps that are told where to be (GAIN)."""

import keras
import numpy as np
from keras import ops


def with_attention(network):
    """The network, with Grad-CAM maps of all classes as a second output.

    Behind global average pooling and a dense layer Grad-CAM needs no gradient: the
    weight of a channel is that of the dense layer, up to a factor that normalising
    takes out (Selvaraju et al. 2017, appendix A).

    Args:
        network: A model that ends in the layers `head_pool`, `classifier` and
            `probabilities`.

    Returns:
        A model with the same weights and outputs `(N, classes)` and `(N, h, w,
        classes)`, maps between 0 and 1, which is their maximum.
    """
    features = network.get_layer("head_pool").input
    classifier = network.get_layer("classifier")
    bias = classifier(ops.zeros_like(features[:, :1, :1]))
    maps = ops.relu(classifier(features) - bias)
    highest = ops.max(maps, axis=(1, 2), keepdims=True)
    maps = maps / ops.maximum(highest, keras.config.epsilon())
    return keras.Model(network.input, [network.output, maps])


def attention_loss(told, maps):
    """Squared distance of maps to masks, where these are known.

    The term for masks of Li et al. 2018, "Tell Me Where to Look: Guided Attention
    Inference Network", as a mean over pixels.

    Args:
        told: `(N, h, w, classes)`, the share of each pixel that the mask covers, or -1
            where it is unknown.
        maps: The second output of `with_attention`.

    Returns:
        `(N,)`.
    """
    is_told = ops.cast(told >= 0, maps.dtype)
    errors = ops.sum(is_told * ops.square(maps - told), axis=(1, 2, 3))
    return errors / ops.maximum(ops.sum(is_told, axis=(1, 2, 3)), 1)


def attention_targets(masks, labels, is_told, size, classes):
    """What `attention_loss` takes for one mask per image.

    Args:
        masks: uint8 `(N, H, W)`, of multiples of `size`.
        labels: int `(N,)`, whose class the mask is of.
        is_told: bool `(N,)`, which masks are known.
        size: Height and width of the maps.
        classes: Number of classes.

    Returns:
        float32 `(N, h, w, classes)`.
    """
    count, (height, width) = len(masks), size
    cells = masks.reshape(count, height, masks.shape[1] // height, width, -1)
    shares = cells.mean(axis=(2, 4)) / 255
    told = np.full((count, height, width, classes), -1, "float32")
    for image in is_told.nonzero()[0]:
        told[image, :, :, labels[image]] = shares[image]
    return told
