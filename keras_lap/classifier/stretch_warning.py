"""What there is to say about images that are resized."""

import os

import numpy as np


def stretch_warning(files, sizes, size):
    """What to say about files whose aspect ratio is changed, by over a pixel.

    Args:
        files: List of their paths.
        sizes: Integer array `(N, 2)`, their own heights and widths.
        size: Height and width that they are resized to.

    Returns:
        A string, or `None` if there is nothing to say.
    """
    height, width = size
    changed = np.abs(sizes[:, 1] * (height / sizes[:, 0]) - width) > 1
    if not changed.any():
        return None
    first = int(changed.argmax())
    return (
        f"{changed.sum()} of {len(files)} files have another aspect ratio than "
        f"{(height, width)} (height, width) and are stretched to that, the first "
        f"{os.fspath(files[first])!r} from {tuple(sizes[first].tolist())}. Crop or pad "
        "them beforehand if the model was not trained so."
    )
