"""The dtypes to compute in."""

from keras import backend, config


def compute_dtype(dtype):
    """The dtype to compute in for features of `dtype`: float64 or float32.

    Not `keras.backend.result_type`, which knows float64 on TensorFlow alone.
    """
    return "float64" if backend.standardize_dtype(dtype) == "float64" else "float32"


def widest_dtype():
    """float64, or float32 on JAX as long as `jax_enable_x64` is not set."""
    if config.backend() == "jax":
        import jax

        if not jax.config.jax_enable_x64:
            return "float32"
    return "float64"
