import keras
import numpy as np

from keras_lap.evaluation.class_scores import class_scores
from keras_lap.evaluation.output_index import output_index
from keras_lap.evaluation.predictor import Predictor


class ExplainedModel:
    """A model, and the images and classes that it is explained on.

    Args:
        model: A `keras.Model`.
        samples: `SamplesToCompare`.
        targets: `"predicted"` or `"label"`.
        output: Name or index of the output, `None` for the first.
        batch_size: Number of images per forward pass.
        data_format: Layout of the images.
        seed: Seed for metrics.

    Attributes:
        model: The model, with one output.
        images: The images, as the model takes them.
        targets: Int array `(N,)`.
        accuracy: Share of right answers, or `None` without one label per image.

    Raises:
        ValueError: If there is no such output, or there are no labels to take as
            targets.
    """

    def __init__(
        self, model, samples, *, targets, output, batch_size, data_format, seed
    ):
        self.model = _with_one_output(model, output)
        self.images = samples.images
        self._samples = samples
        self._options = {"batch_size": batch_size, "seed": seed}
        self._channels_first = data_format == "channels_first"
        self._predictor = Predictor(self.model, data_format=data_format)
        labels = samples.labels
        has_labels = labels is not None and labels.ndim == 1
        if targets == "label" and not has_labels:
            raise ValueError(
                'Expected one label per image for targets="label". Received: '
                f"{'none' if labels is None else 'several'}. Maps of the predicted "
                "class need no labels."
            )
        predicted = class_scores(self.model, self.images, batch_size).argmax(axis=-1)
        self.targets = labels if targets == "label" else predicted
        self.accuracy = float(np.mean(predicted == labels)) if has_labels else None

    def facts(self, maps, explainer) -> dict:
        """All that a metric may ask for, by name."""
        samples = self._samples
        return {
            "maps": maps,
            "masks": samples.masks,
            "boxes": samples.boxes,
            "labels": samples.labels,
            "predict": self._predictor,
            "images": self._channels_last(self.images),
            "images_of_model": self.images,
            "targets": self.targets,
            "model": self.model,
            "explainer": explainer,
            **self._options,
        }

    def _channels_last(self, images):
        return np.moveaxis(images, 1, -1) if self._channels_first else images


def _with_one_output(model, output):
    outputs = getattr(model, "outputs", None) or [None]
    if output is None and len(outputs) == 1:
        return model
    # A Sequential model does not name its output.
    names = list(getattr(model, "output_names", []))
    index = output_index(output, names, len(outputs), f"one of {model.name!r}")
    inputs = model.inputs
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[index])
