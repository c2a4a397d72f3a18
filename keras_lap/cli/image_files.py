"""Files of images on the command line."""

import pathlib

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def image_files(paths):
    """Lists files, those in folders among them.

    Args:
        paths: List of files, taken whatever their ending is, and of folders, whose
            images are taken, in the order of their names.

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
        found = images_in(path) if path.is_dir() else [path]
        if not found:
            raise FileNotFoundError(
                f"Expected images in {str(path)!r}. Received: none that ends in one of "
                f"{', '.join(ENDINGS)}"
            )
        files += found
    return files


def images_in(folder):
    """Images of a folder, by name, without those in folders below."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
