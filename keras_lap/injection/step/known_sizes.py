"""Sizes of images that the data set keeps to itself."""

import keras

from keras_lap.graph.functional_of import functional_of


def let_sizes_be_known(model, inputs):
    """Tells images the size that the model says all of its images have.

    In a graph of TensorFlow, data of a generator may have any size.

    Args:
        model: A `keras.Model`.
        inputs: What it is going to be called on.
    """
    functional, tensors = functional_of(model), keras.tree.flatten(inputs)
    if keras.config.backend() != "tensorflow" or functional is None:
        return
    if not len(tensors) == len(functional.inputs) == 1:
        return
    (images,) = tensors
    if images.shape.rank == 4 and None in images.shape[1:]:
        images.set_shape((None, *functional.inputs[0].shape[1:]))
