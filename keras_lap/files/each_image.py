"""Many image files, and all that is wrong with them in one error."""

import os

from keras_lap.files.image_pixels import opened, read_errors


def each_image(files, function):
    """What a function makes of each image file.

    Args:
        files: List of paths.
        function: Function of an image opened by Pillow, of which nothing was read yet
            but its header.

    Returns:
        List of what it returned.

    Raises:
        FileNotFoundError: If files are missing. It names all that cannot be read.
        ImportError: If Pillow is not installed.
        ValueError: If files cannot be read, all of which are named.
    """
    results, problems = [], {}
    for file in files:
        try:
            with opened(file) as image:
                results.append(function(image))
        except read_errors() as error:
            problems[os.fspath(file)] = error
    if problems:
        kind = ValueError
        if any(isinstance(error, FileNotFoundError) for error in problems.values()):
            kind = FileNotFoundError
        named = "; ".join(
            f"{file!r}: {getattr(error, 'strerror', None) or error}"
            for file, error in problems.items()
        )
        raise kind(
            f"Expected images that can be read. Received {len(problems)} of "
            f"{len(files)} that cannot: {named}"
        )
    return results
