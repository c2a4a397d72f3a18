"""The compiled library of TensorFlow ops, loaded when it is first needed."""

import functools
import threading

from keras_lap.kernels import library

_loading = threading.Lock()


def load_ops():
    """Loads the library of compiled TensorFlow ops, once.

    `la_pool` and the layers do it by themselves. Call it before
    `tf.saved_model.load` of a model that holds them.

    Returns:
        The module of ops that `tf.load_op_library` gives.

    Raises:
        RuntimeError: If there is no library for the TensorFlow that is installed, or
            if it does not load; says what to do.
    """
    # TensorFlow takes a gradient once; threads may come at the same time.
    with _loading:
        return _load_ops()


@functools.cache
def _load_ops():
    found = find_library()
    if found.path is None:
        raise RuntimeError(found.reason)
    # Not before they are needed: loading is what the caller asks for.
    import tensorflow as tf

    from keras_lap.ops.tensorflow_gradients import register_gradients

    try:
        ops = tf.load_op_library(str(found.path))
    except tf.errors.OpError as error:
        raise RuntimeError(
            f"Expected {found.path} to load into TensorFlow {tf.__version__}. "
            f"Received: {error.message}. Run `keras-lap build --force`, then start "
            "Python anew."
        ) from error
    register_gradients(ops)
    return ops


@functools.cache
def find_library():
    """The `Library` for the installed TensorFlow, looked up once."""
    return library.find()


@functools.cache
def library_obstacle():
    """Why `load_ops` would fail, in plain words, or `None` if it succeeds."""
    try:
        load_ops()
    except RuntimeError as error:
        return str(error)
    return None
