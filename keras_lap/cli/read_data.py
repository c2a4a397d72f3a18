"""The argument DATA of `keras-lap evaluate`."""

import functools
import pathlib
import zipfile
from typing import NamedTuple

import numpy as np

from keras_lap.classifier.check_one_size import check_one_size
from keras_lap.classifier.image_input import check_finite
from keras_lap.classifier.labels import standardize_labels
from keras_lap.classifier.standardize_masks import masks_of_concepts
from keras_lap.cli.read_class_folders import read_class_folders
from keras_lap.evaluation.comparison.samples_to_compare import NAMES
from keras_lap.utils.evenly_spaced import evenly_spaced
from keras_lap.utils.names import check_names

_TFDS = "tfds:"


class Data(NamedTuple):
    """Images and what is known of them.

    Attributes:
        arrays: Dict of arrays: `"image"` `(N, H, W, C)`, in the layout of the network,
            `"label"` `(N,)`, or `(N, classes)` of zeros and ones, and, where they are
            known, `"mask"` `(N, H, W)` or `(N, H, W, classes)`, of booleans, `"boxes"`
            `(N, M, 4)` and `"box_concepts"` `(N, M)`.
        class_names: List of the names of the classes, or `None`.
        files: List of the files of the images, or `None`.
        indices: Int array `(N,)`, the places of the images among all that there are.
        total: Number of all that there are; of TFDS, of those that were taken.
    """

    arrays: dict
    class_names: list | None
    files: list | None
    indices: np.ndarray
    total: int


def read_data(source, taken, samples=None, data_dir=None, classes=None):
    """Reads images, labels, and masks or boxes.

    Args:
        source: One of these.

            - Path of an `.npz` file with arrays `image`, `label`, and possibly `mask`,
              `boxes` and `box_concepts`.
            - Path of a folder with a folder of images per class; a folder `masks`
              beside these may hold masks in folders and files of the same names, where
              what is not black is inside, see `keras_lap.datasets.from_folders`.
            - `tfds:NAME:SPLIT` or `tfds:NAME/CONFIG:SPLIT`, for a data set that
              `keras_lap.datasets.load` knows.
        taken: The `keras_lap.classifier.image_input.ImageInput` of the network.
        samples: Number of images to take, evenly spaced over all of them, or the first
            ones of a data set of TFDS; `None` for all.
        data_dir: Folder of TFDS.
        classes: List of the names of the classes in the network's order, which are
            those of the folders. By default these are taken in alphabetical order.

    Returns:
        A `Data`.

    Raises:
        FileNotFoundError: If there is no such file or folder, or it holds no image.
        ValueError: If it is of another kind, or holds something else, or an image is
            not finite.
    """
    check_data(source)
    path = pathlib.Path(source)
    known = {"class_names": classes, "files": None}
    if source.startswith(_TFDS):
        arrays = _of_tfds(source, taken, samples, data_dir)
        known["total"] = len(arrays["image"])
        known["indices"] = np.arange(known["total"])
    elif path.is_dir():
        some = functools.partial(evenly_spaced, most=samples)
        arrays, known = read_class_folders(path, taken, some, classes)
    else:
        arrays, known["indices"], known["total"] = _of_file(path, samples)
    data = Data(_standardize(arrays, taken), **known)
    check_finite(data.arrays["image"], indices=data.indices)
    return data


def check_data(source):
    """Raises a `FileNotFoundError` if a file or folder of data is not there."""
    if not source.startswith(_TFDS) and not pathlib.Path(source).exists():
        raise FileNotFoundError(
            "Expected DATA to be an .npz file, a folder with a folder per class, or "
            f"tfds:NAME:SPLIT. Received: {source!r}, which is not there."
        )


def _of_file(path, samples):
    if path.suffix != ".npz":
        raise ValueError(
            f"Expected a data file that ends in .npz. Received: {str(path)!r}"
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "Expected an .npz file, as `numpy.savez` writes it. Received: "
            f"{str(path)!r}, which is none or is cut off"
        )
    with np.load(path, allow_pickle=False) as file:
        check_names(
            f"the arrays in {str(path)!r} to have known names", file.files, NAMES
        )
        missing = {"image", "label"} - {*file.files}
        if missing:
            raise ValueError(
                f"Expected {str(path)!r} to hold arrays image and label. Received: no "
                f"{' and no '.join(sorted(missing))}"
            )
        arrays = {name: file[name] for name in file.files}
    scalars = [name for name, array in arrays.items() if array.ndim == 0]
    if scalars:
        raise ValueError(
            f"Expected arrays with a row for each image in {str(path)!r}. Received: "
            f"{' and '.join(scalars)} of shape ()"
        )
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"Expected arrays of one length in {str(path)!r}. Received: {lengths}"
        )
    total = len(arrays["image"])
    some = evenly_spaced(total, samples)
    return {name: array[some] for name, array in arrays.items()}, some, total


def _of_tfds(source, taken, samples, data_dir):
    name, colon, split = source.removeprefix(_TFDS).rpartition(":")
    if not (name and colon and split):
        raise ValueError(
            "Expected a data set and its split, as in "
            f"tfds:cluttered_digits/decoy:test. Received: {source!r}"
        )
    # Importing it takes long.
    from keras_lap.datasets import load

    size = taken.shape[taken.spatial] if taken.shape else (None, None)
    options = {} if data_dir is None else {"data_dir": data_dir}
    batches = load(
        name,
        split,
        image_size=None if None in size else size,
        batch_size=1,
        **options,
    )
    examples = list(batches.take(samples or -1).as_numpy_iterator())
    sizes = [image.shape[1:3] for image, _ in examples]
    check_one_size(sizes, (None, None), "Take a model with an input of one size.")
    images = np.concatenate([image for image, _ in examples])
    targets = [y if isinstance(y, dict) else {"label": y} for _, y in examples]
    arrays = {
        key: np.concatenate([each[key] for each in targets])
        for key in NAMES[1:]
        if key in targets[0]
    }
    return {"image": taken.first(images), **arrays}


def _standardize(arrays, taken):
    """Checks the arrays, and brings masks to the size of their images."""
    taken.check(arrays["image"].shape)
    arrays = {**arrays, "label": standardize_labels(arrays["label"])}
    if "mask" in arrays:
        size = arrays["image"].shape[taken.spatial]
        arrays = {**arrays, "mask": masks_of_concepts(arrays["mask"], size)}
    return arrays
