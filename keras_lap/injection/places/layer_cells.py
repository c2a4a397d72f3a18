"""Where the pixels of LAP layers lie in the image."""

import keras
from keras import ops

from keras_lap.graph.call_graph import Graph
from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.receptive_grids import receptive_grids
from keras_lap.injection.places.even_cells import even_cells
from keras_lap.injection.places.image_size import image_size


def layer_cells(model, inputs, data_format, records, walked):
    """Rows and columns of the image that the pixels of each layer stand for.

    Where `image_size` has none, the layers' maps are taken to extend over the image
    evenly.

    Args:
        model: The model.
        inputs: What it was called on.
        data_format: The layout of the images there.
        records: List of `ScoreRecord`, of any number of calls of the model.
        walked: Dict in which is kept what the model's graph tells. Steps that are not
            compiled ask anew each time.

    Returns:
        One tuple per record: a pair of arrays `(pixels, 2)`, as `resize_area` takes
        them, and the `guesses` of its `CallPlace`, if it has one.
    """
    maps = [tuple(ops.shape(record.attention)[1:3]) for record in records]
    image = image_size(inputs, data_format)
    if image is None or not all(isinstance(side, int) for side in sum(maps, ())):
        return [(even_cells(size), ()) for size in maps]
    layers = (record.layer for record in records)
    calls = tuple(zip(layers, maps, strict=True))
    if (image, calls) not in walked:
        walked[image, calls] = _cells_of_calls(model, image, calls)
    return walked[image, calls]


def _cells_of_calls(model, image, calls):
    passes = _count_passes(model, calls)
    calls = calls[: len(calls) // passes]
    cells = [
        (
            [place.grid.cells(axis, side) for axis, side in enumerate(image)],
            place.guesses,
        )
        for place in receptive_grids(model, image, calls)
    ]
    return cells * passes


def _count_passes(model, calls):
    """How often the model was called, if it was the same each time, otherwise 1."""
    layers = {id(layer) for layer, _ in calls}
    if len(layers) == len(calls) or functional_of(model) is None:
        return 1
    run = []

    def step(call, values):
        run.append(call.operation)
        return call.outputs

    Graph(model).carry(model.inputs, step)
    length = sum(id(operation) in layers for operation in run)
    unknown = any(
        id(part) in layers
        for operation in run
        if isinstance(operation, keras.Layer)
        for part in operation._flatten_layers(include_self=False)
    )
    # A layer with LAP layers inside may call them any number of times.
    if unknown or not length or len(calls) % length:
        return 1
    passes = len(calls) // length
    return passes if calls == calls[:length] * passes else 1
