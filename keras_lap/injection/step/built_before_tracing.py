"""Builds a model's optimizer and metrics before its step is traced."""

import contextlib

import keras

from keras_lap.graph.functional_of import functional_of
from keras_lap.injection.knowledge import split_targets
from keras_lap.injection.step.has_own import has_own

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

_OF_A_STEP = ("train_step", "test_step", "compute_loss", "compute_metrics")


@contextlib.contextmanager
def built_before_tracing(model, specs, is_training):
    """Builds what Keras leaves to the first step on TensorFlow, which is run within.

    A step in which variables are made is traced twice. Left to Keras are models of
    which something is not known before they are called, those with several outputs,
    and those with a step of a user's own, which may ask for something else. After a
    step that fails metrics count as not built, so that Keras chooses them anew: the
    next labels may be one-hot.

    Args:
        model: A compiled `keras.Model`.
        specs: What a batch will be, with a `tf.TensorSpec` for each tensor.
        is_training: Whether the step is one of training.
    """
    _, y, _ = keras.utils.unpack_x_y_sample_weight(specs)
    label, prediction = split_targets(y).label, _known_prediction(model)
    is_own = any(has_own(model, name) for name in _OF_A_STEP)
    if is_own or prediction is None or not _has_axes(label):
        yield
        return
    optimizer, metrics = model.optimizer, model._compile_metrics
    if is_training and _waits_to_be_built(optimizer) and model.trainable_variables:
        # Within it Keras names the variables, too.
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)
    builds_metrics = _waits_to_be_built(metrics)
    if builds_metrics:
        dtype = keras.backend.standardize_dtype(label.dtype)
        metrics.build(keras.KerasTensor(label.shape, dtype), prediction)
    try:
        yield
    except (StopIteration, tf.errors.OutOfRangeError):
        # Keras takes them for the end of the data, and reads the metrics.
        raise
    except BaseException:
        if builds_metrics:
            metrics.built = False
        raise


def _known_prediction(model):
    """The only output of a model that is all built and traced, or `None`.

    It is as the model returns it. How many classes it has must be known.
    """
    functional = functional_of(model)
    if functional is None or model.run_eagerly or tf.config.functions_run_eagerly():
        return None
    if not all(part.built for part in model._flatten_layers()):
        return None
    output = functional.output
    if isinstance(output, list | tuple) and len(output) == 1:
        (output,) = output
    is_single = isinstance(output, keras.KerasTensor) and bool(output.shape)
    return output if is_single and output.shape[-1] is not None else None


def _has_axes(label):
    return isinstance(label, tf.TensorSpec) and bool(label.shape.rank)


def _waits_to_be_built(part):
    return part is not None and not part.built
