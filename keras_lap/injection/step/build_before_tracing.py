"""Builds a model's loss, metrics and optimizer before its step is traced."""

import keras

from keras_lap.graph.functional_of import functional_of
from keras_lap.injection.knowledge import split_targets

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

_OF_A_STEP = ("train_step", "test_step", "compute_loss", "compute_metrics")


def build_before_tracing(model, specs, is_training):
    """Builds what Keras leaves to the first step on TensorFlow.

    A step in which variables are made is traced twice. Models without a graph and steps
    of a user's own, which may ask for something else, are left to Keras.

    Args:
        model: A compiled `keras.Model`.
        specs: What a batch will be, with a `tf.TensorSpec` for each tensor.
        is_training: Whether the step is one of training.
    """
    functional = functional_of(model)
    is_own = any(
        getattr(type(model), name) is not getattr(keras.Model, name)
        for name in _OF_A_STEP
    )
    if functional is None or is_own:
        return
    if is_training and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    _, y, _ = keras.utils.unpack_x_y_sample_weight(specs)
    label = split_targets(y).label
    if not all(_has_rank(spec) for spec in keras.tree.flatten(label)):
        return
    label = keras.tree.map_structure(_placeholder, label)
    for part in (model._compile_loss, model._compile_metrics):
        if part is not None and not part.built:
            part.build(label, functional.output)


def _has_rank(spec):
    return isinstance(spec, tf.TensorSpec) and spec.shape.rank is not None


def _placeholder(spec):
    return keras.KerasTensor(spec.shape, keras.backend.standardize_dtype(spec.dtype))
