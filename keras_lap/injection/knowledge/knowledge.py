"""What is known about a batch."""

import functools
from dataclasses import dataclass, field
from typing import Any

from keras import ops, tree

from keras_lap.injection.knowledge.box_concepts import numbers_of_boxes
from keras_lap.injection.knowledge.kinds import KINDS
from keras_lap.injection.knowledge.mask import mask_gaps
from keras_lap.injection.places.image_size import image_size
from keras_lap.utils.names import near_names


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Labels of a batch together with what else is known about it.

    Attributes:
        label: The label as the compiled loss takes it: class indices `(N,)` or
            `(N, 1)`, or one-hot or multi-hot `(N, classes)`, or a structure of labels.
        given: Dict from a kind's name to its values, as `KnowledgeInjection` takes
            them. A mask with a concept axis of size 1 belongs to the concepts that the
            label makes present, too, for a layer of several concepts, or where
            `outputs` says that the label is of classes.
        valid: Dict from a kind's name to flags `(N,)` that say for which samples it
            is known. What is not valid is not read, so it may hold anything.
        outputs: What kind of classes the label is of, as `compiled_outputs` returns it.
    """

    label: Any
    given: dict = field(default_factory=dict)
    valid: dict = field(default_factory=dict)
    outputs: str | None = None
    _cleaned: dict = field(default_factory=dict, init=False, repr=False)

    def missing(self, needs):
        """The first name in `needs` that the batch does not hold, or `None`."""
        return next((n for n in needs if n in KINDS and n not in self.given), None)

    def counts(self, needs, sample_weight, samples):
        """How much each sample counts in a term.

        Args:
            needs: Names of the knowledge that the term takes.
            sample_weight: `(N,)`, or with more axes, as for pixels, or `None` for 1
                throughout, or any structure of such, one for each output of the
                model. What there is of one sample counts by its mean.
            samples: Number of the samples.

        Returns:
            float32 tensor `(N,)`: zero where needed knowledge is not valid or says
            nothing, as do boxes that are all padding, else the sample weight.
        """
        counts = ops.ones((samples,), "float32")
        for name in needs:
            for flags in self._flags(name):
                counts = counts * _as_column(flags)
        weights = [
            1.0 if weight is None else _as_column(weight)
            for weight in tree.flatten(sample_weight)
        ]
        return counts * (sum(weights) / len(weights))

    def _flags(self, name):
        """All that says for which samples a kind is known, each `(N,)`."""
        if name in self.valid:
            yield ops.cast(self.valid[name], "bool")
        if name in self.given and KINDS[name].is_known is not None:
            yield KINDS[name].is_known(ops.cast(self.given[name], "float32"))

    @property
    def one_label(self):
        """The label, or `None` without one, or with one for each of several outputs."""
        labels = tree.flatten(self.label)
        return labels[0] if len(labels) == 1 and hasattr(labels[0], "shape") else None

    def clean(self, name):
        """What is given of a kind as float32, with what is not valid unknown."""
        if name not in self._cleaned:
            values = KINDS[name].clean(self.given[name], self.valid.get(name))
            if name == "box_concepts" and "boxes" in self.given:
                values = numbers_of_boxes(values, self.clean("boxes"))
            self._cleaned[name] = values
        return self._cleaned[name]

    @functools.cached_property
    def mask_gaps(self):
        """Which masks are not known, `(N, K)`, or `(N, 1)` for masks of the label."""
        return mask_gaps(self.clean("mask"))

    def check_against(self, inputs, data_format):
        """Raises a `ValueError` if the knowledge does not fit the images.

        Sizes that are not known before the data are not checked.

        Args:
            inputs: What the model is called on, as `image_size` takes it.
            data_format: `"channels_last"` or `"channels_first"`.
        """
        size = image_size(inputs, data_format)
        shape = tuple(getattr(tree.flatten(inputs)[0], "shape", ()))
        samples = shape[0] if shape else None
        self._check_ranks()
        for name, values in self.given.items():
            kind = KINDS[name]
            if name in self.valid:
                _check_flags(name, self.valid[name], samples)
            kind.check_values(values, samples)
            if kind.check is not None:
                kind.check(self.given, size)

    def _check_ranks(self):
        targets = {"label": self.label, **self.given, "valid": self.valid}
        unknown = [
            name
            for name, values in targets.items()
            if any(_has_unknown_rank(leaf) for leaf in tree.flatten(values))
        ]
        if unknown:
            raise ValueError(
                f"Expected targets whose number of axes is known. Received {unknown} "
                "without, as `tf.numpy_function` and `tf.py_function` leave them: say "
                "the shape in the data set, as by `tf.ensure_shape(mask, (height, "
                "width))`."
            )


def _has_unknown_rank(values):
    # Only the shapes of TensorFlow know of a rank.
    return getattr(getattr(values, "shape", None), "rank", 0) is None


def _check_flags(name, flags, samples):
    shape = tuple(getattr(flags, "shape", ()))
    is_column = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if not is_column or (None not in (shape[0], samples) and shape[0] != samples):
        expected = "N" if samples is None else samples
        raise ValueError(
            f"Expected the flags 'valid' of {name!r} to be one per image, of shape "
            f"({expected},). Received shape: {shape}"
        )


def _as_column(values):
    """The mean of what there is of each sample, `(N,)`."""
    values = ops.cast(values, "float32")
    others = tuple(range(1, len(values.shape)))
    return ops.mean(values, axis=others) if others else values


def holds_knowledge(y):
    """Whether the targets of a batch are a dict that `split_targets` takes apart."""
    return isinstance(y, dict) and "label" in y and set(y) <= {"label", "valid", *KINDS}


def split_targets(y, outputs=None):
    """Splits the targets of a batch into the label and the rest.

    Args:
        y: A label tensor, or a dict with `"label"` and any of the kinds of knowledge
            that `Knowledge` lists, and `"valid"`, flags `(N,)` for all of the
            knowledge or a dict of flags per kind, as in `{"mask": flags}`. What is
            `None` counts as left out.
        outputs: As `compiled_outputs` returns it.

    Returns:
        A `Knowledge`.

    Raises:
        ValueError: If a dict has no `"label"`, or has unknown keys or flags.
    """
    if not isinstance(y, dict):
        return Knowledge(label=y, outputs=outputs)
    if not holds_knowledge(y):
        known = (*KINDS, "valid")
        unknown = sorted({*y} - {"label", *known}, key=str)
        hints = (near_names(key, ["label", *known]) for key in unknown)
        raise ValueError(
            f"Expected targets as a label or a dict with 'label' and any of {known}; "
            "the labels of several outputs all belong under 'label'. "
            f"Received keys: {sorted(y, key=str)}. {' '.join(hints)}".rstrip()
        )
    valid = y.get("valid")
    if not isinstance(valid, dict):
        valid = dict.fromkeys(KINDS, valid)
    if not set(valid) <= set(KINDS):
        raise ValueError(
            "Expected 'valid' to be flags or a dict of flags for any of "
            f"{tuple(KINDS)}. Received keys: {sorted(valid)}"
        )
    given, valid = (
        {name: some[name] for name in KINDS if some.get(name) is not None}
        for some in (y, valid)
    )
    return Knowledge(y["label"], given, valid, outputs)
