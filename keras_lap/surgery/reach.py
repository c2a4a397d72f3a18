"""How much of the image every pixel of a feature map has seen, and how coarse it is."""

import math
from dataclasses import dataclass

from keras import config, layers

from keras_lap.layers.base_windowed_la_pooling import BaseWindowedLAPooling

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D, BaseWindowedLAPooling)
_SHIFTS = (layers.ZeroPadding2D, layers.Cropping2D)
_AXES = {"channels_last": (0, 1), "channels_first": (1, 2)}


@dataclass(frozen=True)
class Reach:
    """How the pixels of a feature map stand to those of the image.

    Attributes:
        stride: Pixels of the image from one pixel of the map to the next, per axis.
        field: Height and width of the receptive field, in pixels of the image.
    """

    stride: tuple[float, float] = (1.0, 1.0)
    field: tuple[float, float] = (1.0, 1.0)

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
        if isinstance(operation, _CONVOLUTIONS):
            pairs = zip(operation.kernel_size, operation.dilation_rate, strict=True)
            window, steps = [(k - 1) * d + 1 for k, d in pairs], operation.strides
        elif isinstance(operation, _POOLINGS):
            window, steps = operation.pool_size, operation.strides
        else:
            window, steps = (1, 1), ratio
        axes = list(zip(self.stride, self.field, window, steps, strict=True))
        return Reach(
            tuple(stride * step for stride, _, _, step in axes),
            tuple(field + (k - 1) * stride for stride, field, k, _ in axes),
        )


def reaches(graph, shapes):
    """Follows the maps of a graph from the image on.

    Where maps merge, the widest receptive field counts. What is no map, such as the
    result of a global pooling, has no place in the image and is not followed: a
    squeeze-excite gate, which lets every pixel see the whole image, does not count.

    Args:
        graph: A `Graph`.
        shapes: Shapes of its tensors, by `shapes_at`.

    Returns:
        Dict from ids of tensors to `Reach`, for those that are maps.
    """
    found = {}
    images = [tensor for tensor in graph.model.inputs if _is_image(tensor)]
    _follow(
        graph, graph.model, {id(tensor): Reach() for tensor in images}, shapes, found
    )
    return found


def whole_image(graph, shapes, tensor):
    """The reach of a map that was made of something else than maps.

    Args:
        graph: A `Graph`.
        shapes: Shapes of its tensors, by `shapes_at`.
        tensor: The map.
    """
    images = [shapes[id(image)] for image in graph.model.inputs if _is_image(image)]
    if not images:
        return Reach()
    axes = _AXES[config.image_data_format()]
    sizes = [(images[0][axis], shapes[id(tensor)][axis]) for axis in axes]
    return Reach(
        tuple(image / made for image, made in sizes),
        tuple(float(image) for image, _ in sizes),
    )


def _is_image(tensor):
    return len(tensor.shape) == 4


def _follow(graph, model, read, shapes, found):
    """Follows the maps of one model, given the reach of its inputs."""
    found.update({key: reach for key, reach in read.items() if key not in found})
    for call in graph.calls_in(model):
        maps = [tensor for tensor in call.inputs if id(tensor) in found]
        if graph.contains(call.operation):
            inner = zip(call.operation.inputs, call.inputs, strict=True)
            handed = {id(i): found[id(o)] for i, o in inner if id(o) in found}
            _follow(graph, call.operation, handed, shapes, found)
            outer = zip(call.operation.outputs, call.outputs, strict=True)
            found.update({id(o): found[id(i)] for i, o in outer if id(i) in found})
        elif maps:
            reach = _merged([found[id(tensor)] for tensor in maps])
            before = shapes[id(maps[0])]
            for tensor in call.outputs:
                after = shapes[id(tensor)]
                if _stays_map(call.operation, before, after):
                    ratio = _ratio(call.operation, before, after)
                    found[id(tensor)] = reach.behind(call.operation, ratio)


def _merged(found):
    fields = zip(*(reach.field for reach in found), strict=True)
    return Reach(found[0].stride, tuple(max(axis) for axis in fields))


def _stays_map(operation, before, after):
    """Whether what was a map did not become one vector for the whole image."""
    if len(after) != 3 or isinstance(operation, (*_CONVOLUTIONS, *_POOLINGS)):
        return len(after) == 3
    return any(after[axis] > 1 or before[axis] == 1 for axis in _axes(operation))


def _ratio(operation, before, after):
    if isinstance(operation, _SHIFTS):
        return 1.0, 1.0
    return tuple(before[axis] / after[axis] for axis in _axes(operation))


def _axes(operation):
    layout = getattr(operation, "data_format", None) or config.image_data_format()
    return _AXES[layout]
