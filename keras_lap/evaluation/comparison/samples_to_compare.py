"""Data sets of many forms, read into one."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_lap.classifier.element_count import element_count
from keras_lap.classifier.elements_of import elements_of
from keras_lap.classifier.image_and_targets import image_and_targets
from keras_lap.classifier.labels import (
    are_of_outputs,
    single_labels,
    standardize_labels,
)
from keras_lap.classifier.model_inputs import are_inputs
from keras_lap.classifier.standardize_masks import masks_of_concepts
from keras_lap.evaluation.validity.check_boxes import check_boxes
from keras_lap.utils.layout import height_and_width
from keras_lap.utils.names import some_of_many
from keras_lap.utils.to_numpy import to_numpy
from keras_lap.utils.warn import warn

NAMES = ("image", "label", "mask", "boxes", "box_concepts")
# What metrics call them, if the data set has them.
_OPTIONAL = {"labels": "label", "masks": "mask", "boxes": "boxes"}
# Names of the flags that say in which samples a kind is known.
_FLAGS = {"mask": "valid mask", "boxes": "valid boxes"}


@dataclass(frozen=True)
class SamplesToCompare:
    """Images, and what is known of them.

    Attributes:
        images: Array of rank 4, as the model takes them.
        labels: Int array `(N,)`, -1 where it is not known, or `(N, classes)` of zeros
            and ones, or `None`.
        masks: Boolean array `(N, H, W)`, or `(N, H, W, K)` with one per class; or
            `None`.
        boxes: Float array `(N, M, 4)`, filled up with -1, or `None`.
        box_concepts: Int array `(N, M)`, the class of each box, -1 for those that are
            of any, where no single label says of which, and for padding; or `None`.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    masks: np.ndarray | None = None
    boxes: np.ndarray | None = None
    box_concepts: np.ndarray | None = None

    @classmethod
    def of(cls, dataset, data_format):
        """Reads a data set.

        Args:
            dataset: Dict of arrays `"image"` and any of `"label"`, `"mask"`,
                `"boxes"`, `"box_concepts"` and `"valid"`; or a pair of the images and
                their labels or a dict of the others; or an iterable, such as a
                `tf.data.Dataset`, of such dicts or pairs, batched or not. In a pair the
                images may be in a dict, under the name of the model's input. Other
                names are left unread, as are labels of several outputs.
            data_format: Layout of the images.

        Raises:
            TypeError: If it is a path.
            ValueError: If there is no image, or another input beside it, or numbers,
                ranks or shapes do not fit, a box reaches beyond its image, or a data
                set never ends.
        """
        if isinstance(dataset, str | os.PathLike):
            raise TypeError(
                "Expected images and what is known of them: a dict of arrays, or a "
                f"`tf.data.Dataset`. Received: the path {os.fspath(dataset)!r}. Read "
                "a folder by `keras_lap.datasets.from_folders`."
            )
        if _is_pair(dataset):
            dataset = [dataset]
        is_dict = isinstance(dataset, Mapping)
        given = _known(dataset) if is_dict else _joined(dataset)
        images = given["image"]
        if images.ndim != 4 or not len(images):
            raise ValueError(
                "Expected images of rank 4, at least one. "
                f"Received: images of shape {images.shape}"
            )
        for name, values in given.items():
            if len(values) != len(images):
                raise ValueError(
                    f"Expected {len(images)} of each, as many as images. "
                    f"Received: {name!r} of shape {values.shape}"
                )
        labels = standardize_labels(given.get("label"))
        masks = given.get("mask")
        if masks is not None:
            size = height_and_width(images.shape, data_format)
            masks = masks_of_concepts(masks, size, given.get(_FLAGS["mask"]))
            if not masks.any():
                warn(
                    f"The masks of all {len(masks)} images are empty. Values above 0.5 "
                    "are inside, and a mask that holds NaN is not known. Metrics of "
                    "masks leave out all images."
                )
        boxes, box_concepts = given.get("boxes"), given.get("box_concepts")
        if boxes is not None and _FLAGS["boxes"] in given:
            flags = given[_FLAGS["boxes"]].astype(bool)
            boxes = np.where(flags.reshape(-1, 1, 1), boxes, -1)
        if boxes is not None:
            check_boxes(boxes, len(images))
        if box_concepts is not None:
            box_concepts = _standardize_box_concepts(box_concepts, boxes, labels)
        return cls(images, labels, masks, boxes, box_concepts)

    @property
    def known(self):
        """What metrics may ask for."""
        always = {"maps", "images", "targets", "predict", "model", "explainer"}
        given = {name for name in _OPTIONAL if getattr(self, name) is not None}
        return always | given | {"batch_size", "seed"}

    def check_classes(self, count):
        """Raises a `ValueError` if masks or boxes are of other classes than `count`."""
        if self.masks is not None and self.masks.ndim == 4:
            concepts = self.masks.shape[-1]
            if concepts != count:
                raise ValueError(
                    f"Expected masks (N, H, W), or (N, H, W, {count}) with one for "
                    f"each of the {count} classes that the model predicts. Received: "
                    f"masks of {concepts}. If they are of something else than classes, "
                    "pass the union of them, as by `masks.max(axis=-1)`."
                )
        highest = -1 if self.box_concepts is None else self.box_concepts.max(initial=-1)
        if highest >= count:
            raise ValueError(
                f"Expected box_concepts from 0 to {count - 1}, of the {count} classes "
                f"that the model predicts, or -1. Received: {highest}. If they are of "
                "something else than classes, pass boxes alone."
            )

    def of_chosen(self, targets):
        """The samples where classes are chosen for them, whatever their labels are.

        Masks and boxes that name no class are the label's, and so say nothing of any
        other class: they become empty.
        """
        labels = single_labels(self.labels)
        if labels is None or labels.ndim > 1:
            return self
        is_other, masks, boxes = labels != targets, self.masks, self.boxes
        if masks is not None and masks.ndim == 3:
            masks = masks & ~is_other[:, None, None]
        if boxes is not None and self.box_concepts is None:
            boxes = np.where(is_other[:, None, None], -1, boxes)
        return dataclasses.replace(self, masks=masks, boxes=boxes)

    def masks_of(self, targets):
        """The masks `(N, H, W)` of a class of each image, empty where it has none."""
        if self.masks is None or self.masks.ndim == 3:
            return self.masks
        classes = np.arange(self.masks.shape[-1])
        is_target = targets[:, None, None, None] == classes
        return (self.masks & is_target).any(axis=-1)

    def boxes_of(self, targets):
        """The boxes `(N, M, 4)` of a class of each image, those of others -1."""
        if self.boxes is None or self.box_concepts is None:
            return self.boxes
        is_target = self.box_concepts == targets[:, None]
        is_target |= self.box_concepts < 0
        return np.where(is_target[..., None], self.boxes, -1)

    def lacks(self, metric):
        """What a metric needs and is not there."""
        return metric.needs - self.known

    def check(self, metric):
        """Raises a `ValueError` if a metric lacks something."""
        lacking = self.lacks(metric)
        if unknown := lacking - set(_OPTIONAL):
            raise ValueError(
                f"Expected the metric {metric.name!r} to need no more than "
                f"{sorted(self.known | set(_OPTIONAL))}. Received: a function of "
                f"{sorted(unknown)}"
            )
        if lacking:
            keys = [key for name, key in _OPTIONAL.items() if name in self.known]
            raise ValueError(
                f"Expected data with {[_OPTIONAL[name] for name in sorted(lacking)]} "
                f"for the metric {metric.name!r}. Received: data with "
                f"{['image', *keys]}"
            )


def _joined(elements):
    """The dict of arrays of an iterable of batches or of single samples."""
    # One without an end would fill the memory.
    element_count(elements)
    parts = {}
    for element in elements_of(elements):
        for name, values in _known(_named(element)).items():
            parts.setdefault(name, []).append(values)
    if not parts:
        raise ValueError("Expected a data set with images. Received: an empty one")
    if len({values.ndim for values in parts["image"]}) > 1:
        raise ValueError(
            "Expected batches of images, or images. Received: both, or others, of "
            f"shapes {[values.shape for values in parts['image']][:2]}, .... Give "
            'labels beside images as a tuple (images, labels), or a dict of "image", '
            '"label" and "mask".'
        )
    if parts["image"][0].ndim == 3:
        parts = {
            name: [values[None] for values in arrays] for name, arrays in parts.items()
        }
    for name in {"boxes", "box_concepts"} & {*parts}:
        most = max(rows.shape[1] for rows in parts[name])
        parts[name] = [_filled_up(rows, most) for rows in parts[name]]
    for name, arrays in parts.items():
        shapes = dict.fromkeys(array.shape[1:] for array in arrays)
        if len(shapes) > 1:
            raise _several_shapes(name, some_of_many(shapes, 3))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _several_shapes(name, received):
    return ValueError(
        f"Expected {name!r} of one shape in all samples. Received: {received}. Resize "
        "them, or compare on those of each size in a call of their own."
    )


def _is_pair(dataset):
    """Whether a data set is one pair, of all images and what is known of them."""
    if not isinstance(dataset, tuple):
        return False
    are_batches = all(isinstance(each, Mapping) and "image" in each for each in dataset)
    return not are_batches and getattr(image_and_targets(dataset)[0], "ndim", 0) == 4


def _named(element):
    image, targets = image_and_targets(element)
    if not isinstance(targets, Mapping):
        targets = {"label": targets}
    return {**targets, "image": image}


def _known(sample):
    """What a dict says that is of use here, as arrays, with the flags by `_FLAGS`."""
    if "image" not in sample:
        raise ValueError(
            f"Expected the key 'image' in `dataset`. Received keys {list(sample)}. The "
            f"keys that are read are {[*NAMES, 'valid']}."
        )
    if are_inputs(sample["image"]):
        raise ValueError(
            "Expected images alone, as the single input of a model. Received: images "
            "along with other inputs. For a model that takes several: wrap it in a "
            "model that makes the other inputs itself."
        )
    valid = sample.get("valid")
    if not isinstance(valid, Mapping):
        valid = dict.fromkeys(_FLAGS, valid)
    given = {name: sample.get(name) for name in NAMES}
    if are_of_outputs(given["label"], given["image"]):
        del given["label"]
    given |= {flag: valid.get(name) for name, flag in _FLAGS.items()}
    return {
        name: _array(name, values)
        for name, values in given.items()
        if values is not None
    }


def _array(name, values):
    try:
        return to_numpy(values)
    except ValueError as error:
        raise _several_shapes(name, "a list of several") from error


def _standardize_box_concepts(given, boxes, labels):
    """The class of each box, where -1 is the label as in training."""
    shape = None if boxes is None else boxes.shape[:2]
    if given.shape != shape:
        raise ValueError(
            "Expected 'box_concepts' (N, M), one per box, beside 'boxes' (N, M, 4). "
            f"Received: 'box_concepts' of shape {given.shape}, and "
            + ("no boxes" if boxes is None else f"boxes of shape {boxes.shape}")
        )
    labels = single_labels(labels)
    if labels is not None and labels.ndim == 1:
        given = np.where(given < 0, labels[:, None], given)
    return np.where((boxes == -1).all(axis=-1), -1, given)


def _filled_up(rows, most):
    missing = [(0, 0), (0, most - rows.shape[1]), *[(0, 0)] * (rows.ndim - 2)]
    return np.pad(rows, missing, constant_values=-1)
