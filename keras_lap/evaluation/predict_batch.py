"""Predictions of a batch, however many replicas a model was made for."""

from keras import tree


def predict_batch(model, images):
    """What a model's `predict_on_batch` returns, one row for each image.

    Of a model that was made for several replicas Keras returns the rows of all of them,
    and gives each of them all images.

    Args:
        model: A `keras.Model`.
        images: Array of images, as the model takes them.

    Returns:
        Arrays in the structure of the model's outputs.
    """
    outputs = model.predict_on_batch(images)
    return tree.map_structure(lambda rows: rows[: len(images)], outputs)
