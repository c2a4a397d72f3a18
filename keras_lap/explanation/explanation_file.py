"""Files of explanations."""

import os
import pathlib
import zipfile

import numpy as np

from keras_lap.utils.whole_file import path_to_write, whole_file


def save_fields(fields, path):
    """Writes the fields of an explanation to an `.npz` file.

    Args:
        fields: Dict from names to values; those that are `None` are left out.
        path: File to write; `.npz` is added where it has no ending.

    Returns:
        The `pathlib.Path` written.

    Raises:
        FileNotFoundError: If its folder is missing.
    """
    path = path_to_write(_with_ending(pathlib.Path(path)))
    arrays = {
        name: np.array(value) for name, value in fields.items() if value is not None
    }
    with whole_file(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)
    return path


def load_fields(path, known):
    """Reads what `save_fields` wrote.

    Args:
        path: The file; `.npz` is added as by `save_fields`, if there is none without.
        known: Names of the fields that there may be.

    Returns:
        Dict from names to arrays.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else.
    """
    path = pathlib.Path(path)
    path = path if path.is_file() else _with_ending(path)
    with path.open("rb") as file:
        fields = {}
        if zipfile.is_zipfile(file):
            file.seek(0)
            fields = dict(np.load(file, allow_pickle=False))
    if not {"maps", "images"} <= set(fields) <= set(known):
        raise ValueError(
            "Expected a file written by `Explanation.save`. "
            f"Received: {os.fspath(path)!r}"
        )
    return fields


def _with_ending(path):
    return path if path.suffix else path.with_suffix(".npz")
