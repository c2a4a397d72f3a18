"""Local attention pooling of torch's CUDA tensors, by the shipped GPU kernels."""

import functools

import torch

from .launch import plan_backward, plan_forward
from .shipped import Driver

DTYPES = {
    torch.float32: "float32",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}
ALIGNMENT = 16


@torch.compiler.disable
def la_pool(x, scores, alpha, gate, pooling, reference):
    """Pools channels-last features, differentiably.

    `torch.compile` leaves it as it is, since it cannot see through the driver's calls.

    Args:
        x: Features `(N, H, W, C)` of float32, float16 or bfloat16, on a CUDA device.
        scores: Attention scores `(N, H, W, G)`, float32.
        alpha: Sharpness, float32, scalar or `(G,)`.
        gate: Factor of the attention branch, scalar float32; `None` without a base.
        pooling: The `keras_lap.kernels.pooling.Pooling` of these shapes.
        reference: Function of `x`, `scores`, `alpha` and `gate` that computes the same
            by differentiable operations. Only derivatives of derivatives call it.

    Returns:
        Tensor `(N, H', W', C)` of `x`'s dtype.

    Raises:
        ValueError: If a dtype is not among these, or a tensor is too large.
        OSError: If there is no CUDA driver.
        RuntimeError: If the driver reports an error.
    """
    if x.dtype not in DTYPES or {scores.dtype, alpha.dtype} != {torch.float32}:
        raise ValueError(
            "Expected `x` of float32, float16 or bfloat16, and `scores` and `alpha` of "
            f"float32. Received: {x.dtype}, {scores.dtype} and {alpha.dtype}"
        )
    if gate is None:
        gate = alpha.new_ones(())
    return _LaPool.apply(x, scores, alpha, gate, pooling, reference)


class _LaPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scores, alpha, gate, pooling, reference):
        ctx.save_for_backward(x, scores, alpha, gate)
        ctx.pooling, ctx.reference = pooling, reference
        shape = pooling.batch, pooling.out_height, pooling.out_width, pooling.channels
        y = x.new_empty(shape)
        inputs = _as_kernels_read(x=x, scores=scores, alpha=alpha, gate=gate)
        _run(plan_forward(pooling, DTYPES[x.dtype]), {**inputs, "y": y})
        return y

    @staticmethod
    def backward(ctx, dy):
        inputs = ctx.saved_tensors
        # Gradients are recorded only where they are to be differentiated in turn.
        if torch.is_grad_enabled():
            return *_differentiable_gradients(ctx, inputs, dy), None, None
        x, scores, alpha, gate = inputs
        outputs = {
            "dx": torch.empty_like(x, memory_format=torch.contiguous_format),
            "dscores": torch.empty_like(scores, memory_format=torch.contiguous_format),
            "dalpha": torch.empty_like(alpha, memory_format=torch.contiguous_format),
            "dgate": torch.empty_like(gate),
        }
        buffers = _as_kernels_read(x=x, scores=scores, alpha=alpha, gate=gate, dy=dy)
        plan = plan_backward(ctx.pooling, DTYPES[x.dtype])
        _run(plan, {**buffers, **outputs})
        return *outputs.values(), None, None


def _differentiable_gradients(ctx, inputs, dy):
    wanted = ctx.needs_input_grad[: len(inputs)]
    differentiated = [
        tensor for tensor, needed in zip(inputs, wanted, strict=True) if needed
    ]
    gradients = iter(
        torch.autograd.grad(
            ctx.reference(*inputs),
            differentiated,
            dy,
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(gradients) if needed else None for needed in wanted]


def _as_kernels_read(**tensors):
    """The tensors, or copies: dense, and where 16 bytes can be loaded at once."""
    dense = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return {
        name: tensor.clone() if tensor.data_ptr() % ALIGNMENT else tensor
        for name, tensor in dense.items()
    }


def _run(plan, buffers):
    x = buffers["x"]
    _, size = plan.offsets
    scratch = torch.empty(size, dtype=torch.uint8, device=x.device)
    addresses = {name: tensor.data_ptr() for name, tensor in buffers.items()}
    stream = torch.cuda.current_stream(x.device).cuda_stream
    _driver().run(plan, addresses, scratch.data_ptr(), stream, x.device.index)


@functools.cache
def _driver():
    return Driver()
