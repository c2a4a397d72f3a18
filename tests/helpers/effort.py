"""How much is tried on a backend."""

import keras


def examples(count):
    """Number of examples of a property, fewer on JAX.

    JAX compiles every operation anew for every shape, which a property has many of.
    """
    return max(count // 20, 4) if keras.config.backend() == "jax" else count
