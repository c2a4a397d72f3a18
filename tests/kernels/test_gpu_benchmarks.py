"""What the GPU benchmarks compute without a GPU: sweeps, bytes, tables."""

import csv
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
