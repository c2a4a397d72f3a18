"""Reads maps of concepts from the records of forward passes."""

import operator

import numpy as np
from keras import ops

from keras_lap.classifier.chosen_output import output_index
from keras_lap.explanation.combine import Reading, fused
from keras_lap.graph.find_layers import find_layers, standardize_layers
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.graph.receptive_grids import IMAGE, receptive_grids
from keras_lap.utils.names import check_names, listed
from keras_lap.utils.to_numpy import to_numpy


class ConceptReader:
    """Makes maps of the records of each forward pass.

    The calls of the LAP layers are the same in every pass, so what does not depend on
    the images is settled with the records of the first.

    Args:
        model: The model.
        image_size: Height and width of the images.
        records: List of `ScoreRecord` of the first forward pass.
        layers: Names of LAP layers, or paths to them, or `None` for all.
        combine: A key of `COMBINATIONS`; `"layer"` takes the deepest alone.
        output: Name or index of the output that the layers lead to, by default the
            first.

    Attributes:
        pooling: The LAP layers read.
        layers: Their names.
        count: Number of concepts that they have.
        guesses: List of the `guesses` of the `CallPlace`s of their calls.

    Raises:
        ValueError: If no layer has concepts and leads to the output, some of `layers`
            are unknown, there are several with `combine="layer"`, or their concepts do
            not go together.
    """

    def __init__(self, model, image_size, records, layers, combine, output=None):
        self._image, self._combine = ReceptiveGrid(tuple(image_size)), combine
        calls = [(record.layer, record.attention.shape[1:3]) for record in records]
        self._places = receptive_grids(model, self._image.size, calls)
        self._chosen = _choose(model, records, self._places, layers, combine, output)
        chosen = [records[index] for index in self._chosen]
        self.pooling = [record.layer for record in _once(chosen)]
        self.layers = [layer.name for layer in self.pooling]
        self.count = _concept_count(chosen)
        self._deepest = next(
            index
            for index in reversed(self._chosen)
            if records[index].logits.shape[-1] == self.count
        )
        self._sources = _sources_among(self._places, self._chosen)
        self.guesses = [self._places[index].guesses for index in self._chosen]

    def indices(self, concepts, names):
        """Indices of concepts.

        Args:
            concepts: List of indices and names, or `None` for all.
            names: The names of all concepts.

        Raises:
            ValueError: If one is unknown, with near names, or there is none.
        """
        if concepts is None:
            return list(range(self.count))
        try:
            wanted = listed(concepts)
            texts = [concept for concept in wanted if isinstance(concept, str)]
            check_names("the names of concepts", texts, names)
            indices = [
                names.index(concept)
                if isinstance(concept, str)
                else operator.index(concept)
                for concept in wanted
            ]
        except TypeError:
            indices = []
        if not indices or min(indices) < 0 or max(indices) >= self.count:
            raise ValueError(
                "Expected `concepts` to be a non-empty list of names, or indices from "
                f"0 to {self.count - 1}, or None for all. Received: {concepts=}"
            )
        return indices

    def read(self, records, concepts):
        """The maps of one forward pass.

        Args:
            records: Its list of `ScoreRecord`.
            concepts: List of the indices of the concepts to read.

        Returns:
            A tuple: the maps, float32 `(N, H, W, K)`, and the highest scores `(N, K)`
            of the deepest layer that has all concepts, each times its certainty if it
            has one.
        """
        chosen = np.array(concepts)
        is_all = concepts == list(range(self.count))
        readings = self._readings(
            records,
            lambda logits: logits if is_all else ops.take(logits, chosen, axis=-1),
        )
        deepest = readings[self._chosen.index(self._deepest)]
        graded = deepest.scores
        if deepest.certainty is not None:
            graded = graded * deepest.certainty
        return self._maps(readings), graded.max(axis=(1, 2))

    def read_each(self, records, concepts):
        """The maps of one forward pass, of a single concept of each image.

        Args:
            records: Its list of `ScoreRecord`.
            concepts: Int array `(N,)`, the index of the concept of each image.

        Returns:
            Float32 array `(N, H, W)`.
        """
        chosen = np.asarray(concepts)[:, None, None, None]
        readings = self._readings(
            records, lambda logits: ops.take_along_axis(logits, chosen, axis=-1)
        )
        return self._maps(readings)[..., 0]

    def _maps(self, readings):
        return fused(readings, self._image, self._combine)

    def _readings(self, records, wanted):
        """Readings of what `wanted` takes of the logits of all concepts."""
        readings = []
        for index, sources in zip(self._chosen, self._sources, strict=True):
            record, place = records[index], self._places[index]
            logits = record.logits
            # A layer with a single concept among others serves all of them.
            if logits.shape[-1] == self.count:
                logits = wanted(logits)
            head, logits = record.layer.head, ops.cast(logits, "float32")
            certainty = head.certainty(logits)
            reading = Reading(
                layer=record.layer,
                sharpness=float(to_numpy(record.layer.sharpness, "float32")),
                scores=to_numpy(head.scores(logits), "float32"),
                certainty=None if certainty is None else to_numpy(certainty, "float32"),
                attention=to_numpy(record.attention, "float32"),
                grid=place.grid,
                sources=sources,
            )
            readings.append(reading)
        return readings


def _once(records):
    """One of the records of each layer, in the order of their first calls."""
    return {id(record.layer): record for record in records}.values()


def _choose(model, records, places, layers, combine, output):
    """Indices of the records to read, of calls at `CallPlace`s."""
    readable = [
        index for index, record in enumerate(records) if record.logits is not None
    ]
    if not readable:
        raise ValueError(
            f"Expected {model.name!r} to have a LAP layer with concepts: make one with "
            "`keras_lap.convert(model)` or use `keras_lap.LAPooling2D`. Received: "
            f"{_listed(records) or 'no LAP layer'}"
        )
    layers = standardize_layers(layers)
    if layers is not None:
        known = [record.layer for record in _once([records[i] for i in readable])]
        found = {id(layer) for layer in find_layers(model, layers, known)}
        readable = [index for index in readable if id(records[index].layer) in found]
    named = _listed(records[index] for index in readable)
    at = output_index(model, output)
    readable = [index for index in readable if _leads_to(at, places[index])]
    if not readable:
        raise ValueError(
            "Expected LAP layers that lead to the output that is explained, "
            f"output={output!r} of {model.name!r} (None: the first). Received: "
            f"{named}, which lead to others alone. In Python, `output` chooses another "
            "where it is an argument; elsewhere pass a model with that output alone."
        )
    if combine != "layer":
        return readable
    if layers is not None and len({id(records[index].layer) for index in readable}) > 1:
        raise ValueError(
            'Expected one layer with combine="layer". '
            f"Received: layers={layers}. Name one of them, or combine them."
        )
    return readable[-1:]


def _leads_to(output, place):
    """Whether a call leads to the output of an index, as far as the graph tells."""
    return place.outputs is None or output in place.outputs


def _sources_among(places, chosen):
    """The `sources` of the `Reading` of each chosen call."""
    # What a call passes on comes from these.
    behind, sources = {IMAGE: {IMAGE}}, []
    for index, place in enumerate(places):
        read = frozenset().union(*(behind[source] for source in place.sources))
        behind[index] = read
        if index in chosen:
            behind[index] = {len(sources)}
            sources.append(read)
    return sources


def _concept_count(records):
    count = max(record.logits.shape[-1] for record in records)
    if any(record.logits.shape[-1] not in (1, count) for record in records):
        raise ValueError(
            "Expected the LAP layers to have the same number of concepts, or a single "
            f"one. Received: {_listed(records)}. Name those that go together in "
            "`layers`."
        )
    return count


def _listed(records):
    kinds = {
        record.layer.name: 'scores="features"'
        if record.logits is None
        else f"{record.logits.shape[-1]} concepts"
        for record in records
    }
    return ", ".join(f"{name!r} with {kind}" for name, kind in kinds.items())
