"""Data sets for trying out explanations, as TensorFlow Datasets builders.

Importing this package registers the builders, so `tfds.load("cluttered_digits")`
finds them afterwards.
"""

try:
    import sklearn  # noqa: F401
    import tensorflow_datasets  # noqa: F401
except ImportError as error:
    raise ImportError(
        "keras_lap.datasets needs TensorFlow Datasets and scikit-learn, but "
        f"importing them failed: {error}. Install both with "
        'pip install "keras-lap[datasets]".'
    ) from error

from keras_lap.datasets.cluttered_digits import ClutteredDigits, ClutteredDigitsConfig

__all__ = ["ClutteredDigits", "ClutteredDigitsConfig"]
