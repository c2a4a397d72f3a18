"""`keras-lap doctor`."""

import functools
import importlib.metadata
import platform
import sys
from pathlib import Path

import keras
import numpy as np

from keras_lap.cli.command import Command
from keras_lap.kernels import library
from keras_lap.kernels.build import KERNELS, read_record
from keras_lap.ops import la_pool, which
from keras_lap.ops.load_ops import library_obstacle

_PACKAGES = ("keras-lap", "keras", "numpy", "tensorflow", "torch", "jax", "triton")


class Doctor(Command):
    """Prints what this installation has, what runs, and why."""

    name = "doctor"
    summary = "tell which implementation of the pooling runs where, and why"
    details = "Shows versions and devices too, and tries the pooling once."
    examples = ("keras-lap doctor",)

    def add_arguments(self, parser):
        """There are none."""

    def run(self, options):
        for what, state in _states():
            print(f"{what + ':':<15} {state}")


def _states():
    """Pairs of strings: what, and its state. Tries the pooling on a small input."""
    choice = which()
    return [
        ("Python", f"{platform.python_version()}, {sys.executable}"),
        ("machine", f"{platform.system()} {platform.machine()}"),
        *((name, _version(name)) for name in _PACKAGES),
        ("folders", f"{Path(__file__).parents[1]}, {KERNELS}"),
        ("Keras backend", keras.config.backend()),
        ("devices", ", ".join(_devices())),
        ("TensorFlow op", _library()),
        ("la_pool", str(choice)),
        ("la_pool in 3D", str(which(rank=3))),
        ("trial", _trial(choice.implementation)),
    ]


def _version(package):
    # TensorFlow goes by several names.
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def _devices():
    if keras.config.backend() == "torch":
        # Keras does not list those of torch.
        import torch

        gpus = range(torch.cuda.device_count())
        return ["cpu", *map(torch.cuda.get_device_name, gpus)]
    return keras.distribution.list_devices()


def _library():
    found, on_tensorflow = library.find(), keras.config.backend() == "tensorflow"
    if found.path is None and not on_tensorflow:
        return f"none, and Keras on {keras.config.backend()} needs none"
    obstacle = library_obstacle() if on_tensorflow else None
    if obstacle is not None:
        return obstacle
    state = f"{found.path}, built by {read_record(found.path)['compiler']}"
    if found.xla_reason:
        state += f"; XLA cannot compile it: {found.xla_reason}"
    return state


def _trial(implementation):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 9, 8)).astype("float32")
    scores = rng.random((2, 9, 9, 1)).astype("float32")
    pool = functools.partial(la_pool, x, scores, 2.0, 3, 2, data_format="channels_last")
    try:
        results = [
            keras.ops.convert_to_numpy(pool(implementation=implementation))
            for implementation in (implementation, "reference")
        ]
    except Exception as error:  # Whatever it is, the user asked to be told.
        return f"failed: {error}"
    if implementation == "reference":
        return "the reference runs"
    difference = np.abs(results[0] - results[1]).max()
    return f"{implementation} differs from the reference by at most {difference:.1e}"
