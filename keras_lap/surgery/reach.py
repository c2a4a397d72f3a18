"""How much of the image every pixel of a feature map has seen, and how coarse it is."""

import math
from dataclasses import dataclass, replace

from keras import layers

from keras_lap.layers.base_windowed_la_pooling import BaseWindowedLAPooling
from keras_lap.surgery.rules.strided_convolution import CONVOLUTIONS
from keras_lap.utils.layout import sizes_and_channels

_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D, BaseWindowedLAPooling)
_SHIFTS = (layers.ZeroPadding2D, layers.Cropping2D)


@dataclass(frozen=True)
class Reach:
    """How the pixels of a feature map stand to those of the image.

    Attributes:
        stride: Pixels of the image from one pixel of the map to the next, per axis.
            Behind a map of unknown size, the steps that are known multiplied.
        field: Height and width of the receptive field, in pixels of the image; `None`
            if Keras does not know the size of the map, or of one before it.
    """

    stride: tuple[float, float] = (1.0, 1.0)
    field: tuple[float, float] | None = (1.0, 1.0)

    @property
    def stage(self):
        """How often the image was halved: 2 at a stride of 4."""
        return round(math.log2(max(1.0, *self.stride)))

    def behind(self, operation, ratio=(1.0, 1.0)):
        """The reach behind an operation.

        Args:
            operation: A layer or operation.
            ratio: Size of the map it reads over that of the map it makes, per axis;
                it counts where the operation itself has no windows.
        """
        if isinstance(operation, CONVOLUTIONS):
            pairs = zip(operation.kernel_size, operation.dilation_rate, strict=True)
            window, steps = [(k - 1) * d + 1 for k, d in pairs], operation.strides
        elif isinstance(operation, _POOLINGS):
            window, steps = operation.pool_size, operation.strides
        else:
            window, steps = (1, 1), ratio
        stride = tuple(a * b for a, b in zip(self.stride, steps, strict=True))
        if self.field is None:
            return Reach(stride, None)
        axes = zip(self.field, window, self.stride, strict=True)
        return Reach(stride, tuple(field + (k - 1) * step for field, k, step in axes))


def reaches(graph, shapes, layout):
    """Follows the maps of a graph from the image on.

    Where maps merge, the widest receptive field counts. What is no map, such as the
    result of a global pooling, has no place in the image and is not followed: a
    squeeze-excite gate, which lets every pixel see the whole image, does not count.

    Args:
        graph: A `Graph`.
        shapes: Shapes of its tensors, by `shapes_at`.
        layout: That of maps behind operations without `data_format`, by `layout_of`.

    Returns:
        Dict from ids of tensors to `Reach`, for those that are maps.
    """
    found = {}
    images = {id(tensor): Reach() for tensor in _images(graph)}
    _follow(graph, graph.model, images, shapes, layout, found)
    return found


def whole_image(graph, shapes, layout, tensor):
    """The reach of a map that was made of something else than maps.

    Args:
        graph: A `Graph`.
        shapes: Shapes of its tensors, by `shapes_at`.
        layout: Where the channels of images and maps lie, by `layout_of`.
        tensor: The map.
    """
    images = _images(graph)
    if not images:
        return Reach()
    made = shapes[id(tensor)]
    if None in made:
        return Reach(field=None)
    image = shapes[id(images[0])]
    return Reach(_ratio(image, made, layout), tuple(map(float, _sizes(image, layout))))


def _images(graph):
    return [tensor for tensor in graph.model.inputs if len(tensor.shape) == 4]


def _follow(graph, model, read, shapes, layout, found):
    """Follows the maps of one model, given the reach of its inputs."""
    found.update({key: reach for key, reach in read.items() if key not in found})
    for call in graph.calls_in(model):
        maps = [tensor for tensor in call.inputs if id(tensor) in found]
        if graph.contains(call.operation):
            inner = zip(call.operation.inputs, call.inputs, strict=True)
            handed = {id(i): found[id(o)] for i, o in inner if id(o) in found}
            _follow(graph, call.operation, handed, shapes, layout, found)
            outer = zip(call.operation.outputs, call.outputs, strict=True)
            found.update({id(o): found[id(i)] for i, o in outer if id(i) in found})
        elif maps:
            reach = _merged([found[id(tensor)] for tensor in maps])
            before = shapes[id(maps[0])]
            for tensor in call.outputs:
                after = shapes[id(tensor)]
                own = getattr(call.operation, "data_format", None) or layout
                if _stays_map(call.operation, before, after, own):
                    shifts = isinstance(call.operation, _SHIFTS)
                    ratio = (1.0, 1.0) if shifts else _ratio(before, after, own)
                    made = reach.behind(call.operation, ratio)
                    is_known = None not in after
                    found[id(tensor)] = made if is_known else replace(made, field=None)


def _merged(found):
    if any(reach.field is None for reach in found):
        known = [reach for reach in found if reach.field] or found
        return Reach(known[0].stride, None)
    fields = zip(*(reach.field for reach in found), strict=True)
    return Reach(found[0].stride, tuple(max(axis) for axis in fields))


def _stays_map(operation, before, after, layout):
    """Whether what was a map did not become one vector for the whole image."""
    if len(after) != 3 or isinstance(operation, (*CONVOLUTIONS, *_POOLINGS)):
        return len(after) == 3
    pairs = zip(_sizes(before, layout), _sizes(after, layout), strict=True)
    return any(new != 1 or old == 1 for old, new in pairs)


def _ratio(before, after, layout):
    """Sizes of a map over those of a later one; 1 where either is unknown."""
    if None in (*before, *after):
        return 1.0, 1.0
    pairs = zip(_sizes(before, layout), _sizes(after, layout), strict=True)
    return tuple(old / new for old, new in pairs)


def _sizes(shape, layout):
    return sizes_and_channels(shape, layout)[0]
