"""Files of images, those in folders among them."""

import os
import pathlib

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# The folder beside those of the classes that holds masks, not images.
MASKS = "masks"


def image_files(paths):
    """Lists files, those in folders among them.

    Args:
        paths: List of files, taken whatever their ending is, and of folders, whose
            images are taken, in the order of their names, then those in folders below,
            but for folders `masks`.

    Returns:
        List of `pathlib.Path`.

    Raises:
        FileNotFoundError: If there is no such file or folder, or a folder holds no
            image.
    """
    files = []
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise FileNotFoundError(
                f"Expected images, or folders of images. Received: {str(path)!r}, "
                "which is not there."
            )
        found = images_below(path, leave_out=MASKS) if path.is_dir() else [path]
        if not found:
            raise FileNotFoundError(
                f"Expected images in {str(path)!r}. Received: none that ends in one of "
                f"{', '.join(ENDINGS)}"
            )
        files += found
    return files


def images_in(folder):
    """Images of a folder, by name, without those in folders below and hidden ones."""
    return [path for path in files_in(folder) if is_image(path)]


def files_in(folder):
    """Files of a folder, by name, without those in folders below and hidden ones."""
    return sorted(_shown(folder, are_folders=False))


def folders_in(folder):
    """Folders in a folder, by name, without hidden ones."""
    return sorted(_shown(folder, are_folders=True))


def is_image(path):
    """Whether the name of a file ends as that of an image."""
    return path.suffix.lower() in ENDINGS


def is_hidden(path):
    """Whether the name of a file or folder begins with a dot."""
    return path.name.startswith(".")


def images_below(folder, leave_out=None, above=()):
    """Images of a folder, then those in folders below, but for those of some name.

    Links to a folder that they lie in are not followed; `above` are these folders.
    """
    here = os.path.realpath(folder)
    if here in above:
        return []
    found = images_in(folder)
    for path in folders_in(folder):
        if path.name != leave_out:
            found += images_below(path, leave_out, (*above, here))
    return found


def _shown(folder, are_folders):
    """Paths of what is in a folder and not hidden, folders or all else.

    Links that lead nowhere are no folders: who opens them says so.
    """
    with os.scandir(folder) as entries:
        return [
            pathlib.Path(entry.path)
            for entry in entries
            if not is_hidden(entry) and _is_folder(entry) == are_folders
        ]


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:
        return False
