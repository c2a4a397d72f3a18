"""Grad-CAM in one call."""

from keras_lap.evaluation.explainers.grad_cam import GradCAM


def grad_cam(
    model, images, class_indices, layer_name=None, batch_size=32, data_format=None
):
    """Maps of a classifier by `keras_lap.evaluation.explainers.GradCAM`.

    The model runs in inference mode and is not changed.

    Args:
        model: a built Functional or Sequential model with one image input and one
            output of shape `(N, classes)`, others nested in it or not.
        images: array of shape `(N, H, W, C)`, or `(N, C, H, W)` with
            `"channels_first"`, in the range that the model expects.
        class_indices: int array of shape `(N,)`, the class that each map is for, or
            one int for all images.
        layer_name: name or path of the layer whose features are weighted. Defaults to
            `None`: the last layer with a rank-4 output of more than one pixel.
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
