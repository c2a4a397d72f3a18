"""A network of keras.applications that takes images as files have them."""

import importlib

import keras


def application_network(name, weights=None, image_size=None, classes=1000):
    """Builds a classifier with its preprocessing inside.

    Every family of `keras.applications` was trained on pixels in a range of its own.
    With `preprocess_input` in the model, files and data sets need no more than to be
    read, and whoever loads the saved model cannot forget it.

    Args:
        name: Name in `keras.applications`, such as `"MobileNetV2"`.
        weights: `None`, `"imagenet"`, which Keras downloads, or a file of weights.
        image_size: Height and width in pixels; by default what the network was
            trained with. Weights of ImageNet go with that alone in many families.
        classes: Number of classes.

    Returns:
        A model from images `(N, size, size, 3)` in `[0, 255]` to float32 probabilities
        `(N, classes)`.
    """
    application = getattr(keras.applications, name)
    family = importlib.import_module(application.__module__)
    network = application(
        weights=weights,
        input_shape=None if image_size is None else (image_size, image_size, 3),
        classes=classes,
        # The softmax follows in float32, whatever the network computes in.
        classifier_activation=None,
    )
    image = keras.Input(network.input_shape[1:], name="image")
    logits = network(family.preprocess_input(image))
    probabilities = keras.layers.Activation("softmax", dtype="float32")(logits)
    return keras.Model(image, probabilities, name=name)
