"""Files and folders that are there as a whole, or not at all."""

import contextlib
import os
import pathlib

from keras_lap.utils.folder_beside import folder_beside
from keras_lap.utils.whole_file import whole_file


def add_force_argument(parser):
    """Adds `--force`."""
    parser.add_argument(
        "--force", action="store_true", help="write over what is there already"
    )


@contextlib.contextmanager
def new_file(path, force=False):
    """Makes a file out of what is written next to it.

    Folders that are missing are made, and removed if something fails. Whether the file
    may be written is found out before anything else is done.

    Args:
        path: The file, or `None`.
        force: Whether it, or a link of its name, may be there already.

    Yields:
        Path to write to, as of `whole_file`; `None` for none.

    Raises:
        FileExistsError: If it is there already.
        OSError: If it cannot be written.
    """
    if path is None:
        yield None
        return
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"Expected a file to write. Received a folder: {path}")
    if os.path.lexists(path) and not force:
        raise _exists(path)
    target = pathlib.Path(os.path.realpath(path))
    with _folder_of(target), whole_file(path) as new:
        yield new


@contextlib.contextmanager
def new_folder(path, force=False):
    """Fills a folder with what is written next to it.

    Folders that are missing are made, and removed if something fails.

    Args:
        path: The folder; it may be there, as long as it is empty.
        force: Whether there may be something in it. Files of the same names are
            replaced; others stay.

    Yields:
        Path of a folder to write into.

    Raises:
        FileExistsError: If there is something in it already.
        OSError: If it cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"Expected a folder. Received a file: {path}")
    if path.exists() and any(path.iterdir()) and not force:
        raise _exists(path)
    path = pathlib.Path(os.path.realpath(path))
    with _folder_of(path), folder_beside(path) as folder:
        yield folder
        path.mkdir(exist_ok=True)
        for file in folder.iterdir():
            os.replace(file, path / file.name)


@contextlib.contextmanager
def _folder_of(path):
    """Makes the folder of a path, and removes what it made if something fails."""
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            # Something may be in it by now.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _exists(path):
    return FileExistsError(f"{path} exists already; --force overwrites it")
