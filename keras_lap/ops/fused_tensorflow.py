"""The fused pooling of Keras on TensorFlow: one op for CPU, GPU and XLA."""

import functools

import tensorflow as tf

from keras_lap.ops.as_image import as_image
from keras_lap.ops.gpu_obstacle import gpu_obstacle
from keras_lap.ops.load_ops import find_library, library_obstacle, load_ops

DESCRIPTION = "TensorFlow op, in C++ on the CPU and by Triton's kernels on a GPU."


def obstacle(dtype, x):
    """What keeps the op from pooling, or `None`.

    Args:
        dtype: Dtype of the features.
        x: Features, or `None` if they are not known yet.
    """
    # Listing logical devices would start TensorFlow, which fixes their configuration.
    if isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy):
        return "The TensorFlow op has no kernel for TPUs."
    gpus = tf.config.get_visible_devices("GPU")
    if gpus and dtype == "float64":
        return "The TensorFlow op has no float64 kernel for the GPU that is here."
    obstacles = [gpu_obstacle(_capability(gpu)) for gpu in gpus]
    return next(filter(None, obstacles), None) or library_obstacle()


@functools.cache
def _capability(gpu):
    return tf.config.experimental.get_device_details(gpu).get("compute_capability")


def supports_jit():
    """Whether the library was built with what XLA needs."""
    return find_library().xla_reason is None


def la_pool(
    x, scores, alpha, pool_size, strides, padding, weighting, gating, base, base_gate
):
    """Pools channels-last tensors; arguments are those of `la_pool`, validated."""
    x, scores, window, restore = as_image(x, scores, pool_size, strides, padding)
    pool_size, strides, padding = window
    explicit = not isinstance(padding, str)
    y = load_ops().keras_lap_la_pool(
        x=x,
        scores=scores,
        alpha=alpha,
        gate=tf.constant(1, alpha.dtype) if base is None else base_gate,
        pool_size=pool_size or (),
        strides=strides or (),
        padding="explicit" if explicit else padding,
        explicit_paddings=sum(padding, ()) if explicit else (),
        weighting=weighting,
        gating=gating or "none",
        base=base or "none",
    )
    return restore(y)
