"""Grad-CAM in one call."""

import keras
import numpy as np

from keras_lap.evaluation.explainers.grad_cam import GradCAM


def grad_cam(
    model: keras.Model,
    images,
    class_indices,
    layer_name: str | None = None,
    batch_size: int = 32,
    data_format: str | None = None,
) -> np.ndarray:
    r"""Grad-CAM maps of a classifier.

    With the features $A$ of one layer ($Z$ pixels, channels $c$) and the score $s$ of
    the asked class, the map is

    $$ \mathrm{ReLU}\Big(\sum_c \Big(\frac{1}{Z} \sum_p
       \frac{\partial s}{\partial A_{pc}}\Big) A_{pc}\Big) $$

    resized bilinearly to the size of the images. The score is the one **before** the
    softmax, as the paper has it: behind a softmax that is sure of its answer the
    gradient vanishes. If the model ends in a softmax or a sigmoid, as a layer, as an
    operation of `keras.ops` or as the `activation` of its last layer, it is taken off;
    any other output is taken as the score.

    On TensorFlow the features and gradients are taken by tf-explain. Its own defaults,
    guided gradients and no ReLU, are not Grad-CAM and are not used. On JAX and torch
    nothing but Keras is needed.

    The model runs in inference mode and is not changed.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", ICCV 2017.

    Args:
        model: a built Functional or Sequential model with one image input and one
            output of shape `(N, classes)`. Functional and Sequential models nested in
            it, at any depth, are looked into.
        images: array of shape `(N, H, W, C)`, or `(N, C, H, W)` with
            `"channels_first"`, in the range that the model expects.
        class_indices: int array of shape `(N,)`, the class that each map is for, or
            one int for all images.
        layer_name: name of the layer whose features are weighted. A layer in a nested
            model goes by its own name if that is unique, or by its path, such as
            `"backbone/conv5"`. Of a layer that is called several times the last call
            is taken. Defaults to `None`: the last layer with a rank-4 output of more
            than one pixel.
        batch_size: int, number of images per forward and backward pass. Defaults to
            `32`.
        data_format: `"channels_last"` or `"channels_first"`, the layout of the images
            and of the layer's features. Defaults to `None`:
            `keras.config.image_data_format()`.

    Returns:
        float32 array of shape `(N, H, W)` with raw maps of at least zero, each on a
        scale of its own. A map is zero everywhere if nothing speaks for the class.

    Raises:
        ImportError: On TensorFlow, if tf-explain or OpenCV is not installed.
        ValueError: If the model is of another kind, no layer or more than one has the
            given name, another argument does not fit, or the score does not depend
            on the layer, which JAX does not tell from a gradient of zero.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation import grad_cam
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         keras.layers.Conv2D(8, 3, activation="relu", name="features"),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(10, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 32, 32, 3))
    >>> grad_cam(model, images, class_indices=[3, 1, 3, 0]).shape
    (4, 32, 32)
    """
    explainer = GradCAM(layer_name, batch_size=batch_size, data_format=data_format)
    return explainer.explain(model, images, class_indices)
