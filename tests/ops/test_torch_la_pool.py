"""The torch function around the GPU kernels, with torch's arithmetic in their place.

What the kernels compute is tested elsewhere; here it is what autograd makes of it.
"""

import dataclasses

import keras
import pytest

pytestmark = pytest.mark.torch_too

torch = pytest.importorskip("torch", reason="torch is not installed")

import gpu_parity  # noqa: E402

from keras_lap.kernels.gpu import torch_la_pool  # noqa: E402
from keras_lap.kernels.pooling import Pooling  # noqa: E402
from keras_lap.ops.reference import la_pool_reference  # noqa: E402

INPUTS = ("x", "scores", "alpha", "gate")


@pytest.fixture
def launched(monkeypatch):
    """Computes what plans would in float64, and collects the plans."""
    plans = []

    @torch.enable_grad()
    def run(plan, buffers):
        plans.append(plan)
        assert all(tensor.is_contiguous() for tensor in buffers.values())
        assert all(tensor.data_ptr() % 16 == 0 for tensor in buffers.values())
        inputs = {name: buffers[name] for name in INPUTS}
        inputs["dy"] = buffers["dy"] if "dy" in buffers else buffers["y"]
        for name, value in gpu_parity.exact(run.pooling, inputs).items():
            if name in buffers:
                with torch.no_grad():
                    buffers[name].copy_(value.reshape(buffers[name].shape))

    monkeypatch.setattr(torch_la_pool, "_run", run)
    return run, plans


@pytest.fixture(params=["float32", "float16", "bfloat16"])
def dtype(request):
    return request.param


def leaves(pooling, dtype="float32"):
    """Inputs that ask for gradients, and an upstream gradient."""
    inputs = gpu_parity.random_inputs(pooling, dtype, "cpu")
    dy = inputs.pop("dy")
    if not pooling.alpha_per_group:
        inputs["alpha"] = inputs["alpha"].reshape(())
    inputs["gate"] = inputs["gate"].reshape(())
    return {name: tensor.requires_grad_() for name, tensor in inputs.items()}, dy


POOLING = Pooling.of((2, 4, 6, 8), 2, (2, 3), base="max", alpha_per_group=True)


def test_gradients_go_where_they_belong(launched, dtype):
    run, plans = launched
    run.pooling = POOLING
    inputs, dy = leaves(POOLING, dtype)
    y = torch_la_pool.la_pool(*inputs.values(), POOLING, None)
    assert y.dtype == inputs["x"].dtype
    # Upstream gradients need not be contiguous.
    dy = dy.transpose(1, 2).contiguous().transpose(1, 2)
    gradients = torch.autograd.grad(y, list(inputs.values()), dy)
    exact = gpu_parity.exact(POOLING, {**inputs, "dy": dy})
    torch.testing.assert_close(y, exact["y"].to(y.dtype))
    for (name, tensor), gradient in zip(inputs.items(), gradients, strict=True):
        assert gradient.dtype == tensor.dtype
        expected = exact[f"d{name}"].to(tensor.dtype)
        torch.testing.assert_close(gradient, expected.reshape(tensor.shape))
    assert [len(plan.launches) for plan in plans] == [1, 5]


def test_second_derivatives_come_from_the_reference(launched):
    run, _ = launched
    run.pooling = POOLING
    inputs, dy = leaves(POOLING)
    asked = []

    def reference(x, scores, alpha, gate):
        asked.append(None)
        return gpu_parity.pooled(POOLING, x, scores, alpha, gate)

    def slopes(function):
        upstream = dy.clone().requires_grad_()
        of = [*inputs.values(), upstream]
        y = function(*inputs.values())
        first = torch.autograd.grad(y, of[:-1], upstream, create_graph=True)
        return torch.autograd.grad(sum((each**2).sum() for each in first), of)

    actual = slopes(
        lambda *tensors: torch_la_pool.la_pool(*tensors, POOLING, reference)
    )
    assert len(asked) == 1
    for second, expected in zip(actual, slopes(reference), strict=True):
        torch.testing.assert_close(second, expected)
        assert expected.abs().max() > 1e-3


def test_alpha_may_need_no_gradient(launched):
    run, _ = launched
    run.pooling = POOLING
    inputs, dy = leaves(POOLING)
    inputs["alpha"].requires_grad_(False)

    def reference(*tensors):
        return gpu_parity.pooled(POOLING, *tensors)

    y = torch_la_pool.la_pool(*inputs.values(), POOLING, reference)
    (dx,) = torch.autograd.grad(y, inputs["x"], dy, create_graph=True)
    assert dx.requires_grad
    expected = gpu_parity.exact(POOLING, {**inputs, "dy": dy})["dx"]
    torch.testing.assert_close(dx, expected.to(dx.dtype))


def test_what_the_parity_script_says_of_it(launched):
    run, _ = launched
    run.pooling = POOLING
    right = gpu_parity.autograd_errors(torch_la_pool.la_pool, POOLING, "cpu")
    assert len(right) == 9 and max(right.values()) < 1
    run.pooling = dataclasses.replace(POOLING, gated=False)
    wrong = gpu_parity.autograd_errors(torch_la_pool.la_pool, POOLING, "cpu")
    assert {name for name, error in wrong.items() if error > 1} == set(
        gpu_parity.RESULTS
    )


def test_tensors_may_begin_anywhere_in_memory(launched):
    run, _ = launched
    run.pooling = POOLING
    inputs, dy = leaves(POOLING)
    expected = torch_la_pool.la_pool(*inputs.values(), POOLING, None)
    x = inputs["x"].detach()
    moved = torch.empty(x.numel() + 1)[1:].view(x.shape).copy_(x)
    assert moved.is_contiguous() and moved.data_ptr() % 16
    inputs["x"] = moved.requires_grad_()
    y = torch_la_pool.la_pool(*inputs.values(), POOLING, None)
    torch.testing.assert_close(y, expected)
    y.backward(torch.empty(dy.numel() + 1)[1:].view(dy.shape).copy_(dy))
    assert moved.grad.abs().max() > 0


def test_a_pooling_without_base_needs_no_gate(launched):
    run, _ = launched
    run.pooling = pooling = Pooling.of((1, 4, 4, 8), 1, (2, 2))
    inputs, dy = leaves(pooling)
    *without_gate, _ = inputs.values()
    y = torch_la_pool.la_pool(*without_gate, None, pooling, None)
    y.backward(dy)
    assert inputs["x"].grad.abs().max() > 0


@pytest.mark.parametrize("name", ["x", "scores", "alpha"])
def test_other_dtypes_are_refused(name):
    inputs, _ = leaves(POOLING)
    inputs[name] = inputs[name].double()
    with pytest.raises(
        ValueError, match="Expected `x` of float32, float16 or bfloat16"
    ):
        torch_la_pool.la_pool(*inputs.values(), POOLING, None)


@pytest.mark.parametrize(
    "sizes, window", [((6, 4), (3, 2)), ((6,), (2,)), ((6,), None)]
)
@pytest.mark.parametrize("base", [None, "max"])
def test_stands_behind_the_pooling_of_keras(launched, sizes, window, base):
    if keras.config.backend() != "torch":
        pytest.skip("only Keras on torch pools by it")
    from keras_lap.ops import fused_torch

    run, plans = launched
    images = (2, *(1, *sizes)[-2:], 8)
    pool_size = None if window is None else (1, *window)[-2:]
    run.pooling = Pooling.of(images, 2, pool_size, base=base)
    inputs, _ = leaves(run.pooling)
    x, scores, alpha, gate = inputs.values()
    x, scores = (tensor.reshape(2, *sizes, -1) for tensor in (x, scores))
    options = (window, window, "valid", "gaussian", "score", base)
    gate = None if base is None else gate
    results = [
        pool(x, scores, alpha, *options, gate)
        for pool in (fused_torch.la_pool, la_pool_reference)
    ]
    assert len(plans) == 1
    torch.testing.assert_close(*results)
