"""Builds a model's optimizer and metrics before its step is traced."""

import keras

from keras_lap.graph.functional_of import functional_of
from keras_lap.injection.knowledge import split_targets

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

_OF_A_STEP = ("train_step", "test_step", "compute_loss", "compute_metrics")


def build_before_tracing(model, specs, is_training):
    """Builds what Keras leaves to the first step on TensorFlow.

    A step in which variables are made is traced twice. Left to Keras are models of
    which something is not known before they are called, those with several outputs,
    and those with a step of a user's own, which may ask for something else.

    Args:
        model: A compiled `keras.Model`.
        specs: What a batch will be, with a `tf.TensorSpec` for each tensor.
        is_training: Whether the step is one of training.
    """
    _, y, _ = keras.utils.unpack_x_y_sample_weight(specs)
    label = split_targets(y).label
    prediction = _single_output(model)
    is_single = isinstance(label, tf.TensorSpec) and label.shape.rank is not None
    if prediction is None or not is_single or _has_own_steps(model):
        return
    if is_training and _waits_to_be_built(model.optimizer) and model.trainable_weights:
        # Within it Keras names the variables, too.
        with keras.name_scope(model.optimizer.name, caller=model.optimizer):
            model.optimizer.build(model.trainable_variables)
    if _waits_to_be_built(model._compile_metrics):
        dtype = keras.backend.standardize_dtype(label.dtype)
        model._compile_metrics.build(keras.KerasTensor(label.shape, dtype), prediction)


def _single_output(model):
    """The only output of a model that is all built, as it is returned, or `None`."""
    functional = functional_of(model)
    if functional is None or not all(part.built for part in model._flatten_layers()):
        return None
    output = functional.output
    if isinstance(output, list | tuple) and len(output) == 1:
        (output,) = output
    return None if keras.tree.is_nested(output) else output


def _has_own_steps(model):
    return any(
        getattr(type(model), name) is not getattr(keras.Model, name)
        for name in _OF_A_STEP
    )


def _waits_to_be_built(part):
    return part is not None and not part.built
