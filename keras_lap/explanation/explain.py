"""Explanations read from the forward pass."""

import operator

import numpy as np
from keras import ops

from keras_lap.explanation.combine import COMBINATIONS, Reading
from keras_lap.layers import score_tape
from keras_lap.layers.grid_walk import IMAGE, receptive_grids
from keras_lap.layers.model_graph import check_model, graph_of
from keras_lap.layers.receptive_grid import ReceptiveGrid
from keras_lap.names import check_choice, check_names, listed


def explain(model, images, concepts=None, layers=None, combine="flow", batch_size=32):
    """Concept maps of images, read from the forward pass of a model with LAP layers.

    A map holds the concept scores that decided what the LAP layers let through, placed
    on the image. There is one forward pass per batch, in inference mode and without
    gradients, and the model is not changed.

    Several LAP layers are combined in one of these ways:

    - `"flow"`: how much of each pixel gets through all of them. From the last LAP layer
      backward, with its concept scores `S` and unnormalised window weights `w` (the
      best pixel of a window `O_u` has `w = 1`),
      `R_l(p) = S_l(p) * max_{u : p in O_u} w_{l,u,p} * R_{l+1}(u)`, where
      `R_{l+1}` is interpolated at the pixels that layer `l` passes on, and `R = S` at
      the end. Where LAP layers stand on parallel branches, or a branch leads around
      one, the way with the larger `R` counts. This is approximate, because the
      convolutions in between spread information over their receptive fields.
    - `"mean"` and `"product"`: arithmetic and geometric mean at input size.
    - `"layer"`: the scores of one LAP layer alone, of its last call if it is shared.

    A LAP layer with a single concept beside others with `K` serves all `K` concepts.
    Layers with `scores="features"` have no concepts and are left out. Where a
    converted layer's `gate` is 0, its scores did not decide anything yet, and the map
    shows what they would let through.

    Scores are placed at the centres of the receptive fields of their pixels, as far as
    the graph of the model tells them, see
    `keras_lap.layers.grid_walk.receptive_grids`, with bilinear interpolation.

    Args:
        model: A `keras.Model` with a single input, the image. In a subclassed model
            every map is taken to extend over the whole image.
        images: Array or tensor `(N, H, W, C)`, in the range that the model expects, or
            `(N, C, H, W)` if the LAP layers are `channels_first`.
        concepts: List of the indices of the concepts to return, or `None` for all. The
            maps of all of many classes take much memory.
        layers: List of names of LAP layers, or `None` for all of them. A name that
            several nested models use stands for each of these layers.
        combine: `"flow"`, `"mean"`, `"product"` or `"layer"`: the layer named in
            `layers`, by default the deepest.
        batch_size: Number of images per forward pass.

    Returns:
        Float32 array `(N, H, W, K)` with values in `[0, 1]`, one map per concept, in
        the order of `concepts`. The maps are raw: nothing is rescaled per image.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If the images do not fit the model, the model has no LAP layer with
            concepts, their numbers of concepts differ, or an argument is unknown or
            out of its range.

    Example:
    >>> import keras
    >>> import keras_lap
    >>> import numpy as np
    >>> from keras_lap.explanation import explain
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
    ...         keras_lap.LAPooling2D(2),
    ...         keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
    ...         keras_lap.GlobalLAPooling2D(concepts=10),
    ...         keras.layers.Dense(10),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 32, 32, 3))
    >>> explain(model, images).shape
    (4, 32, 32, 10)
    """
    check_choice("combine", combine, tuple(COMBINATIONS))
    batch_size = _checked_batch_size(batch_size)
    images = _checked_images(images, model)
    reader = maps = None
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        with score_tape() as records:
            model(batch, training=False)
        if reader is None:
            chosen = _choose(model, records, layers, combine)
            reader = _Reader(model, batch.shape, records, chosen, concepts)
            maps = np.empty((len(images), *reader.image.size, reader.width), "float32")
        fused = COMBINATIONS[combine](reader.read(records), reader.image)
        maps[start : start + len(batch)] = fused
    return maps


class _Reader:
    """Makes readings of the records of each forward pass.

    The calls of the LAP layers are the same in every pass, so what does not depend on
    the images is settled with the records of the first.
    """

    def __init__(self, model, batch_shape, records, chosen, concepts):
        data_format = records[0].layer.data_format
        spatial = slice(2, 4) if data_format == "channels_first" else slice(1, 3)
        self.image = ReceptiveGrid(tuple(batch_shape[spatial]))
        self._chosen = chosen
        self._count = _concept_count([records[index] for index in chosen])
        self._concepts = _checked_concepts(concepts, self._count)
        self.width = len(self._concepts)
        calls = [(record.layer, record.attention.shape[1:3]) for record in records]
        self._places = receptive_grids(
            model, self.image.size, calls, chosen, data_format
        )

    def read(self, records):
        """The list of `Reading` of one forward pass."""
        positions = {IMAGE: IMAGE}
        positions.update({index: at for at, index in enumerate(self._chosen)})
        return [
            Reading(
                layer=records[index].layer,
                sharpness=float(_to_numpy(records[index].layer.sharpness)),
                scores=self._wanted(_to_numpy(records[index].scores)),
                attention=_to_numpy(records[index].attention),
                grid=self._places[index].grid,
                sources={positions[source] for source in self._places[index].sources},
            )
            for index in self._chosen
        ]

    def _wanted(self, scores):
        # A layer with a single concept among others serves all of them.
        if scores.shape[-1] < self._count:
            return scores
        return scores[..., self._concepts]


def _to_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def _choose(model, records, layers, combine):
    """Indices of the records to read."""
    readable = [
        index for index, record in enumerate(records) if record.logits is not None
    ]
    if not readable:
        raise ValueError(
            f"Expected {model.name!r} to have a LAP layer with concepts: make one with "
            "`keras_lap.convert(model)` or use `keras_lap.LAPooling2D`. Received: "
            f"{_listed(records) or 'no LAP layer'}"
        )
    if layers is not None:
        layers = listed(layers)
        _check_layers(layers, [records[index] for index in readable])
        readable = [index for index in readable if records[index].layer.name in layers]
    if combine != "layer":
        return readable
    if layers is not None and len({id(records[index].layer) for index in readable}) > 1:
        raise ValueError(
            'Expected one layer with combine="layer". '
            f"Received: layers={layers}. Name one of them, or combine them."
        )
    return readable[-1:]


def _check_layers(layers, records):
    names = list(dict.fromkeys(record.layer.name for record in records))
    if not layers:
        raise ValueError(
            "Expected `layers` to be a non-empty list of names, or None for all. "
            f"Received: layers={layers}"
        )
    check_names("`layers` to be names of LAP layers with concepts", layers, names)


def _concept_count(records):
    count = max(record.scores.shape[-1] for record in records)
    if any(record.scores.shape[-1] not in (1, count) for record in records):
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
        else f"{record.scores.shape[-1]} concepts"
        for record in records
    }
    return ", ".join(f"{name!r} with {kind}" for name, kind in kinds.items())


def _checked_concepts(concepts, count):
    if concepts is None:
        return list(range(count))
    try:
        indices = [operator.index(concept) for concept in concepts]
    except TypeError:
        indices = []
    if not indices or min(indices) < 0 or max(indices) >= count:
        raise ValueError(
            "Expected `concepts` to be a non-empty list of indices from 0 to "
            f"{count - 1}, or None for all. Received: concepts={concepts!r}"
        )
    return indices


def _checked_batch_size(batch_size):
    try:
        count = operator.index(batch_size)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(
            "Expected `batch_size` to be a positive integer. "
            f"Received: batch_size={batch_size!r}"
        )
    return count


def _checked_images(images, model):
    check_model(model)
    if not model.built:
        raise ValueError(
            f"Expected a model that is built. Received: {model.name!r}, which has no "
            "weights yet. Train it, load its weights, or call it on a batch first."
        )
    if not ops.is_tensor(images):
        images = np.asarray(images)
    shape = tuple(images.shape)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(
            "Expected images of rank 4, (N, H, W, C) or (N, C, H, W), not empty. "
            f"Received: images.shape={shape}. Give one image a batch axis with "
            "`images[None]`."
        )
    graph = graph_of(model)
    if graph is None:
        return images
    if len(graph.inputs) != 1:
        raise ValueError(
            "Expected a model with a single input, the image. Received: "
            f"{model.name!r} with {len(graph.inputs)} inputs. Wrap it in a model that "
            "makes the other inputs itself."
        )
    expected = tuple(graph.inputs[0].shape)
    fits = len(expected) == 4 and all(
        wanted in (None, size) for wanted, size in zip(expected, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"Expected images of shape {('N', *expected[1:])} as the input of "
            f"{model.name!r}. Received: images.shape={shape}. Resize them, or reorder "
            "their axes, to the shape that the model expects."
        )
    return images
