"""tf-explain, imported no earlier than it is needed."""

import importlib

from keras_lap.utils.from_extra import from_extra


def tf_explain_method(module, name):
    """A class of tf-explain, which is not needed on other backends.

    Args:
        module: Module in `tf_explain.core`.
        name: Class in it.

    Raises:
        ImportError: If tf-explain or OpenCV, which it imports, is not installed.
    """
    needed = f"Beside TensorFlow, {name} needs tf-explain and OpenCV"
    with from_extra("evaluation", needed):
        return getattr(importlib.import_module(f"tf_explain.core.{module}"), name)
