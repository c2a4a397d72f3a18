"""The example with several workers runs, on a small scale, and fails as one."""

import os
import pathlib
import subprocess
import sys

import keras

import keras_lap

SCRIPT = pathlib.Path(__file__).parent.parent / "examples" / "multi_worker.py"


def run(*arguments):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_two_workers_train_and_save_one_network(tmp_path):
    small = ("--images", 32, "--batch-size", 16, "--data-dir", tmp_path / "data")
    done = run("--epochs", 1, "--folder", tmp_path, *small)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("box_supervision") == 1
    network = keras.saving.load_model(tmp_path / "network.keras")
    assert len(keras_lap.lap_layers(network)) == 3

    failed = run("--epochs", 1, "--folder", "/dev/null", *small)
    assert failed.returncode != 0
    assert "A worker failed" in failed.stderr
