import importlib


def tf_explain_method(module: str, name: str):
    """A class of tf-explain, which is not needed on other backends.

    Args:
        module: Module in `tf_explain.core`.
        name: Class in it.

    Raises:
        ImportError: If tf-explain or OpenCV, which it imports, is not installed.
    """
    try:
        return getattr(importlib.import_module(f"tf_explain.core.{module}"), name)
    except ImportError as error:
        raise ImportError(
            f"{name} needs TensorFlow, tf-explain and OpenCV. Install the last two "
            'with `pip install "keras-lap[evaluation]"`.'
        ) from error
