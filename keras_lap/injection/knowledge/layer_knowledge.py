"""What is known about a batch, as it concerns one layer."""

import functools

from keras_lap.injection.knowledge.boxes import nameless_boxes
from keras_lap.injection.knowledge.kinds import KINDS
from keras_lap.injection.knowledge.mask import known_concepts, nameless_masks
from keras_lap.injection.knowledge.present_concepts import (
    NamesNoConcepts,
    present_concepts,
)

FITTED = ("present", "mask_known", *KINDS)


class LayerKnowledge:
    """Knowledge about a batch, fitted to the concepts and pixels of one layer.

    `knowledge[name]` is the tensor of that name, out of `FITTED`, each computed once,
    when it is first asked for; `name in knowledge` says whether there is one:

    - `"present"`, `(N, K)`: 1 for the concepts that the labels name, 0 for others, -1
      where a label is not known
    - `"mask"`, `(N, H, W, K)`: the covered share of each of the layer's pixels, zero
      where no mask is known
    - `"mask_known"`, `(N, K)`: of which concepts it is known, where masks are valid
    - `"boxes"`, `(N, M, 4)`: relative to the layer's map, which they may leave
    - `"box_concepts"`, `(N, M)`: a concept's number, or -1
    - `"concepts"`, `(N, K)`: 1 present, 0 absent, -1 unknown
    - `"area"`, `(N, K, 2)`: bounds, -1 unknown

    A layer with a single concept takes what is known of several as knowledge of their
    union: masks and boxes of any of them, and whether one is present. The area
    of a union is not known, nor is its mask if that of one of them is not.

    Args:
        knowledge: A `Knowledge`.
        cells: The rows and columns of the image that the layer's pixels stand for,
            as `resize_area` takes them, all rows of one height and all columns of
            one width.
        concepts: Number of the layer's concepts.
        class_concepts: Function that returns the array `(classes, K)` of zeros and
            ones that says which class has which concept; it is only called where
            labels are needed.

    Raises:
        ValueError: When asked for knowledge of other concepts than the layer's.
    """

    def __init__(self, knowledge, cells, concepts, class_concepts):
        self.cells = cells
        self.concepts = concepts
        self._knowledge = knowledge
        self._class_concepts = class_concepts
        self._fitted = {}

    @functools.cached_property
    def present(self):
        """The concepts that the labels name, `(N, K)`, as `present_concepts` does."""
        known = self._knowledge
        return present_concepts(known.one_label, self._class_concepts(), known.outputs)

    @functools.cached_property
    def mask_known(self):
        """Flags of the concepts whose masks are known, `(N, K)`."""
        return known_concepts(self._knowledge.clean("mask"), self)

    @property
    def mask_gaps(self):
        """Which masks are not known, as they are given."""
        return self._knowledge.mask_gaps

    @property
    def label_is_of_classes(self):
        """Whether the model is compiled so that its label names classes."""
        known = self._knowledge
        return known.outputs is not None and known.one_label is not None

    def __contains__(self, name):
        if name == "present":
            return self._has_labels()
        return ("mask" if name == "mask_known" else name) in self._knowledge.given

    def __getitem__(self, name):
        if name in ("present", "mask_known"):
            return getattr(self, name)
        if name not in self._fitted:
            values = self._knowledge.clean(name)
            self._fitted[name] = KINDS[name].fit(values, self)
        return self._fitted[name]

    def nameless(self, name):
        """Which masks or boxes belong to what a label does not name.

        Args:
            name: `"mask"` or `"boxes"`.

        Returns:
            Flags `(N,)`, or `None` if there can be none.
        """
        if name not in self or not self._label_names_concepts():
            return None
        if name == "mask":
            return nameless_masks(self._knowledge.clean(name), self)
        has_numbers = "box_concepts" in self
        numbers = self._knowledge.clean("box_concepts") if has_numbers else None
        return nameless_boxes(self._knowledge.clean(name), numbers, self)

    def _has_labels(self):
        """Whether there are labels, which boxes that name their concepts can spare."""
        if "box_concepts" in self._knowledge.given:
            return self._label_names_concepts()
        return self._knowledge.one_label is not None

    def _label_names_concepts(self):
        """Whether there is a label whose classes are known to have concepts."""
        if self._knowledge.one_label is None:
            return False
        try:
            self._class_concepts()
        except NamesNoConcepts:
            return False
        return True
