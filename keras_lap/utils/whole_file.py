"""Files that are written as a whole, in folders that are there."""

import contextlib
import os
import pathlib

from keras_lap.utils.folder_beside import folder_beside


def path_to_write(path):
    """The path of a file, if there is a folder for it.

    Args:
        path: Path of the file.

    Returns:
        A `pathlib.Path`.

    Raises:
        FileNotFoundError: If its folder is missing.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Expected a file in a folder that exists. Received: {str(path)!r}, and no "
            f"folder {str(path.parent)!r}. Make it first."
        )
    return path


@contextlib.contextmanager
def whole_file(path):
    """Makes a file out of what is written beside it.

    Args:
        path: The `pathlib.Path` of the file, which is replaced if it is there. Of a
            link, what it leads to is.

    Yields:
        Path to write to, of the same name. It takes the place of the file if nothing
        fails, and is gone otherwise.

    Raises:
        OSError: If nothing can be written there, before anything else is done.
    """
    target = pathlib.Path(os.path.realpath(path))
    with folder_beside(target) as folder:
        yield folder / path.name
        os.replace(folder / path.name, target)
