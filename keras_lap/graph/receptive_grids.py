"""Where the feature maps of a model lie in the image, layer by layer."""

import itertools
from dataclasses import dataclass, replace

import keras
from keras.src.ops.numpy import GetItem

from keras_lap.graph.axes_behind import axes_behind
from keras_lap.graph.call_graph import Graph
from keras_lap.graph.data_format_of import data_format_of
from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.grid_rules import grid_behind, grid_behind_call, moves_along
from keras_lap.graph.own_data_format import own_data_format
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.layers.la_pooling2d import LAPooling2D
from keras_lap.utils.layout import spatial_axes

# The place among the sources of a map that stands for the image itself.
IMAGE = None


@dataclass(frozen=True)
class CallPlace:
    """Where in the network one call of a layer stands.

    Attributes:
        grid: The `ReceptiveGrid` of the map that the layer reads.
        sources: Where that map comes from without another call in between: set of
            indices of calls, and `IMAGE`.
        guesses: Tuple of the names of those steps on the way to the map of which it is
            not known where they put pixels. They are taken to keep the map's extent.
        outputs: Set of the indices of those of the model's outputs that the call leads
            to, `None` where the graph does not tell.
    """

    grid: ReceptiveGrid
    sources: frozenset
    guesses: tuple = ()
    outputs: frozenset | None = None


def receptive_grids(model, image_size, calls):
    """Finds the grids of the maps that given layers read in one forward pass.

    Functional and Sequential models are walked, nested ones entered at any depth.
    Known exactly: convolutions, depthwise, separable and transposed ones among them,
    pooling, LAP, also inside of other layers, zero padding, cropping, `CenterCrop`,
    `Resizing`, upsampling; pooling, padding, cropping and resizing by `keras.ops`;
    slices by constants in order; changes of layout by transposing, and reshaping that
    leaves rows and columns as they are. Where maps merge, the first one of the result's
    size that is known counts; in usual networks they agree.

    What else keeps the size of a map is trusted to keep its pixels in place, but not
    functions that move them, such as `keras.ops.flip`. These, and whatever changes the
    size in an unknown way, such as a layer of your own that crops, are guesses: they
    are taken to keep the extent of the map. A map made from something else than a map
    is taken to extend over the whole image, and so is every map within a subclassed
    model.

    Args:
        model: A `keras.Model`. Those of its inputs that have four axes are images of
            one size, the others are no maps.
        image_size: Height and width of the image.
        calls: Pairs of a layer and the size of the map it read, in the order of the
            forward pass.

    Returns:
        A list with the `CallPlace` of each of `calls`.

    Example:
    >>> import keras
    >>> from keras_lap.graph.receptive_grids import receptive_grids
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         keras.layers.Conv2D(8, 3, strides=2, padding="same"),
    ...         keras.layers.ReLU(name="features"),
    ...     ]
    ... )
    >>> calls = [(model.get_layer("features"), (16, 16))]
    >>> receptive_grids(model, (32, 32), calls)[0].grid
    ReceptiveGrid(size=(16, 16), offset=(1.0, 1.0), stride=(2.0, 2.0))
    """
    image = ReceptiveGrid(tuple(image_size))
    graph = None if functional_of(model) is None else Graph(model)
    axes = spatial_axes(data_format_of(model, graph))
    return _Walk(image, axes, calls).through(graph)


@dataclass(frozen=True)
class _Origin:
    """What the walk knows of a tensor.

    Attributes:
        sources: As for `CallPlace`.
        axes: The two axes along which the tensor is a map, if it is one.
        grid: The `ReceptiveGrid` of the map, or `None`.
        guesses: As for `CallPlace`.
        is_followed: Whether the grid follows from that of the image. Otherwise the map
            is taken to extend over the image for want of knowledge.
    """

    sources: frozenset
    axes: tuple[int, int]
    grid: ReceptiveGrid | None
    guesses: tuple = ()
    is_followed: bool = True

    def guessed(self, name, size, axes=None):
        """The map of another size behind a step of which nothing is known."""
        return replace(
            self,
            axes=axes or self.axes,
            grid=self.grid.resized(size),
            guesses=_together([self.guesses, [name]]),
        )


class _Walk:
    """Sends a shape instead of an image through a model, and grids along with it."""

    def __init__(self, image, axes, calls):
        self._image = image
        self._axes = axes
        self._calls = calls
        self._places = []

    def through(self, graph):
        """The list with the `CallPlace` of each call; without a graph it is guessed."""
        if graph is not None:
            inputs = [self._begin(tensor) for tensor in graph.model.inputs]
            ends = graph.carry(inputs, self._step)
            self._lead_to([origin.sources for _, origin in ends])
        last = len(self._places) - 1 if self._places else IMAGE
        read = _Origin(frozenset({last}), self._axes, self._image)
        while self._next_layer() is not None:
            read = self._place(read)
        return self._places

    def _lead_to(self, ends):
        """Tells the calls met which outputs they lead to, given the sources of each."""
        leading = [set() for _ in self._places]
        for output, sources in enumerate(ends):
            for source in sources - {IMAGE}:
                leading[source].add(output)
        for index in reversed(range(len(self._places))):
            place, outputs = self._places[index], frozenset(leading[index])
            for source in place.sources - {IMAGE}:
                leading[source] |= outputs
            self._places[index] = replace(place, outputs=outputs)

    def _begin(self, tensor):
        """A tensor in the place of an input of the model, and its `_Origin`."""
        shape, sources, grid = list(tensor.shape), frozenset(), None
        if len(shape) == 4:
            sources, grid = frozenset({IMAGE}), self._image
            for axis, size in zip(self._axes, grid.size, strict=True):
                shape[axis] = size
        placeholder = keras.KerasTensor(shape, dtype=tensor.dtype)
        return placeholder, _Origin(sources, self._axes, grid)

    def _step(self, call, values):
        """Pairs of what a call makes of tensors and their `_Origin`s."""
        tensors, origins = zip(*values, strict=True)
        operation, outputs = call.operation, call.make(tensors)
        sources = frozenset().union(*(origin.sources for origin in origins))
        axes = self._axes_of(operation, origins)
        maps = [self._along(axes, tensor, origin) for tensor, origin in values]
        maps = [each for each in maps if each.grid is not None]
        size = _size_on(axes, outputs[0])
        fitting = [each for each in maps if each.grid.size == size] or maps
        first = max(fitting, key=lambda each: each.is_followed, default=None)
        read = _Origin(
            sources,
            axes,
            self._image if first is None else first.grid,
            _together(each.guesses for each in fitting),
            first is not None and first.is_followed,
        )
        known = self._meet(operation, read, operation.name if maps else None)
        read = replace(_of_size(known, size), sources=known[-1].sources)
        if maps:
            made = [_made(call, read, tensors[0], output) for output in outputs]
        else:
            sizes = [_size_on(axes, output) for output in outputs]
            grids = [size and self._image.resized(size) for size in sizes]
            made = [replace(read, grid=grid) for grid in grids]
        return zip(outputs, made, strict=True)

    def _axes_of(self, operation, origins):
        """The axes of the maps that an operation reads."""
        if data_format := own_data_format(operation):
            return spatial_axes(data_format)
        return next(
            (origin.axes for origin in origins if origin.grid is not None), self._axes
        )

    def _along(self, axes, tensor, origin):
        """What is known of a tensor that is read as a map along given axes."""
        if origin.grid is not None and origin.axes == axes:
            return origin
        size = _size_on(axes, tensor)
        grid = None if size is None else self._image.resized(size)
        return replace(origin, axes=axes, grid=grid, is_followed=False)

    def _meet(self, operation, read, name):
        """Places the calls that an operation makes; returns the maps known inside.

        The first one is that which the operation reads.
        """
        is_layer = isinstance(operation, keras.Layer)
        parts = {id(part) for part in operation._flatten_layers()} if is_layer else ()
        known = [read]
        while id(layer := self._next_layer()) in parts:
            if layer is operation:
                return [self._place(read)]
            size = self._calls[len(self._places)][1]
            given = replace(_of_size(known, size), sources=known[-1].sources)
            placed = self._place(given, name)
            is_pooled = isinstance(layer, LAPooling2D)
            grid = (
                grid_behind(layer, read.axes, placed.grid, None)
                if is_pooled
                else placed.grid
            )
            known.append(replace(placed, grid=grid))
        return known

    def _next_layer(self):
        """The layer whose call is to come next, `None` behind the last."""
        if len(self._places) == len(self._calls):
            return None
        return self._calls[len(self._places)][0]

    def _place(self, read, name=None):
        """Places the next call, made inside of a step of that name that reads a map."""
        index = len(self._places)
        size = self._calls[index][1]
        is_guess = name is not None and size != read.grid.size
        guesses = read.guessed(name, size).guesses if is_guess else read.guesses
        read = replace(read, grid=read.grid.resized(size), guesses=guesses)
        self._places.append(CallPlace(read.grid, read.sources, guesses))
        return replace(read, sources=frozenset({index}))


def _made(call, read, tensor, output):
    """What is known of a tensor that an operation makes of a map.

    Args:
        call: The `Call`.
        read: The `_Origin` of the map.
        tensor: The first tensor that it reads.
        output: What is made of it.
    """
    operation = call.operation
    is_slice = isinstance(operation, GetItem)
    axes = axes_behind(operation, read.axes, tensor.shape, output.shape)
    is_turned = axes is not None and axes[0] > axes[1]
    if axes is not None and not is_turned:
        return replace(read, axes=axes)
    if len(output.shape) != 4:
        if output.shape != tensor.shape or is_slice:
            return replace(read, grid=None, guesses=())
        is_moved = moves_along(operation, read.axes, len(tensor.shape))
        return read.guessed(operation.name, read.grid.size) if is_moved else read
    axes = axes[::-1] if is_turned else read.axes
    size = _size_on(axes, output)
    if size is None:
        # Its size is unknown from here on.
        had_size = _size_on(read.axes, tensor) is not None
        return read.guessed(operation.name, read.grid.size) if had_size else read
    grid = None if is_turned else grid_behind_call(call, axes, read.grid, size)
    if grid is None:
        return read.guessed(operation.name, size, axes)
    return replace(read, grid=grid)


def _of_size(maps, size):
    """The last of some maps that has a size, otherwise the first."""
    return next((each for each in reversed(maps) if each.grid.size == size), maps[0])


def _together(names):
    """Names of several tuples, each once."""
    return tuple(dict.fromkeys(itertools.chain(*names)))


def _size_on(axes, tensor):
    """Height and width of a tensor that is a map, `None` for any other."""
    if len(tensor.shape) != 4 or max(axes) > 3:
        return None
    size = tuple(tensor.shape[axis] for axis in axes)
    return None if None in size else size
