"""What happens to pixels before a network sees them."""

import functools
import sys

import keras
import numpy as np

from keras_lap.cli.model_argument import find_application

_MODES = ("tf", "torch", "caffe")


def add_preprocessing_argument(parser):
    """Adds `--preprocess`."""
    parser.add_argument(
        "--preprocess",
        choices=("none", "unit", *_MODES),
        help="what to make of pixels in [0, 255] for the network: leave them, divide "
        "them by 255, or one of the ways of keras.applications (default: what a "
        "network of keras.applications was trained with, none for a file)",
    )


def preprocessing(name, asked=None):
    """The function that makes of pixels what a network takes.

    Args:
        name: MODEL of the command line.
        asked: What `--preprocess` was given.

    Returns:
        A function from an array to a float32 array, or `None` if pixels are left as
        they are.
    """
    application = find_application(name)
    own = None
    if asked in _MODES:
        own = functools.partial(
            keras.applications.imagenet_utils.preprocess_input, mode=asked
        )
    elif asked is None and application is not None:
        own = sys.modules[application.__module__].preprocess_input
    if own is not None:
        # Theirs writes into the array that it is given.
        return lambda images: own(
            np.array(images, "float32"), data_format="channels_last"
        )
    if asked == "unit":
        return lambda images: np.asarray(images, "float32") / 255
    return None
