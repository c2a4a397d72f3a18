"""What each place of a conversion costs, and what its pixels have seen."""

import keras

from keras_lap.surgery.cost import Cost, call_cost, lap_parameters
from keras_lap.surgery.rewrite import Lap
from keras_lap.surgery.runs import runs_by_call
from keras_lap.utils.layout import sizes_and_channels


class PlaceCosts:
    """Counts costs in a graph, for one image of a given size.

    Args:
        graph: A `Graph`.
        image_size: Height and width of images where the model leaves them open.

    Attributes:
        model: The `Cost` of the model as it is.
    """

    def __init__(self, graph, image_size):
        self._graph = graph
        self._runs = runs_by_call(graph, image_size)
        every = (run for runs in self._runs.values() for run in runs)
        parameters = Cost(parameters=graph.model.count_params())
        self.model = sum((run.cost for run in every), parameters)

    def added(self, place, lap, counts_lap):
        """The cost that conversion adds at a place.

        Args:
            place: A `Place`.
            lap: Its new LAP layer, built or not.
            counts_lap: Whether the LAP layer itself counts here, and not elsewhere.
        """
        total = Cost()
        for first, last in self._replaced(place):
            total -= last.cost
            if first is not last:
                total -= first.cost
            read = first.read
            for part in place.rewrite.chain:
                is_lap = isinstance(part, Lap)
                layer = lap if is_lap else part.new_layer()
                made = _shape_made(layer, read)
                if counts_lap or not is_lap:
                    total += call_cost(layer, read, [made], layer.compute_dtype)
                if is_lap:
                    _, channels = sizes_and_channels(read, lap.data_format)
                read = made
        if counts_lap:
            total += Cost(parameters=lap_parameters(lap, channels))
        return total

    def reach(self, place):
        """The `Reach` of the pixels that the LAP layer of a place scores.

        In a nested model that is called several times it is that of its first run.
        """
        first, _ = next(self._replaced(place))
        reach = first.reach
        for part in place.rewrite.chain:
            if isinstance(part, Lap):
                break
            reach = reach.behind(part.new_layer())
        return reach

    def _replaced(self, place):
        """Pairs of runs of the first and the last call whose work the chain does."""
        calls = self._graph.calls_of(place.layer)
        for first, last in zip(place.rewrite.absorbs or calls, calls, strict=True):
            yield from zip(self._runs[id(first)], self._runs[id(last)], strict=True)


def _shape_made(layer, read):
    """The shape, without batch axis, that a layer makes of another."""
    try:
        return tuple(layer.compute_output_shape((None, *read))[1:])
    except NotImplementedError:
        made = layer(keras.KerasTensor((None, *read), dtype=layer.compute_dtype))
        return tuple(made.shape[1:])
