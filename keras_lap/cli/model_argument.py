"""The argument MODEL of the commands."""

import inspect
import pathlib

import keras

from keras_lap.utils.names import check_names

WEIGHTS = ("imagenet", "none")


def add_model_argument(parser, weights="imagenet"):
    """Adds MODEL, and what its weights are.

    Args:
        parser: An `argparse.ArgumentParser`.
        weights: Default of `--weights`.
    """
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a .keras or .h5 file, or the name of a network of keras.applications",
    )
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        default=weights,
        help="of a network of keras.applications; those of ImageNet are downloaded "
        "if they were not yet (default: %(default)s)",
    )


def read_model(name, weights="none"):
    """Loads a model, not compiled.

    Args:
        name: Path of a file, or name of a network of `keras.applications`.
        weights: `"imagenet"` or `"none"`, for such a network.

    Returns:
        A `keras.Model`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such network, or the file cannot be read.
    """
    check_model_argument(name)
    if application := find_application(name):
        return application(weights=None if weights == "none" else weights)
    return keras.saving.load_model(name, compile=False)


def check_model_argument(name):
    """Raises what `read_model` does if there is no such file or network."""
    path = pathlib.Path(name)
    if find_application(name) or path.is_file():
        return
    if path.suffix:
        raise FileNotFoundError(
            f"Expected MODEL to be a file that exists. Received: {name!r}"
        )
    check_names(
        "MODEL to be a .keras or .h5 file, or a network of keras.applications",
        [name],
        [name for name in dir(keras.applications) if name[0].isupper()],
    )


def find_application(name):
    """The function of `keras.applications` that makes a network, or `None`."""
    found = getattr(keras.applications, name, None)
    return found if inspect.isfunction(found) else None
