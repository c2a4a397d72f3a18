"""Names for files to write, of which no two are the same."""

import os
import pathlib


def names_of_files(files):
    """Names for what is made of each of some files, without an ending.

    Args:
        files: List of paths.

    Returns:
        List of strings: the names of the files without their endings; where some would
        be the same, with as many of the folders above as it takes, or else with these.

    Example:

    >>> from keras_lap.cli.distinct_names import names_of_files
    >>> names_of_files(["cat/tom.png", "dog/rex.png"])
    ['tom', 'rex']
    >>> names_of_files(["cat/0.png", "dog/0.png"])
    ['cat_0', 'dog_0']
    """
    with_endings = [pathlib.Path(os.path.abspath(file)) for file in files]
    without = [path.with_suffix("") for path in with_endings]
    for paths in (without, with_endings):
        for depth in range(1, max(len(path.parts) for path in paths)):
            # The first part is the root.
            names = ["_".join(path.parts[1:][-depth:]) for path in paths]
            if len(set(names)) == len(names):
                return names
    # Some are the same file.
    return numbered([path.name for path in without])


def numbered(names):
    """The names, with numbers in front if some of them are the same."""
    if len(set(names)) == len(names):
        return names
    return [f"{index:03}_{name}" for index, name in enumerate(names)]
