"""The fused pooling of Keras on torch: the GPU kernels on CUDA tensors."""

import torch

from keras_lap.kernels.gpu import torch_la_pool
from keras_lap.kernels.pooling import Pooling
from keras_lap.ops.as_image import as_image
from keras_lap.ops.gpu_obstacle import gpu_obstacle
from keras_lap.ops.reference import la_pool_reference

DESCRIPTION = "Triton's kernels, compiled ahead, on CUDA tensors."


def obstacle(dtype, x):
    """What keeps the kernels from pooling, or `None`.

    Args:
        dtype: Dtype of the features.
        x: Features, or `None` if they are not known yet, nor are those on the device
            "meta", where Keras traces shapes.
    """
    known = x is not None and not x.is_meta
    if not (x.is_cuda if known else torch.cuda.is_available()):
        return "The kernels for torch pool tensors on a CUDA device."
    if dtype == "float64":
        return "The kernels for torch pool in float32 and half precision."
    if torch._C._are_functorch_transforms_active():
        return "The transforms of torch.func cannot see into the kernels."
    return gpu_obstacle(_capability(x.device if known else None))


def _capability(device):
    # AMD's GPUs are CUDA devices to torch.
    return torch.version.cuda and torch.cuda.get_device_capability(device)


def supports_jit():
    """XLA does not compile for torch; nothing stands in the way of its compiler."""
    return True


def la_pool(
    x, scores, alpha, pool_size, strides, padding, weighting, gating, base, base_gate
):
    """Pools channels-last tensors; arguments are those of `la_pool`, validated."""
    if x.is_meta:
        window = pool_size, strides, padding
        return la_pool_reference(
            x, scores, alpha, *window, weighting, gating, base, base_gate
        )
    x, scores, window, restore = as_image(x, scores, pool_size, strides, padding)

    def reference(x, scores, alpha, gate):
        return la_pool_reference(
            x, scores, alpha, *window, weighting, gating, base, gate
        )

    pooling = Pooling.of(
        x.shape,
        scores.shape[-1],
        *window,
        weighting=weighting,
        gating=gating,
        base=base,
        alpha_per_group=alpha.ndim == 1,
    )
    gate = None if base is None else base_gate
    y = torch_la_pool.la_pool(x, scores, alpha, gate, pooling, reference)
    return restore(y)
