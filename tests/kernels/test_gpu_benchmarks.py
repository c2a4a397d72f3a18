"""What the GPU benchmarks compute without a GPU: sweeps, bytes, tables."""

import csv
import dataclasses
import sys

import gpu_bandwidth
import gpu_device
import gpu_parity
import pytest

Pooling, VARIANTS = gpu_parity.Pooling, gpu_parity.VARIANTS


@pytest.mark.skipif(not gpu_device.missing_gpu(), reason="there is a GPU")
@pytest.mark.parametrize("script", [gpu_parity, gpu_bandwidth])
def test_without_a_gpu_they_say_so(script, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script"])
    assert script.main() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("no GPU measured: torch ")


def test_the_parity_sweep_takes_every_variant():
    used = set()
    for pooling, dtype in gpu_parity.cases():
        used |= gpu_parity.variants_of(pooling, dtype)
    assert used == set(VARIANTS)


SMALL = Pooling.of((3, 4, 6, 8), 2, (2, 3), base="avg", alpha_per_group=True)


@pytest.mark.torch_suffices
def test_sums_are_judged_by_their_terms():
    torch = pytest.importorskip("torch")
    inputs = gpu_parity.random_inputs(SMALL, "float32", "cpu")
    # Pairs of windows whose gradients of alpha and gate cancel each other.
    inputs = {
        name: torch.cat([1e6 * tensor, -1e6 * tensor] if name == "dy" else [tensor] * 2)
        if tensor.ndim == 4
        else tensor
        for name, tensor in inputs.items()
    }
    pooling = dataclasses.replace(SMALL, batch=2 * SMALL.batch)
    results = gpu_parity.exact(pooling, inputs)
    assert results["dalpha"].abs().max() < 1 and results["dgate"].abs() < 1
    for name in ("dalpha", "dgate"):
        rounded, wrong = (
            gpu_parity.errors_of(
                {**results, name: results[name] + error}, pooling, inputs
            )
            for error in (1, 1e4)
        )
        assert 0 < rounded[name] < 1 < wrong[name]


@pytest.mark.torch_suffices
@pytest.mark.parametrize("dtype", gpu_parity.DTYPES)
def test_features_are_judged_by_their_own_size(dtype):
    torch = pytest.importorskip("torch")
    inputs = gpu_parity.random_inputs(SMALL, dtype, "cpu")
    inputs = {**inputs, "x": inputs["x"] / 256, "dy": inputs["dy"] / 256}
    results = gpu_parity.exact(SMALL, inputs)
    for name in ("y", "dx"):
        results[name] = results[name].to(getattr(torch, dtype))
    assert max(gpu_parity.errors_of(results, SMALL, inputs).values()) < 1
    for name in ("y", "dx"):
        wrong = {**results, name: torch.zeros_like(results[name])}
        assert gpu_parity.errors_of(wrong, SMALL, inputs)[name] > 100


@pytest.mark.torch_suffices
@pytest.mark.parametrize("wrong", [(), ("y",), ("dx", "dscores")])
def test_the_last_image_is_compared_with_itself_alone(monkeypatch, wrong):
    pytest.importorskip("torch")

    def run(pooling, dtype, driver, inputs):
        results = gpu_parity.exact(pooling, inputs)
        for name in wrong:
            results[name][2:] += 1
        return results

    monkeypatch.setattr(gpu_parity, "run", run)
    found = gpu_parity.differences_at_the_end(SMALL, None, "cpu")
    assert tuple(found) == wrong


def test_large_batches_end_behind_what_32_bits_count():
    for pooling in gpu_parity.LARGE_BATCHES:
        features = pooling.height * pooling.width * pooling.channels
        alone = dataclasses.replace(pooling, batch=1)
        pairs = gpu_parity.plan_backward(alone, "bfloat16").scratch.get("pairs", 0)
        assert (pooling.batch - 1) * max(features, pairs) >= 2**31


@pytest.mark.torch_suffices
@pytest.mark.parametrize("groups", [1, 8])
def test_bytes_that_a_large_batch_takes(groups):
    pytest.importorskip("torch")
    pooling = Pooling.of((3, 4, 6, 8), groups, (2, 3), (1, 2), base="max")
    inputs = gpu_parity.random_inputs(pooling, "bfloat16", "cpu")
    pool = gpu_device.LaPool(pooling, "bfloat16", None, inputs)
    held = {**inputs, **pool.results}
    names = ("x", "scores", "dy", "y", "dx", "dscores")
    _, scratch = gpu_parity.plan_backward(pooling, "bfloat16").offsets
    held = sum(held[name].nbytes for name in names) + scratch
    assert gpu_parity.bytes_at_the_end(pooling) == held


def test_bytes_that_must_move():
    whole = Pooling.of((2, 4, 6, 8), 1, (2, 2))
    features, scores, pooled = 2 * 4 * 6 * 8, 2 * 4 * 6, 2 * 2 * 3 * 8
    forward = 4 * (features + scores + pooled)
    backward = forward + 4 * (features + scores)
    assert gpu_bandwidth.bytes_moved(whole, "float32") == (forward, backward)
    # Every other pixel of every other row is read, all gradients are written.
    sparse = Pooling.of((2, 4, 6, 8), 1, (1, 1), (2, 2))
    forward = 2 * 2 * features // 4 + 4 * scores // 4
    backward = forward + 2 * features + 4 * scores
    assert gpu_bandwidth.bytes_moved(sparse, "bfloat16") == (forward, backward)


def test_all_forward_passes_come_before_the_backward_ones():
    called = []
    passes = [
        [lambda name=f"{kind}{n}": called.append(name) for n in range(2)]
        for kind in ("forward", "backward")
    ]
    gpu_bandwidth.run(passes, 3)
    names = ("forward0", "forward1", "forward0", "backward0", "backward1", "backward0")
    assert tuple(called) == names


@pytest.mark.torch_suffices
@pytest.mark.parametrize("shape", [gpu_bandwidth.SHAPES[0], gpu_bandwidth.SHAPES[4]])
def test_torch_pools_the_same_windows_and_keeps_them(shape):
    torch = pytest.importorskip("torch")
    shape = dataclasses.replace(shape, size=(2, 8, 8, 3))
    pooling = shape.pooling("max")
    inputs = gpu_parity.random_inputs(pooling, "float32", "cpu")
    pools = [gpu_bandwidth.TorchMaxPool(shape, inputs) for _ in range(2)]
    gpu_bandwidth.run([[each.forward for each in pools]], 2)
    gpu_bandwidth.run([[each.backward for each in pools]], 2)
    assert pools[0].y.data_ptr() != pools[1].y.data_ptr()
    assert pools[0].dx.data_ptr() != pools[1].dx.data_ptr()
    assert pools[0].y.permute(0, 2, 3, 1).shape == inputs["dy"].shape
    assert pools[0].dx.permute(0, 2, 3, 1).shape == inputs["x"].shape
    torch.testing.assert_close(pools[0].dx.sum(), inputs["dy"].sum())


def test_a_single_round_is_refused_at_once(capsys):
    with pytest.raises(SystemExit):
        gpu_bandwidth.main(["--rounds", "1"])
    assert "expected at least 2 rounds" in capsys.readouterr().err


def test_what_is_measured_is_tabled(tmp_path):
    rows = [
        gpu_bandwidth.Row("shape", "float32", *row)
        for row in (
            ("copy", "forward", 10**9, (1e-3, 1e-3, 1e-3)),
            ("la_pool", "forward", 9 * 10**8, (1e-3, 1e-3, 1e-3)),
            ("la_pool", "both", 10**9, (2e-3, 4e-3, 2e-3)),
            ("torch max_pool2d", "both", 10**9, (4e-3, 8e-3, 4e-3)),
        )
    ]
    lines = gpu_bandwidth.table(rows, "a device", "2026-01-02").splitlines()
    assert "2026-01-02, a device" in lines[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]
    assert cells[1][4:] == ["1000.0", "900", "0.90 (0.90 to 0.90)", ""]
    assert cells[2][4:] == [
        "2000.0",
        "500",
        "0.50 (0.25 to 0.50)",
        "0.50 (0.50 to 0.50)",
    ]
    gpu_bandwidth.write_csv(rows, tmp_path / "rows.csv", "a device")
    read = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert len(read) == 12
    assert read[0]["provider"] == "copy"
    assert float(read[8]["seconds"]) == 2e-3
