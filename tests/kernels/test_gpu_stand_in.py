"""The ops in TensorFlow's GPU build, on a machine without a GPU.

A stand-in for NVIDIA's driver, compiled here, makes TensorFlow find a GPU. Its kernels
run in Triton's interpreter. That shows registration, placement, the kernels chosen,
their arguments, streams, contexts and errors; speed and compiled code it does not show.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from compiler import COMPILER, NO_COMPILER

HERE = pathlib.Path(__file__).parent / "stand_in_cuda"
# What TensorFlow opens before it looks for a GPU.
LIBRARIES = (
    "libcuda.so.1",
    "libnvidia-ml.so.1",
    "libcudart.so.12",
    "libcublas.so.12",
    "libcublasLt.so.12",
    "libcudnn.so.9",
    "libcufft.so.11",
    "libcusolver.so.11",
    "libcusparse.so.12",
)


def obstacle():
    """What keeps the checks from running, or `None`."""
    if not tf.test.is_built_with_cuda():
        return "this TensorFlow has no GPU code; install `tensorflow`"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed, in whose interpreter the kernels run"
    return NO_COMPILER


@pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))
def test_ops_under_the_stand_in(tmp_path):
    library = tmp_path / LIBRARIES[0]
    flags = ["-std=c++17", "-shared", "-fPIC", "-O1"]
    command = [*COMPILER, *flags, HERE / "driver.cc", "-o", library, "-ldl"]
    subprocess.run(command, check=True)
    for name in LIBRARIES[1:]:
        (tmp_path / name).symlink_to(library)
    environment = {
        "LD_LIBRARY_PATH": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "0",
        "TRITON_INTERPRET": "1",
    }
    # As a plugin, Triton is imported before TensorFlow.
    options = ["-p", "no:cacheprovider", "-p", "triton"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, HERE / "checks.py"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
