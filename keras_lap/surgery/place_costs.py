"""What each place of a conversion costs, and what its pixels have seen."""

import keras

from keras_lap.surgery.cost import Cost, call_cost, lap_parameters
from keras_lap.surgery.reach import reaches, whole_image
from keras_lap.surgery.rewrite import Lap
from keras_lap.surgery.shapes import layout_of, shapes_at
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
        self._shapes = shapes_at(graph, image_size)
        self._layout = layout_of(graph)
        self._reaches = reaches(graph, self._shapes, self._layout)
        self._runs = {}
        self._count_runs(graph.model)
        self.model = self._of_model()

    def added(self, place, lap, counts_lap):
        """The cost that conversion adds at a place.

        Args:
            place: A `Place`.
            lap: Its new LAP layer, built or not.
            counts_lap: Whether the LAP layer itself counts here, and not elsewhere.
        """
        total = Cost()
        for first, call in self._replaced(place):
            cost = Cost() - self._of(call)
            if first is not call:
                cost -= self._of(first)
            read = self._shapes[id(first.inputs[0])]
            for part in place.rewrite.chain:
                is_lap = isinstance(part, Lap)
                layer = lap if is_lap else part.new_layer()
                made = _shape_made(layer, read)
                if counts_lap or not is_lap:
                    cost += call_cost(layer, read, [made], layer.compute_dtype)
                if is_lap:
                    _, channels = sizes_and_channels(read, lap.data_format)
                read = made
            total += cost.times(self._runs[id(call.model)])
        if counts_lap:
            total += Cost(parameters=lap_parameters(lap, channels))
        return total

    def reach(self, place):
        """The `Reach` of the pixels that the LAP layer of a place scores.

        A map that was made of something else than maps sees the whole image.
        """
        first, _ = next(self._replaced(place))
        read = first.inputs[0]
        reach = self._reaches.get(id(read))
        if reach is None:
            reach = whole_image(self._graph, self._shapes, self._layout, read)
        for part in place.rewrite.chain:
            if isinstance(part, Lap):
                break
            reach = reach.behind(part.new_layer())
        return reach

    def _replaced(self, place):
        """Pairs of the first and the last call that the chain does the work of."""
        calls = self._graph.calls_of(place.layer)
        return zip(place.rewrite.absorbs or calls, calls, strict=True)

    def _of(self, call):
        made = [self._shapes[id(tensor)] for tensor in call.outputs]
        read = self._shapes[id(call.inputs[0])]
        return call_cost(call.operation, read, made, call.outputs[0].dtype)

    def _of_model(self):
        total = Cost(parameters=self._graph.model.count_params())
        for call in self._graph.calls:
            if not self._graph.contains(call.operation):
                total += self._of(call).times(self._runs[id(call.model)])
        return total

    def _count_runs(self, model):
        """Counts how often every model runs in one forward pass."""
        self._runs[id(model)] = self._runs.get(id(model), 0) + 1
        for call in self._graph.calls_in(model):
            if self._graph.contains(call.operation):
                self._count_runs(call.operation)


def _shape_made(layer, read):
    """The shape, without batch axis, that a layer makes of another."""
    try:
        return tuple(layer.compute_output_shape((None, *read))[1:])
    except NotImplementedError:
        made = layer(keras.KerasTensor((None, *read), dtype=layer.compute_dtype))
        return tuple(made.shape[1:])
