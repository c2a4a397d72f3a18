"""Functions compiled by the backend of Keras."""

import functools

import keras


def compiled(function, variables, any_batch=False):
    """A function that Python runs at most once for each shape of its arguments.

    It is traced on TensorFlow and compiled on JAX; on other backends it stays as it is.
    Values of the variables are read at each call. On JAX what changes them in it is
    lost, and dicts come back sorted. What was compiled is freed with the function that
    is returned.

    Args:
        function: Function of arrays or tensors to a structure of tensors.
        variables: List of the Keras variables that it reads.
        any_batch: Whether it is traced on TensorFlow for batches of any size at once,
            where the function allows for it. All arguments have the batch's axis first,
            or are `None`.

    Returns:
        A function of the same arguments.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.utils.compiled import compiled
    >>> scale = keras.Variable(2.0)
    >>> scaled = compiled(lambda x: x * scale, [scale])
    >>> float(scaled(np.float32(3.0)))
    6.0
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _traced(function, any_batch)
    if backend == "jax":
        return _jitted(function, variables)
    return function


def _traced(function, any_batch):
    import tensorflow as tf

    # Of a `partial`: of many functions with the same code TensorFlow would warn that
    # one is traced too often.
    traced = tf.function(functools.partial(function), reduce_retracing=True)
    if not any_batch:
        return traced

    def of_any_batch(x):
        return None if x is None else tf.TensorSpec((None, *x.shape[1:]), x.dtype)

    def run(*arguments):
        nonlocal traced
        if not traced.experimental_get_tracing_count():
            try:
                specs = keras.tree.map_structure(of_any_batch, arguments)
                traced.get_concrete_function(*specs)
            except Exception:
                # It may have to know how many there are: for each number anew.
                traced = tf.function(functools.partial(function))
        return traced(*arguments)

    return run


def _jitted(function, variables):
    import jax

    # With the weights as arguments, since what is compiled holds copies of others.
    @jax.jit
    def jitted(weights, *arguments):
        with keras.StatelessScope(list(zip(variables, weights, strict=True))):
            return function(*arguments)

    return lambda *arguments: jitted([each.value for each in variables], *arguments)
