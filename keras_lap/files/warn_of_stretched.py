"""What there is to say about images that are resized."""

import os

import numpy as np

from keras_lap.utils.warn import warn


def warn_of_stretched(files, sizes, size):
    """Warns if the aspect ratio of files is changed, by over a pixel.

    Args:
        files: List of their paths.
        sizes: Their own heights and widths, `(N, 2)`.
        size: Height and width that they are resized to.
    """
    (height, width), sizes = size, np.asarray(sizes)
    changed = np.abs(sizes[:, 1] * (height / sizes[:, 0]) - width) > 1
    if not changed.any():
        return
    first = int(changed.argmax())
    warn(
        f"{changed.sum()} of {len(files)} files have another aspect ratio than "
        f"{(height, width)} (height, width) and are stretched to that, the first "
        f"{os.fspath(files[first])!r} from {tuple(sizes[first].tolist())}. Crop or pad "
        "them beforehand if the model was not trained so."
    )
