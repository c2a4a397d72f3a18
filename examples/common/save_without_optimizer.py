"""Writes networks that are done with training."""

import keras


def save_without_optimizer(model, path):
    """Saves a model at a third of the size that Adam's slots would bring it to."""
    keras.Model(model.input, model.output, name=model.name).save(path)
