"""What all explainers of one model are measured on."""

import keras
import numpy as np

from keras_lap.classifier.chosen_output import chosen_output, warn_of_first_output
from keras_lap.classifier.labels import check_labels, single_labels
from keras_lap.classifier.right_answers import right_answers
from keras_lap.evaluation.outputs import class_scores
from keras_lap.evaluation.predictor import Predictor
from keras_lap.evaluation.targets import check_classes
from keras_lap.graph.functional_of import functional_of
from keras_lap.utils.layout import channel_axis


class ExplainedModel:
    """A model, and the images and classes that it is explained on.

    Args:
        model: A `keras.Model`.
        samples: `SamplesToCompare`.
        targets: `"predicted"`, `"label"`, or an int array `(N,)`.
        baseline: What metrics put in the place of what they remove, or `None` for what
            each of them does by itself.
        output: Name or index of the output, `None` for the first.
        batch_size: Number of images per forward pass.
        data_format: Layout of the images.
        seed: Seed for metrics.

    Attributes:
        model: The model, with one output.
        images: The images, as the model takes them.
        outputs: Float array `(N, classes)`, as `class_scores` gives it.
        targets: Int array `(N,)`.
        accuracy: Share of right answers among the images with one label, or `None`
            without any; labels below 0 are not known. Outputs that are NaN are wrong.

    Raises:
        ValueError: If there is no such output, targets, labels, masks or boxes are of
            classes that the model does not have, or there are no labels to take as
            targets.
    """

    def __init__(
        self,
        model,
        samples,
        *,
        targets,
        baseline,
        output,
        batch_size,
        data_format,
        seed,
    ):
        self.model = _with_one_output(model, output)
        self.images = samples.images
        self._options = {"batch_size": batch_size, "seed": seed}
        if baseline is not None:
            self._options["baseline"] = baseline
        self._channel_axis = channel_axis(data_format)
        self._predictor = Predictor(self.model, data_format=data_format)
        self.outputs = class_scores(self.model, self.images, batch_size)
        check_labels(samples.labels, self.outputs)
        samples.check_classes(self.outputs.shape[-1])
        self._labels = single_labels(samples.labels)
        if not isinstance(targets, str):
            check_classes(targets, self.outputs.shape[-1])
            self.targets = targets
            samples = samples.of_chosen(targets)
        elif targets == "label":
            _check_labels_are_targets(self._labels)
            self.targets = self._labels
        else:
            self.targets = self.outputs.argmax(axis=-1)
        self._masks = samples.masks_of(self.targets)
        self._boxes = samples.boxes_of(self.targets)
        is_right = right_answers(self.outputs, samples.labels)
        self.accuracy = None if is_right is None else float(is_right.mean())

    def facts(self, maps, explainer):
        """All that a metric may ask for, by name."""
        return {
            "maps": maps,
            "masks": self._masks,
            "boxes": self._boxes,
            "labels": self._labels,
            "predict": self._predictor,
            "images": np.moveaxis(self.images, self._channel_axis, -1),
            "images_of_model": self.images,
            "targets": self.targets,
            "model": self.model,
            "explainer": explainer,
            **self._options,
        }


def _check_labels_are_targets(labels):
    if labels is None:
        received = "none"
    elif labels.ndim > 1:
        received = "several"
    elif (labels < 0).any():
        received = f"{(labels < 0).sum()} that are not known, below 0"
    else:
        return
    raise ValueError(
        f'Expected one label per image for targets="label". Received: {received}. Maps '
        "of the predicted class need no labels, nor do those of a class of your "
        "choice, as by targets=0."
    )


def _with_one_output(model, output):
    functional = functional_of(model)
    is_single = functional is None or isinstance(functional.output, keras.KerasTensor)
    if output is None and is_single:
        return model
    if functional is None:
        raise ValueError(
            "Expected a built Functional or Sequential model, to choose an output of. "
            f"Received: model={model}, {output=}"
        )
    warn_of_first_output(model, functional.output, output)
    inputs = functional.inputs[0] if len(functional.inputs) == 1 else functional.inputs
    return keras.Model(inputs, chosen_output(model, functional.output, output))
