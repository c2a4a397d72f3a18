"""The example with several workers runs, on a small scale, and fails as one."""

import os
import pathlib
import signal
import subprocess
import sys

import keras
import pytest

import keras_lap

# Fails as the second worker, and as the first waits for longer than the test does.
WORKER = """
import json, os, sys, time

if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 1:
    sys.exit(3)
time.sleep(600)
"""

SCRIPT = pathlib.Path(__file__).parents[2] / "examples" / "multi_worker.py"


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


def test_one_failing_worker_stops_the_others(tmp_path, monkeypatch):
    """Workers that do nothing but the first's waiting and the second's failing."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import multi_worker

    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    monkeypatch.setattr(multi_worker, "__file__", str(worker))
    started = []

    class Process(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Process)
    with pytest.raises(SystemExit, match=r"A worker failed.*3"):
        multi_worker.start_workers(["--epochs", "1"])
    first, second = (process.wait(timeout=60) for process in started)
    assert (first, second) == (-signal.SIGKILL, 3)
