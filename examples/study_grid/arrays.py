"""Data sets as plain arrays, which any Keras backend reads without TensorFlow."""

import numpy as np

from keras_lap.utils.whole_file import whole_file


def export(dataset, path):
    """Writes batches of images and targets as one file of arrays per split.

    Args:
        dataset: Dict from splits to `tf.data.Dataset`s of `(images, targets)`, where
            targets are labels or a dict of arrays.
        path: File to write, `.npz`. It is there only once it is whole.
    """
    arrays = {}
    for split, batches in dataset.items():
        parts = {}
        for images, targets in batches.as_numpy_iterator():
            targets = targets if isinstance(targets, dict) else {"label": targets}
            for name, values in {"image": images, **targets}.items():
                parts.setdefault(name, []).append(_smallest(name, values))
        for name, values in parts.items():
            arrays[f"{split}/{name}"] = np.concatenate(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        np.savez_compressed(part, **arrays)


def _smallest(name, values):
    """Pixels and masks as bytes: a mask holds shares of pixels, in 255ths."""
    if name == "image":
        return np.rint(values).astype("uint8")
    if name == "mask":
        return np.rint(255 * values).astype("uint8")
    return values


def load(path):
    """Reads what `export` has written.

    Returns:
        Dict from splits to dicts of arrays: `image`, uint8 `(N, H, W, 3)`; `label`,
        `(N,)` or `(N, classes)`; and what else is known, such as `mask`, uint8
        `(N, H, W)` or `(N, H, W, classes)`, in which 255 is a pixel that is covered.
    """
    splits = {}
    with np.load(path) as file:
        for key in file.files:
            split, name = key.split("/")
            splits.setdefault(split, {})[name] = file[key]
    return splits
