"""Local Attention Pooling for Keras."""

import importlib
import importlib.util

if importlib.util.find_spec("keras_lap.kernels") is None:
    raise ImportError(
        "Expected keras_lap to be installed. Received: the folder of its sources, "
        "which Python finds first where it is run. Run Python elsewhere, or install "
        "the sources themselves with `pip install -e .`."
    )

try:
    _backend = importlib.import_module("keras").config.backend()
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in ("tensorflow", "jax", "torch"):
        raise
    raise ImportError(
        f"Expected the backend of Keras to be installed. Received: {error}. Install "
        f"{missing}, or set KERAS_BACKEND to tensorflow, jax or torch, whichever is "
        "installed."
    ) from None

if _backend not in ("tensorflow", "jax", "torch"):
    raise ImportError(
        f"Expected Keras on TensorFlow, JAX or torch. Received: {_backend}. Set "
        "KERAS_BACKEND to one of the three before Keras is imported."
    )

from keras_lap import callbacks, evaluation, losses
from keras_lap.explanation import Explanation, draw_maps, explain
from keras_lap.graph.guess_warning import GuessedPlaceWarning
from keras_lap.graph.lap_layers import lap_layers
from keras_lap.layers import (
    GlobalLAPooling1D,
    GlobalLAPooling2D,
    GlobalLAPooling3D,
    LAPooling,
    LAPooling1D,
    LAPooling2D,
    LAPooling3D,
)
from keras_lap.layers.gate_warning import ClosedGateWarning
from keras_lap.ops import la_pool, load_ops
from keras_lap.report import report
from keras_lap.surgery import (
    convert,
    finalize,
    freeze_all_but_lap,
    plan,
    to_standard,
)

__version__ = "0.1.0"


def __getattr__(name):
    if name == "datasets":
        # Not before it is asked for: it needs TensorFlow Datasets.
        return importlib.import_module("keras_lap.datasets")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ClosedGateWarning",
    "Explanation",
    "GlobalLAPooling1D",
    "GlobalLAPooling2D",
    "GlobalLAPooling3D",
    "GuessedPlaceWarning",
    "LAPooling",
    "LAPooling1D",
    "LAPooling2D",
    "LAPooling3D",
    "callbacks",
    "convert",
    "draw_maps",
    "evaluation",
    "explain",
    "finalize",
    "freeze_all_but_lap",
    "la_pool",
    "lap_layers",
    "load_ops",
    "losses",
    "plan",
    "report",
    "to_standard",
]
