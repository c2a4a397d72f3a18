"""Images, labels and masks from folders."""

import warnings

import numpy as np

from keras_lap.cli.image_files import MASKS, images_in, is_hidden
from keras_lap.cli.read_pixels import read_pixels
from keras_lap.explanation.masks import standardized_masks
from keras_lap.explanation.read_images import read_images
from keras_lap.names import check_names
from keras_lap.same_aspect import same_aspect

_NAMED = 5


def read_class_folders(folder, taken, some, classes=None):
    """Reads a folder with a folder of images per class, and masks if there are some.

    Args:
        folder: Path of it.
        taken: The `keras_lap.explanation.image_input.ImageInput` of the network.
        some: Function from the number of images to indices of those to take.
        classes: List of the folders' names in the order of the network's classes;
            alphabetical by default.

    Returns:
        A tuple: the dict of the arrays `"image"`, `"label"` and, with masks, `"mask"`,
        and the list of the names of the classes.

    Raises:
        FileNotFoundError: If there is no image, or masks, but none of an image.
        ValueError: If the folders are not those of `classes`, masks are in a folder of
            no class, or a mask has another aspect ratio than its image.
    """
    classes = _classes(folder, classes)
    found = [
        (path, label)
        for label, name in enumerate(classes)
        for path in images_in(folder / name)
    ]
    if not found:
        raise FileNotFoundError(
            f"Expected a folder of images per class in {str(folder)!r}. Received: no "
            f"images in its folders {classes}"
        )
    # Of all images: a mask is not to be missed because its image is not taken.
    masks = _mask_files(folder, classes, [path for path, _ in found])
    taken_ones = [found[at] for at in some(len(found))]
    files, labels = zip(*taken_ones, strict=True)
    images, sizes = read_pixels(taken, files)
    arrays = {"image": taken.first(images), "label": np.array(labels)}
    if masks is not None:
        twins = [masks.get(file) for file in files]
        arrays["mask"] = _masks(twins, files, sizes, images.shape[1:3])
    return arrays, classes


def _classes(folder, classes):
    there = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path.name != MASKS and not is_hidden(path)
    )
    if not there:
        count = len(images_in(folder))
        raise FileNotFoundError(
            f"Expected a folder of images per class in {str(folder)!r}. Received: "
            + (
                f"{count} images and no folder. Pass the folder above it, if that has "
                "one per class."
                if count
                else "no folder in it"
            )
        )
    if classes is None:
        return there
    differing = [
        *(f"no folder {name!r}" for name in classes if name not in there),
        *(f"a folder {name!r} besides" for name in there if name not in classes),
        *(
            f"{name!r} twice"
            for name in dict.fromkeys(classes)
            if classes.count(name) > 1
        ),
    ]
    if differing:
        raise ValueError(
            f"Expected --classes to be the names of the folders in {str(folder)!r}, "
            f"each once. Received: {', '.join(differing)}"
        )
    return list(classes)


def _mask_files(folder, classes, images):
    """Files of masks by those of their images, or `None` without a folder of masks."""
    masks = folder / MASKS
    if not masks.is_dir():
        return None
    inside = [path for path in sorted(masks.iterdir()) if not is_hidden(path)]
    folders = [path for path in inside if path.is_dir()]
    check_names(
        f"the folders in {str(masks)!r} to be named like those of the classes",
        [path.name for path in folders],
        classes,
    )
    twins = {
        (path.name, mask.stem): mask for path in folders for mask in images_in(path)
    }
    of_images = {
        image: twins[image.parent.name, image.stem]
        for image in images
        if (image.parent.name, image.stem) in twins
    }
    if not of_images:
        raise FileNotFoundError(
            f"Expected masks in {str(masks)!r} named like the images, as in "
            f"{images[0].parent.name}/{images[0].stem}.png. Received: none that is"
        )
    used = set(of_images.values())
    files = [path for path in inside if path.is_file()]
    files += [
        path
        for each in folders
        for path in sorted(each.iterdir())
        if not is_hidden(path)
    ]
    left = [str(path.relative_to(masks)) for path in files if path not in used]
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        warnings.warn(
            f"{len(left)} in {str(masks)!r} belong to no image and are left out: "
            f"{', '.join(left[:_NAMED])}{more}. Masks have the names of their images.",
            stacklevel=2,
        )
    return of_images


def _masks(files, images, sizes, size):
    """Masks at the size of the network's images, empty where there is none."""
    masks = np.zeros((len(files), *size), bool)
    known = [at for at, file in enumerate(files) if file is not None]
    if not known:
        return masks
    pixels, own = read_images([files[at] for at in known], size, 1)
    for at, mask_size in zip(known, own.tolist(), strict=True):
        if not same_aspect(mask_size, sizes[at]):
            raise ValueError(
                "Expected masks with the aspect ratio of their images, at any "
                f"resolution. Received: {str(files[at])!r} of {tuple(mask_size)} for "
                f"{str(images[at])!r} of {tuple(sizes[at].tolist())} (height, width)"
            )
    masks[known] = standardized_masks(pixels, size)
    return masks
