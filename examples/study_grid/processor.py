"""Names of what a cell was computed on."""

import importlib
import platform
from pathlib import Path

import keras


def processor():
    """The name of the GPU that Keras uses, or else of the CPU."""
    names = _GPUS[keras.config.backend()]()
    return names[0] if names else _cpu()


def _cpu():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def _of_tensorflow():
    config = importlib.import_module("tensorflow").config
    return [
        config.experimental.get_device_details(device).get("device_name", "GPU")
        for device in config.list_physical_devices("GPU")
    ]


def _of_jax():
    devices = importlib.import_module("jax").devices()
    return [each.device_kind for each in devices if each.platform == "gpu"]


def _of_torch():
    cuda = importlib.import_module("torch").cuda
    return [cuda.get_device_name()] if cuda.is_available() else []


_GPUS = {"tensorflow": _of_tensorflow, "jax": _of_jax, "torch": _of_torch}
