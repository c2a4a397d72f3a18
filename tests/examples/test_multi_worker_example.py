"""The example with workers runs, on a small scale, and fails as one."""

import signal
import subprocess
import threading

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


@pytest.fixture
def multi_worker():
    import multi_worker

    return multi_worker


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, of which none lives for longer than minutes."""
    processes = []

    class Process(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            processes.append(self)

    def kill():
        for process in processes:
            process.kill()

    monkeypatch.setattr(subprocess, "Popen", Process)
    timer = threading.Timer(300, kill)
    timer.start()
    yield processes
    timer.cancel()


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    "count", [1, pytest.param(2, marks=pytest.mark.thorough)], ids="workers={}".format
)
def test_workers_train_and_save_one_network(multi_worker, tmp_path, capfd, count):
    options = {
        "epochs": 1,
        "images": 32,
        "batch-size": 16,
        "data-dir": tmp_path / "data",
        "folder": tmp_path,
    }
    multi_worker.main([f"--{name}={value}" for name, value in options.items()], count)
    assert capfd.readouterr().out.count("box_supervision") == 1
    network = keras.saving.load_model(tmp_path / "network.keras")
    assert len(keras_lap.lap_layers(network)) == 3


def test_one_failing_worker_stops_the_others(
    multi_worker, tmp_path, monkeypatch, started
):
    """Workers that do nothing but the first's waiting and the second's failing."""
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    monkeypatch.setattr(multi_worker, "__file__", str(worker))
    with pytest.raises(SystemExit, match=r"A worker failed.*3"):
        multi_worker.start_workers(["--epochs", "1"], 2)
    first, second = (process.wait(timeout=60) for process in started)
    assert (first, second) == (-signal.SIGKILL, 3)
