"""The probabilities that a model gives."""

import itertools
from functools import partial

import keras
import numpy as np

from keras_lap.classifier.chosen_output import chosen_output
from keras_lap.classifier.class_outputs import class_outputs, holds_logits
from keras_lap.classifier.gives_logits import gives_logits
from keras_lap.evaluation.outputs import predict_batch
from keras_lap.graph.data_format_of import data_format_of
from keras_lap.graph.functional_of import functional_of
from keras_lap.utils.layout import DATA_FORMATS, channel_axis
from keras_lap.utils.names import check_choice
from keras_lap.utils.standardize_count import standardize_count
from keras_lap.utils.to_numpy import to_numpy


class Predictor:
    """Class probabilities of images, from a Keras model or any function.

    Models run in inference mode. Every batch has the same number of images, the last
    one filled up with copies of its last image, so that nothing is compiled or traced
    a second time for an odd batch. The metrics of faithfulness make a `Predictor` of
    the model that they are given; make one yourself to choose an output or a layout.
    A model with an input of integers gets images rounded, within the range of these.

    Args:
        predict: a `keras.Model`, or a function that takes images, an array
            `(B, H, W, C)`, and returns their probabilities `(B, classes)` as array or
            tensor. Classes may exclude each other (softmax) or not (sigmoid). A single
            column speaks for class 1 of two, and becomes `[1 - p, p]`. `model.predict`
            is taken for the model, which spares its progress bars.
        output: name or index of the output that has the probabilities, of a model
            with several. Defaults to `None`: the first.
        data_format: `"channels_last"` or `"channels_first"`, what the model takes.
            Images are given with channels last to the `Predictor` either way.
            Defaults to `None`: for a model what its graph, or else its LAP layers say,
            or `keras.config.image_data_format()` if there are none; for a function
            `"channels_last"`.

    Raises:
        TypeError: If `predict` is neither a model nor a function.
        ValueError: If there is no such layout, or the model has no such output.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import Predictor
    >>> def brightness(images):
    ...     bright = images.mean(axis=(1, 2, 3))
    ...     return np.stack([1 - bright, bright], axis=1)
    >>> Predictor(brightness)(np.full((1, 4, 4, 1), 0.25))
    array([[0.75, 0.25]])
    """

    def __init__(self, predict, output=None, data_format=None):
        predict = _without_bars(predict)
        is_model = isinstance(predict, keras.Model)
        if not callable(predict):
            raise TypeError(
                "Expected `predict` to be a keras.Model, or a function from images to "
                f"probabilities. Received: {predict!r}"
            )
        if data_format is None:
            data_format = data_format_of(predict) if is_model else "channels_last"
        check_choice("data_format", data_format, DATA_FORMATS)
        self._predict = partial(predict_batch, predict) if is_model else predict
        self._chosen = partial(chosen_output, predict, output=output)
        self._gives_logits = is_model and gives_logits(predict, output)
        self._channel_axis = channel_axis(data_format)
        functional = functional_of(predict) if is_model else None
        self._dtype = functional.inputs[0].dtype if functional is not None else "float"

    def __call__(self, images, batch_size=32):
        """Probabilities of images.

        Args:
            images: array `(N, H, W, C)`, in the range that the model expects.
            batch_size: int, number of images per call of the model. Defaults to `32`.

        Returns:
            float64 array `(N, classes)`.

        Raises:
            ValueError: As `rows` does, or if there is no image.
        """
        rows = list(self.rows(images, batch_size))
        if not rows:
            raise ValueError("Expected at least one image. Received: none")
        return np.stack(rows)

    def rows(self, images, batch_size=32):
        """Probabilities of any number of images, one after the other.

        Only one batch is in memory at a time.

        Args:
            images: iterable of arrays `(H, W, C)`. They are copied as they come, so
                the same array may be changed and given again.
            batch_size: int, number of images per call of the model. Defaults to `32`.

        Yields:
            float64 array `(classes,)` for each image.

        Raises:
            ValueError: If the batch size is no positive integer, there is no such
                output, or it is not of shape `(B, classes)` or not made of
                probabilities.
        """
        batch_size = standardize_count("batch_size", batch_size)
        images = iter(images)
        while batch := [np.array(x) for x in itertools.islice(images, batch_size)]:
            filled = batch + batch[-1:] * (batch_size - len(batch))
            yield from self._probabilities(np.stack(filled))[: len(batch)]

    def _probabilities(self, batch):
        count = len(batch)
        batch = np.moveaxis(batch, -1, self._channel_axis)
        if "int" in self._dtype and batch.dtype.kind not in "biu":
            range_ = np.iinfo(self._dtype)
            # In float64, which has all integers of 32 bits.
            batch = np.rint(batch, dtype="float64").clip(range_.min, range_.max)
            batch = batch.astype(self._dtype)
        values = to_numpy(self._chosen(self._predict(batch))).astype("float64")
        if values.ndim != 2 or len(values) != count:
            raise ValueError(
                "Expected an output of shape (B, classes), one row per image. "
                f"Received: shape {values.shape} for {count} images. Choose the "
                "output with `Predictor(model, output=...)`, or wrap the model."
            )
        # Without numbers, so that it reads the same whatever the images are.
        if self._gives_logits or holds_logits(values):
            received = "some below 0 or above 1"
            if self._gives_logits:
                received = "a layer without activation at the end"
            raise ValueError(
                f"Expected probabilities, each between 0 and 1. Received: {received}. "
                "If they are logits, end the model in a layer with "
                'activation="softmax", or "sigmoid" if the classes do not exclude each '
                "other; around a trained model, "
                "`keras.Sequential([model, keras.layers.Softmax()])` does."
            )
        if np.isnan(values).any():
            raise ValueError(
                "Expected probabilities, each between 0 and 1. Received: NaN. Look at "
                "the weights of the model, and at the range of the images."
            )
        return class_outputs(np.clip(values, 0, 1))


def _without_bars(predict):
    """The model instead of its `predict`, which shows a bar for every batch."""
    model = getattr(predict, "__self__", None)
    is_predict = isinstance(model, keras.Model) and predict == model.predict
    return model if is_predict else predict
