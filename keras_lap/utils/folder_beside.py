"""Folders for what is to take the place of a file or folder."""

import contextlib
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def folder_beside(path):
    """Makes a hidden folder beside a path, and removes it with what is left in it.

    Args:
        path: A `pathlib.Path` in a folder that exists.

    Yields:
        The `pathlib.Path` of the folder.

    Raises:
        OSError: If nothing can be written there.
    """
    # On the same file system, where renaming takes no time and cannot stop half-way.
    folder = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
