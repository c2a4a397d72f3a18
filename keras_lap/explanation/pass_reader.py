"""Reads what forward passes of a model tell, of images of any size."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_lap.classifier.chosen_output import chosen_output, warn_of_first_output
from keras_lap.classifier.class_outputs import class_outputs
from keras_lap.classifier.image_input import ImageInput, check_finite
from keras_lap.classifier.range_warning import range_warning
from keras_lap.explanation.concept_reader import ConceptReader
from keras_lap.graph.guess_warning import GuessedPlaceWarning, guess_warning
from keras_lap.layers.gate_warning import ClosedGateWarning, gate_warning
from keras_lap.utils.to_numpy import to_numpy
from keras_lap.utils.warn import warn


@dataclass(frozen=True)
class ReadPass:
    """One forward pass.

    Attributes:
        images: Array `(N, H, W, C)`.
        records: List of `ScoreRecord`.
        reader: The `ConceptReader` of images of their size.
        predictions: Float32 array `(N, columns)`, or `None` where the output is no
            vector.
    """

    images: np.ndarray
    records: list
    reader: ConceptReader
    predictions: np.ndarray | None

    @property
    def classes(self):
        """Number of classes, `None` where it is not known."""
        if self.predictions is None:
            return None
        return class_outputs(self.predictions[:1]).shape[-1]


class PassReader:
    """Reads forward passes, and warns of the first one of each size of images.

    Args:
        model: A built model with one input of images.
        layers: Names of LAP layers, or `None` for all of them.
        combine: A key of `COMBINATIONS` in `keras_lap.explanation.combine`.
        output: Name or index of the output that predicts, by default the first.

    Attributes:
        taken: The `ImageInput` of the model.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If it is not built, or has several inputs of which not just one is
            of rank 4.
    """

    def __init__(self, model, layers, combine, output=None):
        self.taken = ImageInput.of(model)
        self._model, self._output = model, output
        self._layers, self._combine = layers, combine
        self._readers = {}

    def read(self, images, outputs, records):
        """Reads one forward pass.

        Args:
            images: Array or tensor, as the model takes them.
            outputs: What the model returned.
            records: List of `ScoreRecord`.

        Returns:
            A `ReadPass`.

        Raises:
            ValueError: If images are not finite, there is no such output, or as
                `ConceptReader`.
        """
        last = self.taken.last(to_numpy(images))
        check_finite(last, "images of a batch")
        if not self._readers:
            warn_of_first_output(self._model, outputs, self._output)
        predictions = _predictions_of(self._model, outputs, self._output)
        size = last.shape[1:3]
        if size not in self._readers:
            self._readers[size] = self._first(images, size, records)
        return ReadPass(last, records, self._readers[size], predictions)

    def _first(self, images, size, records):
        if message := range_warning(self._model, images):
            # What the model has learned to expect changes while it trains.
            warn(message, topic=f"the range of images of {self._model.name!r}")
        reader = ConceptReader(
            self._model, size, records, self._layers, self._combine, self._output
        )
        if message := gate_warning(reader.pooling):
            warn(message, ClosedGateWarning)
        if message := guess_warning(reader.guesses):
            warn(message, GuessedPlaceWarning)
        return reader


def _predictions_of(model, outputs, output):
    """One of a model's outputs, the first if none is named.

    Returns:
        Float32 array `(N, columns)`; or `None` if no output is named and the first is
        no vector per image.
    """
    chosen = chosen_output(model, outputs, output)
    shape = tuple(chosen.shape)
    if len(shape) not in (1, 2):
        if output is None:
            return None
        raise ValueError(
            "Expected an output with one vector per image, (N, classes). "
            f"Received: output={output!r} of shape {shape}"
        )
    array = ops.convert_to_numpy(ops.cast(chosen, "float32"))
    return np.reshape(array, (len(array), -1))
