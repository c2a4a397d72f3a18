import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer, checked_classes
from keras_lap.explanation import explain
from keras_lap.names import check_choice


class LAP(Explainer):
    """The maps of `keras_lap.explain`, of the concept that stands for the class.

    They are read from the forward pass: there is no gradient, neither of a logit nor of
    a probability, and there are no channels to reduce.

    Args:
        combine: `"flow"`, `"mean"`, `"product"` or `"layer"`, as for
            `keras_lap.explain`.
        layers: list of names of LAP layers, or `None` for all of them.
        class_concepts: int array `(classes,)`, the concept that stands for each class,
            or `"highest"`: the highest of all concepts at each pixel, for models that
            nothing told which concept is which class. Defaults to `None`: concept `k`
            stands for class `k`, where there are as many of both, and the concept of a
            model with a single one for all classes.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Raises:
        ValueError: If `class_concepts` is something else; when an image is explained,
            if it is needed.

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

    def __init__(
        self, combine: str = "flow", layers=None, class_concepts=None, **options
    ):
        super().__init__(**options)
        self.combine = combine
        self.layers = layers
        self.class_concepts = _checked_class_concepts(class_concepts)

    def prepare(self, model):
        def read(images, concepts=None):
            return explain(
                model,
                images,
                concepts=concepts,
                layers=self.layers,
                combine=self.combine,
                batch_size=self.batch_size,
                verbose=0,
            )

        count = None

        def maps_of(images, targets):
            nonlocal count
            if count is None:
                first = read(images[:1])
                count = len(first.concepts)
                self._check(count, first.outputs)
            concepts = self._concepts_of(targets, count)
            maps = np.empty((len(images), *self.image_size(images)), np.float32)
            # Batch by batch: all concepts of all images may be too many to keep.
            for start in range(0, len(images), self.batch_size):
                batch = slice(start, start + self.batch_size)
                if concepts is None:
                    maps[batch] = read(images[batch]).maps.max(axis=-1)
                else:
                    asked, places = np.unique(concepts[batch], return_inverse=True)
                    found = read(images[batch], asked.tolist()).maps
                    maps[batch] = found[np.arange(len(found)), ..., places]
            return maps

        return maps_of

    def _check(self, count, outputs):
        if self.class_concepts is not None or count == 1 or outputs is None:
            return
        classes = outputs.shape[-1]
        if classes != count:
            raise ValueError(
                f"Expected a concept for each of the {classes} classes, or a single "
                f"one. Received: a model with {count} concepts. Say which concept "
                "stands for which class by `LAP(class_concepts=[...])`, or take "
                '`LAP(class_concepts="highest")`.'
            )

    def _concepts_of(self, targets, count):
        """The concept that stands for each target, `None` for the highest of all."""
        if isinstance(self.class_concepts, str):
            return None
        if count == 1:
            return np.zeros(len(targets), int)
        if self.class_concepts is None:
            return checked_classes(targets, count)
        return self.class_concepts[checked_classes(targets, len(self.class_concepts))]


def _checked_class_concepts(class_concepts):
    if class_concepts is None or isinstance(class_concepts, str):
        check_choice("class_concepts", class_concepts, (None, "highest"))
        return class_concepts
    class_concepts = np.asarray(class_concepts)
    if class_concepts.ndim != 1 or class_concepts.dtype.kind not in "iu":
        raise ValueError(
            "Expected `class_concepts` to be an int array (classes,), the concept of "
            f"each class. Received: dtype {class_concepts.dtype} and shape "
            f"{class_concepts.shape}"
        )
    return class_concepts
