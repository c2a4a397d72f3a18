"""One map of each image, of what speaks for a class, batch after batch."""

import numpy as np

from keras_lap.explanation.pass_reader import PassReader
from keras_lap.explanation.recorded_pass import compiled_pass

# Of so many concepts maps are in memory at a time.
_AT_ONCE = 64


def concept_maps(model, layers=None, combine="flow"):
    """What `keras_lap.explain` maps, for many batches and some concepts of each image.

    The forward pass is compiled, see `recorded_pass.compiled_pass`, and nothing is read
    of concepts that are not asked for.

    Args:
        model: A built model with a single input, the image.
        layers: List of names of LAP layers, or `None` for all of them.
        combine: A key of `COMBINATIONS` in `keras_lap.explanation.combine`.

    Returns:
        A function of images, as the model takes them, and of another function, from the
        numbers of concepts and of classes (`None` where the first output is no vector)
        to an int array `(N,)`, the concept of each image, or flags `(N, concepts)` of
        those whose highest is taken at each pixel. It returns a float32 array
        `(N, H, W)`, zero where an image has no concept.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If it is not built or has several inputs; from the function that is
            returned, as `keras_lap.explain`.
    """
    passes = PassReader(model, layers, combine)
    forward = compiled_pass(model)

    def maps_of(images, concepts_of):
        passes.taken.check(images.shape)
        seen = passes.read(images, *forward(images))
        concepts = concepts_of(seen.reader.count, seen.classes)
        if concepts.ndim == 1:
            return seen.reader.read_each(seen.records, concepts)
        asked = np.flatnonzero(concepts.any(axis=0))
        highest = np.zeros(seen.images.shape[:3], np.float32)
        for at in range(0, len(asked), _AT_ONCE):
            some = asked[at : at + _AT_ONCE]
            maps, _ = seen.reader.read(seen.records, some.tolist())
            is_asked = concepts[:, None, None, some]
            maps = maps.max(axis=-1, where=is_asked, initial=0)
            np.maximum(highest, maps, out=highest)
        return highest

    return maps_of
