"""`KnowledgeInjection` trains on replicas and workers as on one device."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from common.free_ports import free_ports
from tolerances import assert_close

SCRIPT = pathlib.Path(__file__).parents[1] / "helpers" / "train_on_replicas.py"


def start(*paths, **environment):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", **environment}
    return subprocess.Popen([sys.executable, SCRIPT, *paths], env=environment)


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory):
    """What came out on one device, and on two."""
    folder = tmp_path_factory.mktemp("one_process")
    paths = [folder / f"{devices}.npz" for devices in (1, 2)]
    assert start(*paths).wait() == 0
    return [np.load(path) for path in paths]


def assert_same(actual, expected):
    assert sorted(actual) == sorted(expected)
    assert "mask val_mask_supervision" in expected
    for name in expected:
        assert_close(actual[name], expected[name], rtol=1e-4, atol=1e-6)


def test_two_replicas_train_as_one_and_are_read(in_one_process):
    one, two = in_one_process
    assert_same(two, one)


@pytest.mark.thorough
def test_two_workers_train_as_one(tmp_path, in_one_process):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    paths = [tmp_path / f"{index}.npz" for index in range(2)]
    processes = []
    for index, path in enumerate(paths):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": workers}, "task": task}
        processes.append(start(path, TF_CONFIG=json.dumps(config)))
    try:
        assert [process.wait(timeout=240) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    for path in paths:
        assert_same(np.load(path), in_one_process[0])
