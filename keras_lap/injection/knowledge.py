"""What is known about a batch, and what that says about one LAP layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

KEYS = ("label", "mask", "valid")
FLAGGED = ("mask",)
FITTED = ("present", "mask")


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Labels of a batch together with what else is known about it.

    Attributes:
        label: The label as the compiled loss takes it: class indices `(N,)` or
            `(N, 1)`, or one-hot `(N, classes)`.
        mask: `(N, H, W)` or `(N, H, W, K)`, or `None`. Without a concept axis, or
            with one of size 1, it belongs to the concepts that the label makes
            present. Values are clipped to `[0, 1]`, so masks of 0 and 255, and any
            other integers of which those above 0 mean "inside", will do.
        valid: Dict from a knowledge's name to flags `(N,)` that say for which
            samples it is known.
    """

    label: Any
    mask: Any
    valid: dict

    def missing(self, needs):
        """The first name in `needs` that the batch does not hold, or `None`."""
        if "mask" in needs and self.mask is None:
            return "mask"
        return None

    def counts(self, needs, sample_weight, values):
        """How much each sample counts in a term.

        Args:
            needs: Names of the knowledge that the term takes.
            sample_weight: `(N,)` or `None`.
            values: The term, `(N,)`.

        Returns:
            float32 tensor `(N,)`: zero where needed knowledge is not valid, else
            the sample weight.
        """
        counts = ops.ones_like(values)
        for name in needs:
            if name in self.valid:
                flags = ops.cast(self.valid[name], values.dtype)
                counts = counts * ops.reshape(flags, (-1,))
        if sample_weight is not None:
            weight = ops.cast(sample_weight, values.dtype)
            counts = counts * ops.reshape(weight, (-1,))
        return counts

    def check_against(self, images, data_format="channels_last"):
        """Raises a `ValueError` if the masks do not fit the images.

        Sizes that are not known before the data are not checked.

        Args:
            images: `(N, H, W, C)`, or `(N, C, H, W)` with `channels_first`. Inputs
                of another kind have no size to compare with.
            data_format: `"channels_last"` or `"channels_first"`.
        """
        if self.mask is None:
            return
        mask, image = tuple(self.mask.shape), tuple(getattr(images, "shape", ()))
        if len(mask) not in (3, 4):
            raise ValueError(
                "Expected masks (N, H, W) or (N, H, W, concepts). "
                f"Received shape: {mask}"
            )
        if len(image) != 4:
            return
        if None not in (mask[0], image[0]) and mask[0] != image[0]:
            raise ValueError(
                "Expected one mask per image. "
                f"Received: masks {mask} for images {image}"
            )
        size = image[2:] if data_format == "channels_first" else image[1:3]
        if None not in (*mask[1:3], *size) and not _same_aspect(mask[1:3], size):
            raise ValueError(
                "Expected masks with the aspect ratio of the images, at any "
                f"resolution. Received: masks {mask} for images {image}"
            )


def split_targets(y):
    """Splits the targets of a batch into the label and the rest.

    Args:
        y: A label tensor, or a dict with `"label"` and optionally `"mask"` and
            `"valid"`, the latter flags `(N,)` for all of the knowledge or a dict of
            flags per kind, as in `{"mask": flags}`.

    Returns:
        A `Knowledge`.

    Raises:
        ValueError: If a dict has no `"label"`, or has unknown keys or flags.
    """
    if not isinstance(y, dict):
        return Knowledge(label=y, mask=None, valid={})
    unknown = sorted(set(y) - set(KEYS))
    if unknown or "label" not in y:
        raise ValueError(
            f"Expected targets as a label or a dict with 'label' and any of "
            f"{KEYS[1:]}. Received keys: {sorted(y)}"
        )
    valid = y.get("valid", {})
    if not isinstance(valid, dict):
        valid = dict.fromkeys(FLAGGED, valid)
    if not set(valid) <= set(FLAGGED):
        raise ValueError(
            f"Expected 'valid' to be flags or a dict of flags for any of {FLAGGED}. "
            f"Received keys: {sorted(valid)}"
        )
    return Knowledge(label=y["label"], mask=y.get("mask"), valid=valid)


def layer_knowledge(knowledge, cells, class_concepts, names):
    """Fits the knowledge about a batch to the concepts and pixels of one layer.

    Args:
        knowledge: A `Knowledge`.
        cells: The rows and columns of the image that the layer's pixels stand for,
            as `resize_area` takes them.
        class_concepts: Array `(classes, K)` of zeros and ones.
        names: What to return, out of `FITTED`.

    Returns:
        Dict from each name to a tensor: `"present"` `(N, K)`, `"mask"`
        `(N, H, W, K)`, the covered share of each of the layer's pixels; zero where
        no mask is valid. A layer with a single concept takes the union of masks of
        several.

    Raises:
        ValueError: If the concepts of the masks are not those of the layer.
    """
    present = present_concepts(knowledge.label, class_concepts)
    fitted = {"present": present}
    if "mask" in names:
        mask, concepts = _clean_mask(knowledge), class_concepts.shape[1]
        if concepts == 1:
            mask = ops.max(mask, axis=-1, keepdims=True)
        if mask.shape[-1] not in (1, concepts):
            raise ValueError(
                f"Expected masks of {concepts} concepts, as the layer has, or without "
                f"concepts. Received masks of {mask.shape[-1]}."
            )
        mask = resize_area(mask, cells)
        if mask.shape[-1] == 1:
            mask = mask * present[:, None, None, :]
        fitted["mask"] = mask
    return {name: fitted[name] for name in names}


def _clean_mask(knowledge):
    """The masks as float32 `(N, H, W, K)` in `[0, 1]`, all zeros if not valid."""
    mask = ops.clip(ops.cast(knowledge.mask, "float32"), 0, 1)
    if len(mask.shape) == 3:
        mask = ops.expand_dims(mask, -1)
    if "mask" in knowledge.valid:
        valid = ops.reshape(ops.cast(knowledge.valid["mask"], "bool"), (-1, 1, 1, 1))
        mask = ops.where(valid, mask, 0.0)
    return mask


def present_concepts(label, class_concepts):
    """Which concepts the labels say are present.

    Args:
        label: Class indices `(N,)` or `(N, 1)`, or one-hot or multi-hot
            `(N, classes)`, where a class is present from a value of 0.5. With a
            single class, zeros and ones `(N,)` or `(N, 1)`.
        class_concepts: Array `(classes, K)` of zeros and ones.

    Returns:
        float32 tensor `(N, K)` of zeros and ones.

    Raises:
        ValueError: If the labels have another shape.
    """
    matrix = ops.convert_to_tensor(class_concepts, "float32")
    classes = len(class_concepts)
    label = ops.convert_to_tensor(label)
    shape = tuple(label.shape)
    is_flat = len(shape) == 1 or shape[1:] == (1,)
    if is_flat and classes == 1:
        label, shape = ops.reshape(label, (-1, 1)), (shape[0], 1)
    if len(shape) == 2 and shape[1] == classes:
        chosen = ops.cast(ops.cast(label, "float32") >= 0.5, "float32")
        return ops.minimum(ops.matmul(chosen, matrix), 1.0)
    if is_flat:
        return ops.take(matrix, ops.reshape(ops.cast(label, "int32"), (-1,)), axis=0)
    raise ValueError(
        f"Expected labels (N,), (N, 1) or (N, {classes}) for {classes} classes. "
        f"Received shape: {shape}"
    )


def default_class_concepts(classes, concepts):
    """The map from classes to concepts of a layer for which none was given.

    Args:
        classes: Number of classes.
        concepts: Number of concepts of the layer.

    Returns:
        float32 array `(classes, concepts)`: the identity, or a column of ones for
        a layer with one class-free concept.

    Raises:
        ValueError: If neither fits.
    """
    if concepts == classes:
        return np.eye(classes, dtype="float32")
    if concepts == 1:
        return np.ones((classes, 1), dtype="float32")
    raise ValueError(
        f"Expected LAP layers with {classes} concepts, one per class, or with a "
        f"single one; a layer with {concepts} needs `class_concepts`, an array "
        f"({classes}, {concepts}) that says which class has which concept."
    )


def resize_area(maps, cells):
    """Resizes maps so that every new pixel is the mean of the area it covers.

    Args:
        maps: float32 `(N, H, W, K)`.
        cells: The rows and the columns of the new pixels, each an array `(pixels, 2)`
            of beginnings and ends as shares of the maps' length. What lies outside of
            `[0, 1]` is not counted; a pixel that lies there altogether is zero.

    Returns:
        float32 tensor `(N, rows, columns, K)`.
    """
    _, height, width, _ = ops.shape(maps)
    rows, columns = _area_weights(height, cells[0]), _area_weights(width, cells[1])
    return ops.einsum("yh,nhwk,xw->nyxk", rows, maps, columns)


def even_cells(size):
    """Cells for `resize_area` that divide the maps evenly.

    Args:
        size: `(height, width)`, integers or scalar tensors.
    """
    edges = [
        ops.cast(ops.arange(count + 1), "float64") / ops.cast(count, "float64")
        for count in size
    ]
    return [ops.stack([edge[:-1], edge[1:]], axis=-1) for edge in edges]


def _area_weights(count, cells):
    """Share of each of `count` pixels in each cell, `(cells, count)`."""
    edges = ops.cast(count, "float64") * ops.cast(cells, "float64")[..., None]
    pixels = ops.cast(ops.arange(count), "float64")
    low = ops.maximum(edges[:, 0], pixels)
    high = ops.minimum(edges[:, 1], pixels + 1)
    overlap = ops.maximum(high - low, 0)
    total = ops.sum(overlap, axis=-1, keepdims=True)
    return ops.cast(overlap / ops.where(total > 0, total, 1.0), "float32")


def _same_aspect(first, second):
    """Whether two sizes are the same image, each rounded to whole pixels."""
    (height, width), (other_height, other_width) = first, second
    return (
        abs(width - height * other_width / other_height) < 1
        or abs(height - width * other_height / other_width) < 1
    )
