"""Images of any origin, batch by batch."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from keras import ops, tree

from keras_lap.classifier.element_count import element_count
from keras_lap.classifier.elements_of import elements_of
from keras_lap.classifier.image_and_targets import image_and_targets
from keras_lap.classifier.labels import (
    are_classes,
    are_of_outputs,
    standardize_labels,
)
from keras_lap.classifier.model_inputs import are_inputs, arrays_of, images_of
from keras_lap.classifier.read_pixels import read_pixels
from keras_lap.utils.to_numpy import to_numpy
from keras_lap.utils.warn import warn


@dataclasses.dataclass(frozen=True)
class SourceBatch:
    """Some images, and what a data set tells of them.

    Attributes:
        inputs: What the model takes: images, or a dict or list with its other inputs
            too, arrays or tensors.
        labels: Array `(n,)` or `(n, classes)`, or `None`.
        masks: Array `(n, h, w)` or `(n, h, w, K)`, or `None`.
        valid: Flags `(n,)` of the masks that are real, or `None`.
    """

    inputs: Any
    labels: Any = None
    masks: Any = None
    valid: Any = None

    @property
    def images(self):
        """Array or tensor of images, as the model takes them."""
        return images_of(self.inputs)


@dataclasses.dataclass(frozen=True)
class ImageSource:
    """Images, batch by batch.

    Attributes:
        batches: Iterable of `SourceBatch`.
        samples: Number of images, or `None` if it is not known.
        batch_count: Number of batches, likewise.
        images: All images in the model's layout, if they are at hand.
        files: Their files, or `None`.
        class_names: List of the names of the classes, if a data set has it.
    """

    batches: Iterable
    samples: int | None = None
    batch_count: int | None = None
    images: Any = None
    files: list | None = None
    class_names: list | None = None

    @property
    def is_stretched(self):
        """Whether images were brought to the model's size whatever their own."""
        return self.images is not None and self.files is not None


def image_source(images, taken, batch_size, verbose=False):
    """Finds out what images are given as.

    Args:
        images: Array or tensor of images, alone or along with the model's other inputs
            in a dict, list or tuple; a path or a list of paths; a `tf.data.Dataset`, or
            any other iterable of batches.
        taken: The `ImageInput` of the model.
        batch_size: Number of images of a batch, where they do not come in batches.
        verbose: Whether there is a progress bar for reading files, as for `Progress`.

    Returns:
        An `ImageSource`.

    Raises:
        FileNotFoundError: If files are missing.
        ValueError: If the images do not fit the model, are given as a folder, files
            cannot be read, or a data set never ends.
    """
    files = files_of(images)
    if files is not None:
        _check_count(files, taken)
        return _of_files(files, taken, batch_size, verbose)
    if are_batches(images):
        return _of_dataset(images, taken, batch_size)
    return _of_arrays(_fitting_arrays(images, taken), taken, batch_size)


def files_of(images):
    """The list of files that images are given as, or `None` if they are no files.

    Raises:
        ValueError: If they are given as a folder.
    """
    if isinstance(images, str | os.PathLike):
        if os.path.isdir(images):
            folder = os.fspath(images)
            raise ValueError(
                f"Expected a file or a list of files. Received: the folder {folder!r}. "
                "Pass its files, without masks, as by "
                f'`sorted(pathlib.Path({folder!r}).rglob("*.png"))`, or with labels '
                "and masks by `keras_lap.datasets.from_folders`."
            )
        return [images]
    is_list = isinstance(images, list | tuple) and all(
        isinstance(file, str | os.PathLike) for file in images
    )
    return list(images) if is_list else None


def are_batches(images):
    """Whether images that are no files come in batches, and not as an array."""
    is_array = (
        ops.is_tensor(images)
        or isinstance(images, Mapping | list | tuple)
        or hasattr(images, "shape")
        or not isinstance(images, Iterable)
    )
    return hasattr(images, "element_spec") or not is_array


def arrays_given(images):
    """Images that are no files and come in no batches, alone or with other inputs.

    Returns:
        An array or tensor of images, or a dict or list of all inputs of a model.

    Raises:
        ValueError: If images are of several sizes, or inputs of several lengths.
    """
    if are_inputs(images):
        return arrays_of(images)
    if ops.is_tensor(images):
        return images
    try:
        return np.asarray(images)
    except ValueError as error:
        raise ValueError(
            "Expected images of one size. Received: a list of arrays of several. "
            "Resize them, or explain those of each size in a call of their own. "
            "Labels go in as `labels`, and a list of batches as `iter(batches)`."
        ) from error


def _fitting_arrays(images, taken):
    """Images, or all inputs, as arrays, if they are as many as the model takes."""
    _check_count(images, taken)
    arrays = arrays_given(images)
    return images_of(arrays) if taken.count == 1 else arrays


def _check_count(images, taken):
    """Raises a `ValueError` for another number of inputs than the model takes."""
    count = len(images) if are_inputs(images) else 1
    if taken.count in (None, count):
        return
    if taken.count == 1:
        parts = images.values() if isinstance(images, Mapping) else images
        shapes = [tuple(getattr(part, "shape", ())) for part in parts]
        others = " Pass labels and masks as `labels` and `masks`." if shapes else ""
        raise ValueError(
            f"Expected images alone, as the single input of {taken.name!r}. Received: "
            f"{len(shapes)} inputs of shapes {shapes}.{others}"
        )
    raise ValueError(
        f"Expected all {taken.count} inputs of {taken.name!r}, as for `predict`: a "
        "dict by name, or a list in order; of a data set in batches (inputs, "
        f"targets). Received: {count}"
    )


def _of_arrays(inputs, taken, batch_size, **known):
    images = images_of(inputs)
    taken.check(images.shape)
    starts = range(0, len(images), batch_size)
    return ImageSource(
        batches=(
            SourceBatch(_some(inputs, slice(start, start + batch_size)))
            for start in starts
        ),
        samples=len(images),
        batch_count=len(starts),
        images=images,
        **known,
    )


def _some(inputs, chosen):
    return tree.map_structure(lambda values: values[chosen], inputs)


def _of_files(files, taken, batch_size, verbose):
    images, _ = read_pixels(taken, files, verbose=verbose)
    names = [os.fspath(file) for file in files]
    return _of_arrays(taken.first(images), taken, batch_size, files=names)


def _of_dataset(dataset, taken, batch_size):
    # In batches it would be another data set, without them.
    class_names = _strings(dataset, "class_names")
    batch_count = files = None
    if hasattr(dataset, "element_spec"):
        # What else has files need not give images in their order.
        files = _strings(dataset, "files")
        inputs, _ = image_and_targets(dataset.element_spec)
        if max(spec.shape.rank or 0 for spec in tree.flatten(inputs)) == 3:
            dataset = dataset.batch(batch_size)
        batch_count = element_count(dataset)
    return ImageSource(
        batches=_batches(dataset, taken),
        batch_count=batch_count or None,
        files=files,
        class_names=class_names,
    )


def _strings(dataset, attribute):
    """What a data set has as an attribute, if that is a list of strings, or `None`."""
    names = getattr(dataset, attribute, None)
    is_list = isinstance(names, list | tuple) and all(
        isinstance(name, str) for name in names
    )
    return list(names) if is_list else None


def _batches(dataset, taken):
    """The batches; the first tells whether labels of dicts are of classes."""
    is_left_out = None
    for element in elements_of(dataset):
        batch, is_dict = _batch(element, taken)
        if is_left_out is None:
            is_left_out = is_dict and not are_classes(batch.labels)
            if is_left_out:
                warn(
                    "The labels of the data set are no whole numbers, as those of "
                    "classes are. They are left out of the explanation and choose no "
                    "masks. Labels of classes can be given as `labels`."
                )
        labels = None if is_left_out else standardize_labels(batch.labels)
        yield dataclasses.replace(batch, labels=labels)


def _batch(element, taken):
    """A `SourceBatch` with labels as they are, and whether targets are a dict."""
    inputs, targets = image_and_targets(element)
    if isinstance(inputs, str | os.PathLike):
        raise ValueError(
            "Expected batches of images, or a list of files. Received: files that are "
            f"no list, the first {os.fspath(inputs)!r}. Make one, as by `sorted`."
        )
    inputs = _fitting_arrays(inputs, taken)
    images = images_of(inputs)
    taken.check(images.shape)
    is_dict = isinstance(targets, Mapping)
    if not is_dict:
        targets = {"label": targets}
    labels, masks = targets.get("label"), to_numpy(targets.get("mask"))
    labels = None if are_of_outputs(labels, images) else to_numpy(labels)
    valid = targets.get("valid")
    valid = valid.get("mask") if isinstance(valid, Mapping) else valid
    return SourceBatch(inputs, labels, masks, to_numpy(valid)), is_dict
