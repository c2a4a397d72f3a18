"""The argument DATA of `keras-lap evaluate`."""

import pathlib
from typing import NamedTuple

import numpy as np

from keras_lap.cli.image_files import images_in
from keras_lap.cli.read_pixels import read_pixels
from keras_lap.explanation.masks import standardized_masks
from keras_lap.explanation.read_images import read_images
from keras_lap.names import check_names

MASKS = "masks"
KEYS = ("image", "label", "mask", "boxes")
_TFDS = "tfds:"


class Data(NamedTuple):
    """Images and what is known of them.

    Attributes:
        arrays: Dict of arrays: `"image"` `(N, H, W, C)`, in the layout of the network,
            `"label"` `(N,)`, and, where they are known, `"mask"` `(N, H, W)`, of
            booleans, and `"boxes"` `(N, M, 4)`.
        class_names: List of the names of the classes, or `None`.
    """

    arrays: dict
    class_names: list | None


def read_data(source, taken, samples=None, data_dir=None):
    """Reads images, labels, and masks or boxes.

    Args:
        source: One of these.

            - Path of an `.npz` file with arrays `image`, `label`, and possibly `mask`
              and `boxes`.
            - Path of a folder with a folder of images per class, whose names in order
              are the classes; a folder `masks` beside these may hold masks in folders
              and files of the same names, where white is inside.
            - `tfds:NAME:SPLIT` or `tfds:NAME/CONFIG:SPLIT`, for a data set that
              `keras_lap.datasets.load` knows.
        taken: The `keras_lap.explanation.image_input.ImageInput` of the network.
        samples: Number of images to take, evenly spaced over all of them, or the first
            ones of a data set of TFDS; `None` for all.
        data_dir: Folder of TFDS.

    Returns:
        A `Data`.

    Raises:
        FileNotFoundError: If there is no such file or folder, or it holds no image.
        ValueError: If it is of another kind, or holds something else.
    """
    if source.startswith(_TFDS):
        return _of_tfds(source, taken, samples, data_dir)
    path = pathlib.Path(source)
    if path.is_dir():
        return _of_folder(path, taken, samples)
    if path.is_file():
        return _of_file(path, taken, samples)
    raise FileNotFoundError(
        "Expected DATA to be an .npz file, a folder with a folder per class, or "
        f"tfds:NAME:SPLIT. Received: {source!r}, which is not there."
    )


def _of_file(path, taken, samples):
    if path.suffix != ".npz":
        raise ValueError(
            f"Expected a data file that ends in .npz. Received: {str(path)!r}"
        )
    with np.load(path, allow_pickle=False) as file:
        check_names(f"the arrays of {str(path)!r} to be among {KEYS}", file.files, KEYS)
        missing = {"image", "label"} - {*file.files}
        if missing:
            raise ValueError(
                f"Expected {str(path)!r} to hold arrays image and label. Received: no "
                f"{' and no '.join(sorted(missing))}"
            )
        arrays = {name: file[name] for name in file.files}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"Expected arrays of one length in {str(path)!r}. Received: {lengths}"
        )
    some = _some(len(arrays["image"]), samples)
    return _data({name: array[some] for name, array in arrays.items()}, taken)


def _of_folder(folder, taken, samples):
    classes = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and path.name != MASKS
    )
    found = [
        (path, label)
        for label, name in enumerate(classes)
        for path in images_in(folder / name)
    ]
    if not found:
        raise FileNotFoundError(
            f"Expected a folder of images per class in {str(folder)!r}. Received: no "
            f"images in folders {classes}"
        )
    files, labels = zip(*(found[at] for at in _some(len(found), samples)), strict=True)
    images = read_pixels(taken, files)
    arrays = {"image": taken.first(images), "label": np.array(labels)}
    if (folder / MASKS).is_dir():
        arrays["mask"] = _masks_of(files, folder, images.shape[1:3])
    return _data(arrays, taken, classes)


def _masks_of(files, folder, size):
    """Masks of image files, empty where there is none."""
    masks = np.zeros((len(files), *size), bool)
    twins = {
        (name.parent.name, name.stem): name
        for path in (folder / MASKS).iterdir()
        if path.is_dir()
        for name in images_in(path)
    }
    keys = [(file.parent.name, file.stem) for file in files]
    known = [at for at, key in enumerate(keys) if key in twins]
    if not known:
        raise FileNotFoundError(
            f"Expected masks in {str(folder / MASKS)!r} named like the images, as in "
            f"{'/'.join(keys[0])}.png. Received: none that is"
        )
    pixels = read_images([twins[keys[at]] for at in known], size, 1)[0]
    masks[known] = standardized_masks(pixels, size)
    return masks


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
    images = np.concatenate([image for image, _ in examples])
    targets = [y if isinstance(y, dict) else {"label": y} for _, y in examples]
    arrays = {
        key: np.concatenate([each[key] for each in targets])
        for key in KEYS[1:]
        if key in targets[0]
    }
    return _data({"image": taken.first(images), **arrays}, taken)


def _data(arrays, taken, class_names=None):
    """Checks the arrays, and brings masks to the size of their images."""
    taken.check(arrays["image"].shape)
    if arrays["label"].ndim != 1 or arrays["label"].dtype.kind not in "iu":
        raise ValueError(
            "Expected one integer per image for its label. Received: labels of shape "
            f"{arrays['label'].shape} and dtype {arrays['label'].dtype}"
        )
    if "mask" in arrays:
        size = arrays["image"].shape[taken.spatial]
        masks = standardized_masks(arrays["mask"], size, arrays["label"])
        arrays = {**arrays, "mask": masks}
    return Data(arrays, class_names)


def _some(count, samples):
    """Indices of so many, evenly spaced."""
    if samples is None or samples >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, samples).round().astype(int)
