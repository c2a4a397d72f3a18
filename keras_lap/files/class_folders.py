"""Folders of images by class, and of their masks."""

import pathlib
import re
import unicodedata
from typing import NamedTuple

from keras_lap.files.image_files import (
    ENDINGS,
    MASKS,
    files_in,
    folders_in,
    images_below,
    images_in,
    is_hidden,
    is_image,
)
from keras_lap.utils.names import check_names, listed, some_of_many
from keras_lap.utils.warn import warn

_NAMED = 5
# Names of folders, whatever their case, that may be meant as `MASKS`.
_LIKE_MASKS = ("mask", "masks", "ground_truth", "groundtruth", "gt", "segmentation")
_WHERE_MASKS_LIE = f"Masks lie in a folder called {MASKS!r}"
# What masks are often called: as their image, and this behind.
_MASK_NAME = re.compile(
    r"(.+?)[ _-](?:masks?|seg|segmentation|ground_?truth|gt)(?:[ _-]?\d+)?",
    re.IGNORECASE,
)
_KINDS = f"whose names end in one of {', '.join(ENDINGS)}"


class ClassFolders(NamedTuple):
    """Image files, their classes, and the files of their masks.

    Attributes:
        class_names: List of the names of the folders, in the order of the labels.
        files: List of `pathlib.Path`, class by class.
        labels: List of ints.
        masks: List of `pathlib.Path`, or of `None` where an image has no mask; or
            `None` without a folder of masks.
    """

    class_names: list
    files: list
    labels: list
    masks: list | None


def class_folders(folder, class_names=None):
    """Finds the images in a folder with a folder per class, and their masks.

    A folder `masks` beside those of the classes may hold masks, in folders and files of
    the same names: `masks/cat/tom.png` belongs to `cat/tom.jpg`. Masks of no image,
    images beside the folders of the classes or in folders below these, and files whose
    names do not end as those of images do are warned of and left out. Warned of are
    also images named like masks of others beside them, such as `tom_mask.png`, and,
    unless classes are named, folders without images or with a name such as `Masks` or
    `mask`.

    Args:
        folder: Path of it.
        class_names: Names of the folders in the order of the labels; alphabetical by
            default.

    Returns:
        A `ClassFolders`.

    Raises:
        FileNotFoundError: If there is no image, or a folder of masks without any of an
            image.
        ValueError: If the folders are not those of `class_names`, masks are in a folder
            of no class, or the names of files do not tell which image a mask is of.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            "Expected a folder with a folder of images per class. Received: "
            f"{str(folder)!r}, which is {'a file' if folder.exists() else 'not there'}."
        )
    are_named = class_names is not None
    class_names = _class_names(folder, class_names)
    _warn_of_misplaced(folder, class_names)
    inside = [
        (path, label)
        for label, name in enumerate(class_names)
        for path in files_in(folder / name)
    ]
    _warn_of_others([path for path, _ in inside if not is_image(path)], folder)
    found = [(path, label) for path, label in inside if is_image(path)]
    _warn_of_masks_among([path for path, _ in found], folder)
    if not found:
        deeper = [name for name in class_names if images_below(folder / name)]
        hints = [
            f". Images lie deeper in {name!r}: if that is a split with folders of "
            f"classes, pass {str(folder / name)!r}."
            for name in deeper[:1]
        ]
        raise FileNotFoundError(
            f"Expected images, {_KINDS}, in folders of classes in {str(folder)!r}. "
            f"Received: none in its folders {class_names}{''.join(hints)}"
        )
    empty = {*range(len(class_names))} - {label for _, label in found}
    if empty and not are_named:
        warn(
            f"Folders in {str(folder)!r} hold no image and count as classes: "
            f"{', '.join(class_names[label] for label in sorted(empty))}. Move away "
            "what is no class; if all are, name them in their order.",
        )
    files, labels = map(list, zip(*found, strict=True))
    return ClassFolders(class_names, files, labels, _masks(folder, class_names, files))


def _class_names(folder, class_names):
    there = [path.name for path in folders_in(folder) if path.name != MASKS]
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
    if class_names is None:
        for name in _like_masks(there):
            warn(
                f"The folder {name!r} in {str(folder)!r} counts as a class. "
                f"{_WHERE_MASKS_LIE}: rename it if it holds such; if it is a class, "
                "name all classes in their order."
            )
        return there
    class_names = list(map(str, listed(class_names)))
    differing = [
        *(f"no folder {name!r}" for name in class_names if name not in there),
        *(f"a folder {name!r} besides" for name in there if name not in class_names),
        *(
            f"{name!r} twice"
            for name in dict.fromkeys(class_names)
            if class_names.count(name) > 1
        ),
    ]
    if differing:
        is_hint = _like_masks(name for name in there if name not in class_names)
        raise ValueError(
            f"Expected the names of the classes to be those of the folders in "
            f"{str(folder)!r}, each once. Received: {some_of_many(differing, _NAMED)}"
            + (f". {_WHERE_MASKS_LIE}." if is_hint else "")
        )
    return class_names


def _like_masks(names):
    return [name for name in names if name.lower() in _LIKE_MASKS]


def _warn_of_misplaced(folder, class_names):
    """Warns of images, and of links in folders, in no folder of a class itself."""
    deeper = _deeper(folder / name for name in class_names)
    for paths, where in (
        (images_in(folder), "beside the folders of the classes"),
        (deeper, "in folders below those of the classes"),
    ):
        if paths:
            rule = "Images lie in the folder of their class itself."
            _warn_of_left_out(paths, folder, f"lie {where}", rule)


def _deeper(folders):
    """Images, and links, in folders below some."""
    return [
        path
        for folder in folders
        for below in folders_in(folder)
        # A link may lead anywhere.
        for path in ([below] if below.is_symlink() else images_below(below))
    ]


def _warn_of_others(paths, folder):
    """Warns of files beside the images that are taken for none."""
    if paths:
        _warn_of_left_out(
            paths, folder, "are files of other kinds", f"Images are those {_KINDS}."
        )


def _warn_of_masks_among(images, folder):
    """Warns of images that are named like masks of others beside them."""
    known = {image.with_suffix("") for image in images}
    named = [(image, _MASK_NAME.fullmatch(image.stem)) for image in images]
    masks = [
        (image, name[1])
        for image, name in named
        if name and image.with_name(name[1]) in known
    ]
    if masks:
        mask, name = masks[0]
        place = pathlib.Path(MASKS, mask.parent.name, name + mask.suffix)
        _warn_of(
            [mask for mask, _ in masks],
            folder,
            "are named like masks of images beside them and count as images themselves",
            f"A mask has a place and a name as {str(place)!r}.",
        )


def _warn_of_left_out(paths, folder, why, rule):
    _warn_of(paths, folder, f"{why} and are left out", rule)


def _warn_of(paths, folder, what, rule):
    some = some_of_many((path.relative_to(folder) for path in paths), _NAMED)
    warn(f"{len(paths)} in {str(folder)!r} {what}: {some}. {rule}")


def _masks(folder, class_names, images):
    """A mask or `None` for each image, or `None` without a folder of masks."""
    masks = folder / MASKS
    if not masks.is_dir():
        return None
    inside = [path for path in sorted(masks.iterdir()) if not is_hidden(path)]
    folders = [path for path in inside if path.is_dir()]
    check_names(
        f"the folders in {str(masks)!r} to be named like those of the classes",
        [_composed(path.name) for path in folders],
        [_composed(name) for name in class_names],
    )
    inside_folders = [mask for path in folders for mask in images_in(path)]
    twins = {_class_and_name(mask): mask for mask in inside_folders}
    of_images = [twins.get(_class_and_name(image)) for image in images]
    files = [path for path in inside if path.is_file()]
    files += [path for each in folders for path in files_in(each)]
    files += _deeper(folders)
    outlined = zip(images, of_images, strict=True)
    _check_endings([*inside_folders, *(image for image, mask in outlined if mask)])
    if not any(of_images):
        some = next(
            (image for image in images if (masks / image.parent.name).is_dir()),
            images[0],
        )
        names = some_of_many((path.relative_to(masks) for path in files), _NAMED)
        raise FileNotFoundError(
            f"Expected masks in {str(masks)!r}, {_KINDS}, named like the images, as in "
            f"{some.parent.name}/{some.stem}.png. Received: none that is, but "
            f"{names or 'no file'}"
        )
    used = set(of_images)
    left = [path for path in files if path not in used]
    if left:
        _warn_of_left_out(
            left,
            masks,
            "belong to no image",
            "Masks have the names of their images, in the same upper and lower case.",
        )
    return of_images


def _class_and_name(file):
    """What an image and its mask have in common."""
    return _composed(file.parent.name), _composed(file.stem)


def _composed(name):
    """A name in one form of Unicode: copies from macOS have marks behind letters."""
    return unicodedata.normalize("NFC", name)


def _check_endings(files):
    """Raises a `ValueError` if two files differ in nothing but their endings."""
    known = {}
    for file in files:
        other = known.setdefault(_composed(str(file.with_suffix(""))), file)
        if other != file:
            raise ValueError(
                "Expected names that differ in more than their endings and form of "
                "Unicode, to tell which mask is of which image. Received: "
                f"{str(other)!r} and {file.name!r}. Rename one of them, and its mask."
            )
