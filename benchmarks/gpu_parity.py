"""The shipped GPU kernels against a float64 computation by torch, on a GPU.

    python benchmarks/gpu_parity.py

Needs only torch and a driver. Small shapes of all kinds, which take every variant of
the table, are run twice, and both runs must agree to the last bit. So must the last
image of batches that 32 bits cannot number with the same image alone. What torch
differentiates is compared as well.
"""

import dataclasses
import itertools
import sys

from gpu_device import LaPool, missing_gpu

from kernels.gpu.launch import plan_backward, plan_forward
from kernels.gpu.shipped import Driver
from kernels.gpu.variants import DTYPES, VARIANTS
from kernels.pooling import Base, Pooling, Weighting

RESULTS = ("y", "dx", "dscores", "dalpha", "dgate")
# Largest difference allowed, relative to the largest value of the exact result, and
# besides what storing takes from features.
ROUNDING = 5e-6
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
    # More taps than any block has.
    ((33, 32), {"pool_size": None}),
)
CHANNELS = ((1, 1), (3, 1), (64, 1), (328, 1), (24, 3), (6, 2), (5, 5), (72, 72))
BASES = (None, "max", "avg", "first")
# Batches whose last image begins behind 2^31 values, or as many pixels of windows.
MANY = (513, 64, 64, 1024)
LARGE_BATCHES = (
    Pooling.of(MANY, 1, (2, 2), base="max"),
    Pooling.of(MANY, 1, (3, 3), (2, 2), "same", base="max"),
    Pooling.of(MANY, 1, None, base="avg"),
    Pooling.of(MANY, MANY[-1], (2, 2), base="max"),
    Pooling.of((11, 512, 512, 8), 1, (32, 32), (1, 1)),
)
# One whose features and scores torch lays out otherwise than kernels read them.
AUTOGRAD = Pooling.of((3, 12, 13, 24), 3, (3, 2), (2, 2), base="max")
SECOND_ROUNDING = 1e-4
# Longer than it takes to enqueue all work of one pooling.
SLEEP_CYCLES = 10**9


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
    return summed(pooling, exact_terms(pooling, inputs))


def exact_terms(pooling, inputs):
    """The same, but for alpha and gate what each window adds to their gradients."""
    import torch

    p = pooling
    values = {name: tensor.detach().double() for name, tensor in inputs.items()}
    dy = values.pop("dy")
    windows = p.batch, p.out_height, p.out_width
    values["alpha"] = values["alpha"].expand(*windows, p.groups)
    values["gate"] = values["gate"].expand(*windows, p.channels)
    for tensor in values.values():
        tensor.requires_grad_()
    y = pooled(pooling, **values)
    gradients = torch.autograd.grad(
        y, list(values.values()), dy, allow_unused=True, materialize_grads=True
    )
    return dict(zip(RESULTS, (y.detach(), *gradients), strict=True))


def summed(pooling, terms):
    """Results of terms as `exact_terms` returns them."""
    alpha, gate = terms["dalpha"], terms["dgate"]
    alpha = alpha.sum((0, 1, 2)) if pooling.alpha_per_group else alpha.sum()
    return {**terms, "dalpha": alpha, "dgate": gate.sum()}


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


def errors_of(results, pooling, inputs):
    """Errors of all results by name, over what is allowed; above 1 is too much."""
    import torch

    terms = exact_terms(pooling, inputs)
    sizes = {name: each.abs() for name, each in terms.items()}
    values, sizes = summed(pooling, terms), summed(pooling, sizes)
    errors = {}
    for name, value in values.items():
        actual = results[name].double()
        value, size = value.reshape(actual.shape), sizes[name].max()
        if name in ("y", "dx"):
            stored = torch.finfo(results[name].dtype)
            allowed = ROUNDING * size + stored.eps / 2 * value.abs()
            allowed += stored.smallest_normal * stored.eps
        else:
            # A sum of many terms is judged by their size, not by what is left of them.
            allowed = SUM_ROUNDING * size.clamp(min=1.0)
        error = (actual - value).abs() / allowed
        errors[name] = error.nan_to_num(torch.inf).max().item()
    return errors


def differences(pooling, dtype, driver):
    """Errors as `errors_of` returns them, and infinite ones if two runs differ."""
    import torch

    inputs = random_inputs(pooling, dtype, "cuda")
    first, second = (run(pooling, dtype, driver, inputs) for _ in range(2))
    errors = errors_of(first, pooling, inputs)
    for name in RESULTS:
        if not torch.equal(first[name], second[name]):
            errors[f"{name} differs between runs"] = float("inf")
    return errors


def run(pooling, dtype, driver, inputs):
    """Results of both passes, by name."""
    pool = LaPool(pooling, dtype, driver, inputs)
    pool.forward()
    pool.backward()
    return pool.results


def differences_at_the_end(pooling, driver, device="cuda"):
    """Results of a batch's last image that are not those of the image alone."""
    import torch

    dtype, alone = "bfloat16", dataclasses.replace(pooling, batch=1)
    inputs = random_inputs(alone, dtype, device)
    many = dict(inputs)
    for name in ("x", "scores", "dy"):
        many[name] = inputs[name].new_zeros((pooling.batch, *inputs[name].shape[1:]))
        many[name][-1] = inputs[name][0]
    expected = run(alone, dtype, driver, inputs)
    actual = run(pooling, dtype, driver, many)
    return [
        name
        for name in ("y", "dx", "dscores")
        if not torch.equal(actual[name][-1], expected[name][0])
    ]


def bytes_at_the_end(pooling):
    """Device memory that `differences_at_the_end` takes, about."""
    features = 2 * pooling.channels * (pooling.pixels + pooling.windows)
    scores = 4 * pooling.groups * pooling.pixels
    _, scratch = plan_backward(pooling, "bfloat16").offsets
    return 2 * (features + scores) + scratch


def autograd_errors(la_pool, pooling, device="cuda"):
    """Errors of `torch_la_pool.la_pool` and its derivatives, over what is allowed.

    Features are not dense in the kernels' order, and scores not aligned.
    """
    import torch

    given = random_inputs(pooling, "float32", device)
    inputs = dict(given)
    dy = inputs.pop("dy")
    x, scores = inputs["x"], inputs["scores"]
    inputs["x"] = x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    moved = scores.new_empty(scores.numel() + 1)[1:].view(scores.shape)
    inputs["scores"] = moved.copy_(scores)
    leaves = [tensor.requires_grad_() for tensor in inputs.values()]

    def reference(*tensors):
        return pooled(pooling, *tensors)

    y = la_pool(*leaves, pooling, reference)
    gradients = torch.autograd.grad(y, leaves, dy, retain_graph=True)
    results = dict(zip(RESULTS, (y.detach(), *gradients), strict=True))
    errors = errors_of(results, pooling, given)
    doubles = [tensor.detach().double().requires_grad_() for tensor in leaves]
    expected = second_derivatives(reference(*doubles), doubles, dy.double())
    actual = second_derivatives(y, leaves, dy)
    for name, value, second in zip(RESULTS[1:], expected, actual, strict=True):
        error = (second - value).abs().max() / value.abs().max().clamp(min=1.0)
        error = (error / SECOND_ROUNDING).nan_to_num(torch.inf)
        errors[f"{name}, differentiated"] = error.item()
    return errors


def second_derivatives(y, inputs, dy):
    """Gradients of the sum of squares of all gradients."""
    import torch

    first = torch.autograd.grad(y, inputs, dy, create_graph=True)
    return torch.autograd.grad(sum((each**2).sum() for each in first), inputs)


def main():
    """Runs the sweep; returns the exit code."""
    hindrance = missing_gpu()
    if hindrance:
        print(hindrance)
        return 0
    import torch

    from kernels.gpu.torch_la_pool import la_pool

    driver, used, failures, worst = Driver(), set(), [], {}

    def judge(errors, what):
        for name, error in errors.items():
            worst[name] = max(error, worst.get(name, 0.0))
        if max(errors.values()) > 1:
            failures.append(f"{what}: {errors}")

    for pooling, dtype in cases():
        used |= variants_of(pooling, dtype)
        judge(differences(pooling, dtype, driver), f"{dtype} {pooling}")
    with torch.cuda.stream(torch.cuda.Stream()):
        # Kernels are loaded, which takes longer than the sleep may.
        autograd_errors(la_pool, AUTOGRAD)
        torch.cuda.synchronize()
        # Work that does not keep to this stream runs before its inputs are there.
        torch.cuda._sleep(SLEEP_CYCLES)
        judge(autograd_errors(la_pool, AUTOGRAD), f"autograd of {AUTOGRAD}")
    for pooling in LARGE_BATCHES:
        torch.cuda.empty_cache()
        if bytes_at_the_end(pooling) > torch.cuda.mem_get_info()[0]:
            print(f"left out for want of memory: {pooling}")
            continue
        for name in differences_at_the_end(pooling, driver):
            failures.append(f"{name} of the last image is not as alone: {pooling}")
    for failure in failures:
        print(failure)
    print(f"{len(used)} of {len(VARIANTS)} variants, {len(failures)} failures")
    print("largest error over what is allowed:", worst)
    return int(bool(failures) or used != set(VARIANTS))


if __name__ == "__main__":
    sys.exit(main())
