"""What is known about a batch, and what that says about one LAP layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

KEYS = ("label", "mask", "valid")


@dataclass(frozen=True)
class Knowledge:
    """Labels of a batch together with what else is known about it.

    Attributes:
        label: The label as the compiled loss takes it: class indices `(N,)` or
            `(N, 1)`, or one-hot `(N, classes)`.
        mask: `(N, H, W)` or `(N, H, W, K)` in `[0, 1]`, or `None`. Without a concept
            axis it belongs to the concepts that the label makes present.
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

    def check_against(self, images):
        """Raises a `ValueError` if the masks do not fit the images.

        Args:
            images: `(N, H, W, C)`.
        """
        if self.mask is None:
            return
        mask, image = tuple(self.mask.shape), tuple(images.shape)
        if len(mask) not in (3, 4):
            raise ValueError(
                "Expected masks (N, H, W) or (N, H, W, concepts). "
                f"Received shape: {mask}"
            )
        known = None not in (*mask[1:3], *image[1:3])
        if known and mask[1] * image[2] != mask[2] * image[1]:
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
        ValueError: If a dict has no `"label"` or has unknown keys.
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
        valid = {"mask": valid}
    return Knowledge(label=y["label"], mask=y.get("mask"), valid=valid)


def layer_knowledge(knowledge, logits_shape, class_concepts, names):
    """Fits the knowledge about a batch to the concepts and pixels of one layer.

    Args:
        knowledge: A `Knowledge`.
        logits_shape: `(N, H, W, K)` of the layer's logits.
        class_concepts: Array `(classes, K)` of zeros and ones.
        names: What to return, out of `"present"` and `"mask"`.

    Returns:
        Dict from each name to a tensor: `"present"` `(N, K)`, `"mask"`
        `(N, H, W, K)`, the covered share of each of the layer's pixels.
    """
    present = present_concepts(knowledge.label, class_concepts)
    fitted = {"present": present}
    if "mask" in names:
        mask = ops.cast(knowledge.mask, "float32")
        if len(mask.shape) == 3:
            mask = ops.expand_dims(mask, -1)
        mask = resize_area(mask, logits_shape[1:3])
        if mask.shape[-1] == 1:
            mask = mask * ops.cast(present > 0, "float32")[:, None, None, :]
        fitted["mask"] = mask
    return {name: fitted[name] for name in names}


def present_concepts(label, class_concepts):
    """Which concepts the labels say are present.

    Args:
        label: Class indices `(N,)` or `(N, 1)`, or one-hot or multi-hot
            `(N, classes)`.
        class_concepts: Array `(classes, K)` of zeros and ones.

    Returns:
        float32 tensor `(N, K)` of zeros and ones.
    """
    matrix = ops.convert_to_tensor(class_concepts, "float32")
    if len(label.shape) == 2 and label.shape[-1] == len(class_concepts) > 1:
        return ops.minimum(ops.matmul(ops.cast(label, "float32"), matrix), 1.0)
    return ops.take(matrix, ops.reshape(ops.cast(label, "int32"), (-1,)), axis=0)


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


def resize_area(maps, size):
    """Resizes maps so that every new pixel is the mean of the area it covers.

    Args:
        maps: `(N, H, W, K)`, static spatial sizes.
        size: `(height, width)`.

    Returns:
        float32 tensor `(N, height, width, K)`.
    """
    rows = _area_weights(maps.shape[1], size[0])
    columns = _area_weights(maps.shape[2], size[1])
    return ops.einsum("yh,nhwk,xw->nyxk", rows, maps, columns)


def _area_weights(source, target):
    """Overlap of each target pixel with each source pixel, rows summing to one."""
    edges = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return (np.maximum(high - low, 0) * target / source).astype("float32")
