"""The explanation that a model with LAP layers brings along, as an explainer."""

import functools

import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.evaluation.explainers.in_batches import in_batches
from keras_lap.evaluation.targets import check_classes
from keras_lap.explanation import COMBINATIONS, concept_maps
from keras_lap.utils.class_concepts import (
    class_concept_flags,
    standardize_class_concepts,
)
from keras_lap.utils.names import check_choice


class LAP(Explainer):
    """The maps of `keras_lap.explain`, of the concept that stands for the class.

    They are read from the forward pass: there is no gradient, neither of a logit nor of
    a probability, and there are no channels to reduce. The pass is compiled once for
    each shape of images, as `keras_lap.explanation.recorded_pass.compiled_pass` says.
    Of several outputs targets are classes of the first; to explain another, give a
    `keras.Model` of that output alone.

    Args:
        combine: `"flow"`, `"mean"`, `"product"` or `"layer"`, as for
            `keras_lap.explain`.
        layers: list of names of LAP layers, or `None` for all of them.
        class_concepts: which concepts speak for which class: ints `(classes,)`, the one
            concept of each, or an array `(classes, concepts)` of zeros and ones, where
            the map of a class is the highest of its concepts at each pixel, and that of
            a class without concepts is zero; or `"highest"`: the highest of all
            concepts for every class, for models that nothing told which concept is
            which class. Defaults to `None`: concept `k` speaks for class `k`, where
            there are as many of both, and the concept of a model with a single one for
            all classes.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Raises:
        ValueError: If `combine` or `class_concepts` is something else; when an image is
            explained, if `class_concepts` is needed.

    Example:
    >>> import keras
    >>> import keras_lap
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import LAP
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(4, 3),
    ...         keras_lap.GlobalLAPooling2D(concepts=5),
    ...         keras.layers.Dense(5, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> LAP().explain(model, images, targets=[3, 1, 3, 0]).shape
    (4, 8, 8)
    """

    def __init__(self, combine="flow", layers=None, class_concepts=None, **options):
        super().__init__(**options)
        check_choice("combine", combine, tuple(COMBINATIONS))
        self.combine = combine
        self.layers = layers
        self.class_concepts = _standardize_class_concepts(class_concepts)

    def prepare(self, model):
        read = concept_maps(model, self.layers, self.combine)

        def maps_of(images, targets):
            return read(images, functools.partial(self._concepts_of, targets))

        return functools.partial(in_batches, maps_of, self.batch_size)

    def _concepts_of(self, targets, count, classes):
        """The concepts that speak for each target, as `concept_maps` takes them.

        Args:
            targets: Int array `(N,)`.
            count: Number of concepts.
            classes: Number of classes, `None` where it is unknown.
        """
        if classes is not None:
            check_classes(targets, classes)
        if isinstance(self.class_concepts, str):
            return np.ones((len(targets), count), bool)
        if self.class_concepts is not None:
            speaks = class_concept_flags(
                self.class_concepts, classes, count, of="the model"
            )
            check_classes(targets, len(speaks))
            chosen = speaks[targets]
            is_single = (np.count_nonzero(chosen, axis=1) == 1).all()
            return chosen.argmax(axis=1) if is_single else chosen
        if count == 1:
            return np.zeros(len(targets), int)
        if classes not in (None, count):
            raise ValueError(
                f"Expected a concept for each of the {classes} classes, or a single "
                f"one. Received: a model with {count} concepts. Say which concepts "
                "speak for which class by `LAP(class_concepts=[...])`, or take "
                '`LAP(class_concepts="highest")`.'
            )
        check_classes(targets, count)
        return targets


def _standardize_class_concepts(class_concepts):
    if class_concepts is None or isinstance(class_concepts, str):
        check_choice("class_concepts", class_concepts, (None, "highest"))
        return class_concepts
    return standardize_class_concepts(class_concepts)
