"""Batches to train on, from folders of images and masks."""

import contextlib
import os

import numpy as np
import tensorflow as tf

from keras_lap.datasets.stretched import stretched
from keras_lap.files.class_folders import class_folders
from keras_lap.files.each_image import each_image
from keras_lap.files.image_files import MASKS
from keras_lap.files.image_pixels import (
    check_channels,
    highest_value,
    image_pixels,
    open_image,
    pillow,
    readable_size,
    warn_of_shallow,
)
from keras_lap.files.mask_files import (
    check_mask_files,
    mask_flags,
    warn_of_even_masks,
    warn_of_masks_not_empty,
    warn_of_turned_images,
)
from keras_lap.files.some_of import some_of
from keras_lap.utils.names import check_choice, check_names, listed
from keras_lap.utils.standardize_count import standardize_count

_THEN = (
    "If so, bring them to 16 or 8 bits beforehand, or multiply the images by what is "
    "missing with `keras.layers.Rescaling` in `layers`."
)


def from_folders(
    folder,
    image_size=(224, 224),
    batch_size=32,
    *,
    class_names=None,
    empty=(),
    channels=3,
    layers=(),
    shuffle=False,
    seed=None,
):
    """Loads a folder of images per class, with their masks, as batches for `fit`.

    ```text
    folder/cat/tom.jpg    folder/masks/cat/tom.png
    folder/dog/rex.jpg
    ```

    A folder `masks` beside those of the classes holds masks, in folders and files of
    the same names, at any resolution with the aspect ratio of their images. One
    that is not empty stays so when it is resized, see `augmented`. What is
    black or fully transparent in them is outside, all else inside; in formats that may
    not keep black, such as JPEG, what is darker than half of the brightest is outside.
    An image without one has a mask that is not valid. Without a folder `masks`, targets
    are the labels alone.

    Files are listed and their headers read at once, which takes some seconds for
    100,000 of them on a local disk. Pixels are read, resized and augmented in parallel
    when they are needed, and then not kept. They are read as by `keras_lap.explain`:
    those of 16 bits are brought to `[0, 255]`, and nothing but a TIFF is turned by what
    a camera noted. A warning tells of files named like masks of others beside them,
    such as `tom_mask.png`. At most eight files of a kind are looked into at once, and a
    warning is given if no value of those of 16 bits is above 16383, if all masks cover
    at least 95% of their images, as inverted ones of small things do, if masks of
    classes in `empty` are not empty, or if viewers would turn images that have masks.
    If eight masks of other classes are empty, 64 are looked into, and warned of if all
    are.

    Args:
        folder: Path of the folder. Splits are folders of their own: keep all images of
            one patient, or of one object, in the same.
        image_size: Height and width to stretch images and masks to, or `None` if all
            images have one size, `layers` bring them to one, or batches hold one each.
        batch_size: Number of images in a batch; the last one may have fewer.
        class_names: Names of the folders in the order of the labels; by default
            alphabetical.
        empty: Names of classes whose images have nothing to be outlined, such as scans
            without finding: those without a mask have an empty one that is valid.
        channels: 1 for grey images, 3 for colour, 4 for colour and opacity.
        layers: Preprocessing layers for `augmented`, applied to each image by
            itself after it was resized. `keras.layers.Resizing` among them, with
            `crop_to_aspect_ratio` or `pad_to_aspect_ratio`, keeps the shape of things.
        shuffle: Whether images come in another order in each epoch. Otherwise they come
            class by class.
        seed: Seed of the order; `None` for another one each time. `layers` with seeds
            of their own do not repeat what they draw, as images are read in parallel.

    Returns:
        A `tf.data.Dataset` of `(images, targets)`. Images are float32
        `(N, height, width, channels)` in `[0, 255]`. Targets are int64 labels `(N,)`,
        or with masks a dict of them as `"label"`, of `"mask"`, float32
        `(N, height, width)` of zeros and ones, and `"valid"`, a dict with the flags
        `"mask"` `(N,)`. Its attribute `class_names` is a list, as that of
        `keras.utils.image_dataset_from_directory`. If it is not shuffled, `files` is a
        list too, of the paths of the images in their order, for `keras_lap.explain`.

    Raises:
        FileNotFoundError: If there is no image, or a folder of masks without any of an
            image, or a link to a file that is missing.
        ImportError: If Pillow is not installed.
        TypeError: If something in `layers` is no layer.
        ValueError: If the folders are not those of `class_names`, masks are in a folder
            of no class, names of files do not tell which image a mask is of, `empty`
            names no class or there is no folder of masks beside it, files are no
            images or hold several pages, a mask has 16 bits in each of several
            channels, of which small numbers would be lost, or another aspect ratio
            than its image, images of one batch would differ in size, another argument
            is out of its range, or for a layer that `augmented` refuses.
        tf.errors.OpError: From the data set, if the pixels of a file cannot be read; it
            names the file.

    Example:

    >>> import pathlib, tempfile
    >>> import keras, numpy as np
    >>> from keras_lap.datasets import from_folders
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> half = np.repeat([255, 0], 4)[:, None, None] * np.ones((1, 8, 1))
    >>> for name in ("healthy/0", "ill/0", "ill/1", "masks/ill/1"):
    ...     file = folder / f"{name}.png"
    ...     file.parent.mkdir(parents=True, exist_ok=True)
    ...     keras.utils.save_img(file, half, scale=False)
    >>> scans = from_folders(folder, (4, 4), empty=["healthy"], channels=1)
    >>> (images, targets), = scans
    >>> images.shape, targets["label"].numpy().tolist()
    (TensorShape([3, 4, 4, 1]), [0, 1, 1])
    >>> targets["mask"].numpy().max(axis=(1, 2)).tolist()
    [0.0, 0.0, 1.0]
    >>> targets["valid"]["mask"].numpy().tolist()
    [True, False, True]
    """
    pillow()
    check_channels(channels)
    batch_size = standardize_count("batch_size", batch_size)
    check_choice("shuffle", shuffle, (False, True))
    found = class_folders(folder, class_names)
    empty = listed(empty)
    check_names("`empty` to be names of classes", empty, found.class_names)
    if empty and found.masks is None:
        raise ValueError(
            f"Expected a folder {MASKS!r} in {os.fspath(folder)!r}, for `empty` to say "
            f"where masks are empty. Received: empty={empty}, and no such folder"
        )
    is_empty = np.array([name in empty for name in found.class_names])
    augment = stretched(image_size, layers)
    sizes = each_image(found.files, readable_size)
    if found.masks is not None:
        check_mask_files(found.masks, found.files, sizes)
        of_classes = {False: [], True: []}
        for mask, label in zip(found.masks, found.labels, strict=True):
            of_classes[is_empty[label]].append(mask)
        warn_of_even_masks(of_classes[False])
        warn_of_masks_not_empty(of_classes[True])
        warn_of_turned_images(found.files, found.masks)
    if image_size is None and batch_size > 1:
        _check_one_size(folder, set(sizes), augment, channels)
    _warn_of_shallow(found.files)
    # Names need not be text.
    files = [os.fsencode(file) for file in found.files]
    masks = [os.fsencode(mask or "") for mask in found.masks or [""] * len(files)]
    labels = np.array(found.labels, "int64")
    dataset = tf.data.Dataset.from_tensor_slices((files, masks, labels))
    if shuffle:
        dataset = dataset.shuffle(len(files), seed)
    height, width = sizes[0] if len(set(sizes)) == 1 else (None, None)

    def read(file, mask_file, label):
        image, mask = tf.numpy_function(
            lambda *names: _read(*names, channels),
            (file, mask_file),
            (tf.float32, tf.float32),
            stateful=False,
        )
        image.set_shape((height, width, channels))
        if found.masks is None:
            return augment(image, label)
        mask.set_shape((height, width))
        is_known = tf.logical_or(mask_file != "", tf.gather(is_empty, label))
        valid = {"mask": is_known}
        return augment(image, {"label": label, "mask": mask, "valid": valid})

    dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    dataset.class_names = found.class_names
    if not shuffle:
        dataset.files = [os.fspath(file) for file in found.files]
    return dataset


def _check_one_size(folder, sizes, augment, channels):
    """Raises a `ValueError` if images of several sizes are so after augmentation."""

    def after(size):
        image = tf.TensorSpec((*size, channels))
        # Traced, which draws nothing at random.
        traced = tf.function(lambda image: augment(image, 0)[0])
        return tuple(traced.get_concrete_function(image).structured_outputs.shape)

    extremes = min(sizes), max(sizes)
    if len(sizes) > 1 and len(set(map(after, extremes))) > 1:
        raise ValueError(
            f"Expected images of one size in {os.fspath(folder)!r}. Received: heights "
            f"and widths from {extremes[0]} to {extremes[1]}. Say an `image_size`, "
            "resize them by one of `layers`, or take a `batch_size` of 1."
        )


def _warn_of_shallow(files):
    """Looks into some of the files; broken pixels are told of later."""
    highest = [0]
    some = some_of(files)
    for file in some:
        with contextlib.suppress(ValueError), open_image(file) as image:
            highest.append(highest_value(image))
    which = f"the 16-bit ones among {len(some)} files looked into"
    warn_of_shallow(max(highest), _THEN, files=which)


def _read(file, mask_file, channels):
    """Image and mask of files named by bytes; without a mask, one that is empty."""
    file, mask_file = os.fsdecode(file), os.fsdecode(mask_file)
    with open_image(file) as image:
        pixels, _ = image_pixels(image, channels)
    pixels, size = pixels.astype(np.float32), pixels.shape[:2]
    if not mask_file:
        return pixels, np.zeros(size, np.float32)
    return pixels, mask_flags(mask_file, size).astype(np.float32)
