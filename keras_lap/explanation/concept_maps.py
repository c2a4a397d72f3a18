"""One map of each image, of what speaks for a class, batch after batch."""

import warnings

import numpy as np

from keras_lap.classifier.class_outputs import class_outputs
from keras_lap.classifier.image_input import ImageInput, check_finite
from keras_lap.classifier.predictions import predictions_of
from keras_lap.classifier.range_check import range_warning
from keras_lap.explanation.combine import fused
from keras_lap.explanation.concept_reader import ConceptReader
from keras_lap.explanation.gate_check import ClosedGateWarning, gate_warning
from keras_lap.explanation.recorded_pass import compiled_pass


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
    taken = ImageInput.of(model)
    forward = compiled_pass(model)
    readers = {}

    def reader_of(images, records):
        size = images.shape[1:3]
        if size not in readers:
            if message := range_warning(model, taken.first(images)):
                warnings.warn(message, stacklevel=3)
            readers[size] = ConceptReader(model, size, records, layers, combine)
            if message := gate_warning(readers[size].pooling):
                warnings.warn(message, ClosedGateWarning, stacklevel=3)
        return readers[size]

    def maps_of(images, concepts_of):
        taken.check(images.shape)
        last = taken.last(images)
        check_finite(last)
        outputs, records = forward(images)
        reader = reader_of(last, records)
        predictions = predictions_of(model, outputs)
        classes = None if predictions is None else class_outputs(predictions).shape[-1]
        concepts = concepts_of(reader.count, classes)
        if concepts.ndim == 1:
            readings = reader.read_each(records, concepts)
            return fused(readings, reader.image, combine)[..., 0]
        asked = np.flatnonzero(concepts.any(axis=0))
        if not asked.size:
            return np.zeros((len(concepts), *reader.image.size), np.float32)
        readings, _ = reader.read(records, asked.tolist())
        maps = fused(readings, reader.image, combine)
        return maps.max(axis=-1, where=concepts[:, None, None, asked], initial=0)

    return maps_of
