"""The shipped GPU kernels against a float64 computation by torch, on a GPU.

    python benchmarks/gpu_parity.py

Needs only torch and a driver. Takes every variant of the table and small shapes of all
kinds, and runs each twice: results must be the same to the last bit.
"""

import itertools
import sys

from gpu_device import LaPool, missing_gpu

from kernels.gpu.launch import plan_backward, plan_forward
from kernels.gpu.shipped import Driver
from kernels.gpu.variants import DTYPES, VARIANTS
from kernels.pooling import Base, Pooling, Weighting

# Largest difference allowed, relative to the largest value of the exact result.
ROUNDING = {"float32": 2e-6, "float16": 6e-4, "bfloat16": 4.5e-3}
SUM_ROUNDING = 2e-5

GEOMETRIES = (
    ((9, 12), {"pool_size": (1, 1), "strides": (2, 2)}),
    ((9, 12), {"pool_size": (2, 2)}),
    ((9, 12), {"pool_size": (2, 2), "strides": (3, 2), "padding": "same"}),
    ((13, 12), {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"}),
    (
        (12, 13),
        {"pool_size": (3, 3), "strides": (2, 2), "padding": ((1, 1), (1, 0))},
    ),
    ((10, 9), {"pool_size": (3, 2), "strides": (1, 2), "padding": ((0, 1), (1, 1))}),
    ((10, 9), {"pool_size": (5, 4), "strides": (2, 3), "padding": "same"}),
    ((7, 7), {"pool_size": None}),
    ((12, 9), {"pool_size": None}),
)
CHANNELS = ((1, 1), (3, 1), (64, 1), (328, 1), (24, 3), (6, 2), (5, 5), (72, 72))
BASES = (None, "max", "avg", "first")


def cases():
    """Poolings and dtypes, every variant among them."""
    options = itertools.cycle(
        itertools.product(("gaussian", "softmax"), ("score", None), (False, True))
    )
    for (sizes, geometry), (channels, groups), base, dtype in itertools.product(
        GEOMETRIES, CHANNELS, BASES, DTYPES
    ):
        weighting, gating, alpha_per_group = next(options)
        pooling = Pooling.of(
            (3, *sizes, channels),
            groups,
            **geometry,
            base=base,
            weighting=weighting,
            gating=gating,
            alpha_per_group=alpha_per_group,
        )
        yield pooling, dtype


def variants_of(pooling, dtype):
    """The variants that a pooling takes, forward and backward."""
    plans = plan_forward(pooling, dtype), plan_backward(pooling, dtype)
    return {launch.variant for plan in plans for launch in plan.launches}


def random_inputs(pooling, dtype, device):
    """Tensors of a pooling, by the names that the kernels have for them."""
    import torch

    p = pooling
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape, dtype="float32"):
        values = torch.randn(shape, generator=generator, device=device)
        return values.to(getattr(torch, dtype))

    alphas = p.groups if p.alpha_per_group else 1
    scores = normal(p.batch, p.height, p.width, p.groups).sigmoid()
    # A coarse grid has ties.
    return {
        "x": normal(p.batch, p.height, p.width, p.channels, dtype=dtype),
        "scores": (8 * scores).round() / 8,
        "alpha": normal(alphas).abs() + 1,
        "gate": torch.full((1,), 0.3, device=device),
        "dy": normal(p.batch, p.out_height, p.out_width, p.channels, dtype=dtype),
    }


def exact(pooling, inputs):
    """Output and gradients in float64, by differentiating the formulas."""
    import torch

    values = {name: tensor.detach().double() for name, tensor in inputs.items()}
    dy = values.pop("dy")
    for tensor in values.values():
        tensor.requires_grad_()
    y = pooled(pooling, **values)
    gradients = torch.autograd.grad(
        y, list(values.values()), dy, allow_unused=True, materialize_grads=True
    )
    names = ("dx", "dscores", "dalpha", "dgate")
    return {"y": y.detach(), **dict(zip(names, gradients, strict=True))}


def pooled(pooling, x, scores, alpha, gate):
    """Local attention pooling, tap by tap, as the documentation defines it."""
    import torch

    p = pooling
    rows = torch.arange(p.out_height, device=x.device) * p.stride_height - p.pad_top
    columns = torch.arange(p.out_width, device=x.device) * p.stride_width - p.pad_left
    taps = []
    for i, j in itertools.product(range(p.window_height), range(p.window_width)):
        row, column = rows[:, None] + i, columns[None, :] + j
        inside = (row >= 0) & (row < p.height) & (column >= 0) & (column < p.width)
        row, column = row.clamp(0, p.height - 1), column.clamp(0, p.width - 1)
        taps.append(
            (x[:, row, column], scores[:, row, column], inside[None, ..., None])
        )
    best = torch.full_like(taps[0][1], -torch.inf)
    for _, score, inside in taps:
        best = torch.where(inside & (score > best), score, best)
    total, lap = 0, 0
    width = p.channels // p.groups
    for value, score, inside in taps:
        scaled = alpha * torch.where(inside, best - score, 0)
        scaled = scaled**2 if p.weighting == Weighting.GAUSSIAN else scaled
        weight = torch.where(inside, torch.exp(-scaled), 0)
        total = total + weight
        factor = weight * score if p.gated else weight
        lap = lap + factor.repeat_interleave(width, dim=-1) * value
    lap = lap / total.repeat_interleave(width, dim=-1)
    if p.base == Base.NONE:
        return lap
    return (1 - gate) * based(p, [(value, inside) for value, _, inside in taps]) + (
        gate * lap
    )


def based(pooling, taps):
    """The base branch from values of taps and whether these are real."""
    import torch

    sees = pooling.base_sees_padding
    seen = [(torch.where(inside, value, 0), inside | sees) for value, inside in taps]
    if pooling.base == Base.AVERAGE:
        return sum(value for value, _ in seen) / sum(
            there.double() for _, there in seen
        )
    result = torch.full_like(taps[0][0], -torch.inf)
    found = torch.zeros_like(result, dtype=torch.bool)
    for value, there in seen:
        take = there & (value > result if pooling.base == Base.MAX else ~found)
        result, found = torch.where(take, value, result), found | there
    return result


def differences(pooling, dtype, driver):
    """Errors of every result, each over what is allowed; above 1 is too much."""
    import torch

    inputs = random_inputs(pooling, dtype, "cuda")
    runs = []
    for _ in range(2):
        run = LaPool(pooling, dtype, driver, inputs)
        run.forward()
        run.backward()
        runs.append(run.results)
    errors = {}
    for name, value in exact(pooling, inputs).items():
        first, second = (run[name] for run in runs)
        if not torch.equal(first, second):
            errors[f"{name} differs between runs"] = float("inf")
        rounding = ROUNDING[dtype] if name in ("y", "dx") else SUM_ROUNDING
        error = (first.double() - value.reshape(first.shape)).abs().max()
        # A sum of many terms is judged by their size, not by what is left of them.
        scale = max(value.abs().max().item(), 1.0)
        errors[name] = (error / (rounding * scale)).nan_to_num(torch.inf).item()
    return errors


def main():
    """Runs the sweep; returns the exit code."""
    hindrance = missing_gpu()
    if hindrance:
        print(hindrance)
        return 0
    driver, used, failures, worst = Driver(), set(), 0, {}
    for pooling, dtype in cases():
        used |= variants_of(pooling, dtype)
        errors = differences(pooling, dtype, driver)
        worst = {
            name: max(error, worst.get(name, 0.0)) for name, error in errors.items()
        }
        if max(errors.values()) > 1:
            failures += 1
            print(f"{dtype} {pooling}: {errors}")
    print(f"{len(used)} of {len(VARIANTS)} variants, {failures} failures")
    print("largest error over what is allowed:", worst)
    return int(failures > 0 or used != set(VARIANTS))


if __name__ == "__main__":
    sys.exit(main())
