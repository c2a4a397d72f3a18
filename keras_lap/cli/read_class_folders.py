"""Images, labels and masks from folders."""

import numpy as np

from keras_lap.classifier.read_pixels import read_pixels
from keras_lap.files.class_folders import class_folders
from keras_lap.files.mask_files import (
    check_mask_files,
    mask_flags,
    warn_of_even_masks,
    warn_of_turned_images,
)


def read_class_folders(folder, taken, some, classes=None):
    """Reads a folder with a folder of images per class, and masks if there are some.

    Args:
        folder: Path of it.
        taken: The `keras_lap.classifier.image_input.ImageInput` of the network.
        some: Function from the number of images to indices of those to take.
        classes: List of the folders' names in the order of the network's classes;
            alphabetical by default.

    Returns:
        A tuple: the dict of the arrays `"image"`, `"label"` and, with masks, `"mask"`,
        and a dict of `"class_names"`, `"files"`, `"indices"`, those of `some`, and
        `"total"`, the number of images.

    Raises:
        FileNotFoundError: If there is no image, or masks, but none of an image.
        ValueError: If the folders are not those of `classes`, masks are in a folder of
            no class, or a mask has another aspect ratio than its image.
    """
    found = class_folders(folder, classes)
    total = len(found.files)
    chosen = some(total)
    files = [found.files[at] for at in chosen]
    images, sizes = read_pixels(taken, files)
    arrays = {
        "image": taken.first(images),
        "label": np.array([found.labels[at] for at in chosen]),
    }
    if found.masks is not None:
        masks = [found.masks[at] for at in chosen]
        check_mask_files(masks, files, sizes)
        warn_of_even_masks(masks)
        warn_of_turned_images(files, masks)
        arrays["mask"] = _masks(masks, images.shape[1:3])
    known = {"class_names": found.class_names, "files": files}
    return arrays, {**known, "indices": chosen, "total": total}


def _masks(files, size):
    """Masks at the size of the network's images, empty where there is none."""
    masks = np.zeros((len(files), *size), bool)
    for at, file in enumerate(files):
        if file is not None:
            masks[at] = mask_flags(file, size)
    return masks
