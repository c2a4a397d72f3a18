"""Concept maps of images, with all that is known of the images."""

import dataclasses
import operator
from dataclasses import dataclass

import numpy as np

from keras_lap.classifier.class_outputs import class_outputs, holds_logits
from keras_lap.classifier.labels import standardize_labels
from keras_lap.explanation.check_fields import check_fields
from keras_lap.explanation.concept_positions import position_for_each
from keras_lap.explanation.draw_maps import draw_maps
from keras_lap.explanation.evidence import evidence
from keras_lap.explanation.explanation_file import load_fields, save_fields
from keras_lap.explanation.figure_parts import figure_captions, figure_columns
from keras_lap.explanation.overlay import overlay
from keras_lap.utils.class_concepts import (
    class_concept_flags,
    standardize_class_concepts,
)
from keras_lap.utils.standardize_count import standardize_count

_ARRAYS = ("maps", "images", "scores", "predictions", "labels", "masks")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Concept maps of images, with scores, predictions and names. It never changes.

    `keras_lap.explain` makes one; maps of any other origin can be put into one by hand.

    With `N` images of height `H` and width `W`, `K` concepts that were asked for:

    Args:
        maps: Float32 array `(N, H, W, K)`, channels last in every model.
        images: Array `(N, H, W, C)`, as they went into the model before any
            preprocessing of its own, but channels last.
        scores: Float32 array `(N, K)`, the highest concept score of each image in the
            deepest layer read, times the sigmoid of its logit where it is a ramp; by
            default the highest values of `maps`.
        predictions: Float32 array `(N, columns)`, the model's output, or `None`.
        from_logits: Whether `predictions` are logits. By default they are if some lie
            outside of `[0, 1]`.
        labels: Int array `(N,)`, -1 where it is not known, or `(N, classes)` for
            several labels per image, or `None`.
        masks: Boolean array `(N, H, W)` or `None`. Where no mask is known it is empty,
            as where it is known that there is nothing to see; metrics leave out both.
        concept_names: List of `K` strings, by default `"concept 3"`.
        class_names: List of strings, one per class, or `None`.
        concepts: List of `K` integers, the indices of the concepts in the model, by
            default `0, 1, ...`.
        class_concepts: Boolean array `(classes, concepts of the model)` that says which
            concepts speak for which class, or ints `(classes,)`, the one concept of
            each; `None` if that is not known.
        files: List of `N` strings or `None`.
        layers: List of the names of the LAP layers read.
        combine: How they were combined.

    The arguments are attributes too. The arrays are not copied, and can only be read.

    Raises:
        ValueError: If the shapes or lengths do not fit each other, or labels are no
            whole numbers.

    Example:

    >>> import numpy as np
    >>> from keras_lap.explanation import Explanation
    >>> maps = np.zeros((3, 8, 8, 2))
    >>> maps[:, 2, 5, 1] = 1
    >>> explanation = Explanation(
    ...     maps, np.zeros((3, 8, 8, 3)), concept_names=["ear", "tail"]
    ... )
    >>> explanation
    Explanation of 3 images (8, 8, 3): 2 concepts ('ear', 'tail')
    >>> explanation.of("tail").shape
    (3, 8, 8)
    >>> explanation[:2].top(1)
    array([[1],
           [1]])
    """

    maps: np.ndarray
    images: np.ndarray
    scores: np.ndarray | None = None
    predictions: np.ndarray | None = None
    from_logits: bool | None = None
    labels: np.ndarray | None = None
    masks: np.ndarray | None = None
    concept_names: list | None = None
    class_names: list | None = None
    concepts: list | None = None
    class_concepts: np.ndarray | None = None
    files: list | None = None
    layers: list = ()
    combine: str | None = None

    def __post_init__(self):
        maps = np.asarray(self.maps, np.float32)
        if maps.ndim != 4:
            raise ValueError(
                "Expected maps of shape (N, H, W, K). Received: "
                f"maps.shape={maps.shape}. Give maps of one concept a last axis with "
                "`maps[..., None]`."
            )
        scores = self.scores
        if scores is None:
            scores = maps.max(axis=(1, 2), initial=0)
        if self.concepts is None:
            self._set("concepts", range(maps.shape[-1]))
        if self.concept_names is None:
            self._set("concept_names", [f"concept {index}" for index in self.concepts])
        for name, array in {
            "maps": maps,
            "images": _of_numpy(np.asarray(self.images)),
            "scores": np.asarray(scores, np.float32),
            "predictions": _as_array(self.predictions, np.float32),
            "labels": standardize_labels(self.labels),
            "masks": _as_array(self.masks, bool),
        }.items():
            self._set(name, _read_only(array))
        self._set("concepts", [operator.index(concept) for concept in self.concepts])
        if self.predictions is not None:
            # Not anew for some of the images: by themselves they may look otherwise.
            given = self.from_logits
            logits = holds_logits(self.predictions) if given is None else bool(given)
            self._set("from_logits", logits)
        if self.combine is not None:
            self._set("combine", str(self.combine))
        for name in ("concept_names", "class_names", "files", "layers"):
            names = getattr(self, name)
            self._set(name, None if names is None else list(map(str, names)))
        check_fields(self)
        if self.class_concepts is not None:
            self._set("class_concepts", _read_only(_class_concept_flags(self)))

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    def __len__(self):
        return len(self.maps)

    def __getitem__(self, index):
        """The explanation of some of the images: a slice, indices or flags `(N,)`."""
        if isinstance(index, tuple):
            raise TypeError(
                "Expected a slice, indices or flags of images. Received: "
                f"{index}. Index `explanation.maps` for its pixels and concepts."
            )
        if isinstance(index, int | np.integer):
            index = [range(len(self))[index]]
        if not isinstance(index, slice):
            index = np.asarray(index if len(index) else np.empty(0, int))
        taken = {
            name: getattr(self, name)[index]
            for name in _ARRAYS
            if getattr(self, name) is not None
        }
        if self.files is not None:
            taken["files"] = np.array(self.files)[index]
        return dataclasses.replace(self, **taken)

    def __array__(self, *_, **__):
        raise TypeError("Expected an array. Received: an Explanation; take its `maps`.")

    def __repr__(self):
        names = ", ".join(map(repr, self.concept_names[:3]))
        more = ", ..." if len(self.concept_names) > 3 else ""
        parts = [
            f"Explanation of {_count(len(self), 'image')} {self.images.shape[1:]}: "
            f"{_count(len(self.concepts), 'concept')} ({names}{more})"
        ]
        if self.layers:
            layers = _count(len(self.layers), "LAP layer")
            parts.append(f"{self.combine!r} of {layers}")
        known = [
            name for name in ("labels", "masks") if getattr(self, name) is not None
        ]
        if known:
            parts.append("with " + " and ".join(known))
        return ", ".join(parts)

    @property
    def outputs(self):
        """Float32 `(N, classes)`: `predictions`, with two columns if they have one.

        See `keras_lap.classifier.class_outputs.class_outputs`; `None` without any.
        """
        if self.predictions is None:
            return None
        return class_outputs(self.predictions, self.from_logits)

    @property
    def predicted(self):
        """Index of the predicted class of each image, int `(N,)`, or `None`.

        It means nothing where one of the `predictions` is NaN.
        """
        return None if self.predictions is None else self.outputs.argmax(axis=-1)

    def class_name(self, index):
        """The name of a class, `"class 3"` if it has none."""
        return f"class {index}" if self.class_names is None else self.class_names[index]

    def of(self, concepts=None):
        """One map per image.

        Args:
            concepts: Index or name of a concept for all images, or `N` of them, one
                for each, such as the labels where every class has its concept. By
                default the strongest of those that speak for the predicted class, or,
                where none was asked for or is known to, the strongest of all.

        Returns:
            Float32 array `(N, H, W)`.

        Raises:
            ValueError: If a concept is unknown, or was not asked for.
        """
        positions = position_for_each(self, concepts)
        return self.maps[np.arange(len(self)), ..., positions]

    def top(self, k):
        """The strongest concepts of each image.

        Args:
            k: How many.

        Returns:
            Int array `(N, k)` of indices of concepts, by `scores`, highest first;
            narrower if there are fewer concepts.

        Raises:
            ValueError: If `k` is no positive integer.
        """
        k = standardize_count("k", k)
        order = np.argsort(-self.scores, axis=-1, kind="stable")[:, :k]
        return np.array(self.concepts)[order]

    def evidence(self, index):
        """Which concepts speak for the prediction of one image, where, how strongly.

        Args:
            index: Index of the image.

        Returns:
            A `keras_lap.explanation.Evidence`, with the contrast to the class of the
            second highest output if `class_concepts` say which concepts speak for them.

        Raises:
            IndexError: If there is no such image.
        """
        return evidence(self, index)

    def overlay(self, concepts=None, *, opacity=0.5, colormap="inferno"):
        """Lays one map over each image, scaled by its own maximum.

        Args:
            concepts: As for `of`.
            opacity: Opacity of the maps, in `[0, 1]`.
            colormap: Name of a matplotlib colormap.

        Returns:
            Uint8 array `(N, H, W, 3)`.
        """
        maps = self.of(concepts)
        return overlay(self.images, maps, opacity=opacity, colormap=colormap)

    def plot(self, concepts=None, *, count=8, path=None, **options):
        """Draws maps beside the first images; slice the explanation for others.

        Args:
            concepts: Index or name of a concept, or a list of them, one per column. By
                default all if they are few, otherwise those of the prediction and, if
                they are known, of the labels.
            count: Number of images.
            path: File to save the figure in.
            **options: Further arguments of `keras_lap.draw_maps`.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            FileNotFoundError: If the folder of `path` is missing.
            ImportError: If matplotlib is not installed.
            ValueError: If a concept was not asked for, or there is no image.
        """
        shown = self[:count]
        if not len(shown):
            raise ValueError(
                "Expected at least one image to draw. Received: an explanation of "
                f"{_count(len(self), 'image')}, with {count=}"
            )
        options = {"masks": shown.masks, "captions": figure_captions(shown)} | options
        columns = figure_columns(shown, concepts)
        return draw_maps(shown.images, columns, path=path, **options)

    def save(self, path):
        """Writes everything to an `.npz` file.

        Args:
            path: File to write; `.npz` is added where it has no ending.

        Returns:
            The `pathlib.Path` written.

        Raises:
            FileNotFoundError: If its folder is missing.
        """
        names = [field.name for field in dataclasses.fields(self)]
        return save_fields({name: getattr(self, name) for name in names}, path)

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote.

        Args:
            path: The file; `.npz` is added as by `save`, if there is none without it.

        Returns:
            An `Explanation`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds something else.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**load_fields(path, names))


def _count(number, thing):
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _class_concept_flags(explanation):
    outputs = explanation.outputs
    return class_concept_flags(
        standardize_class_concepts(explanation.class_concepts),
        classes=None if outputs is None else outputs.shape[-1],
        concepts=max(explanation.concepts, default=-1) + 1,
        of="the explanation, which may be of some of the model's concepts",
        exactly=False,
    )


def _of_numpy(array):
    """An array of a dtype of NumPy's own: it knows nothing of bfloat16."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _as_array(values, dtype):
    return None if values is None else np.asarray(values, dtype)


def _read_only(array):
    if array is None:
        return None
    array = array.view()
    array.flags.writeable = False
    return array
