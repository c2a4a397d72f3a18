"""Images together with what is known about them, for training on.

`from_folders` makes batches of your own image files, `load` of a data set of TensorFlow
Datasets, and `with_knowledge` images and targets of its examples; `augmented` moves
masks and boxes along with images.
Importing this package registers the builders of `ClutteredDigits`, `CrowdedDigits` and
`SpottedBeetles`, so that `tfds.load("cluttered_digits")` and the like find them
afterwards.
"""

from importlib.util import find_spec

from keras_lap.utils.from_extra import from_extra

with from_extra(
    "datasets",
    "keras_lap.datasets needs TensorFlow (extra cpu or gpu), TensorFlow Datasets and "
    "scikit-learn",
):
    _needed = "sklearn", "tensorflow", "tensorflow_datasets"
    if _missing := [name for name in _needed if find_spec(name) is None]:
        raise ModuleNotFoundError(f"No modules named {', '.join(_missing)}")

from keras_lap.datasets.augmented import augmented
from keras_lap.datasets.cluttered_digits import ClutteredDigits, ClutteredDigitsConfig
from keras_lap.datasets.crowded_digits import CrowdedDigits
from keras_lap.datasets.from_folders import from_folders
from keras_lap.datasets.load import load
from keras_lap.datasets.sized_config import SizedConfig
from keras_lap.datasets.spotted_beetles import SpottedBeetles
from keras_lap.datasets.with_knowledge import with_knowledge

__all__ = [
    "ClutteredDigits",
    "ClutteredDigitsConfig",
    "CrowdedDigits",
    "SizedConfig",
    "SpottedBeetles",
    "augmented",
    "from_folders",
    "load",
    "with_knowledge",
]
