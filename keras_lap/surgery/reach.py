"""How much of the image every pixel of a feature map has seen, and how coarse it is."""

import math
from dataclasses import dataclass, replace

from keras import layers

from keras_lap.graph.axes_behind import TRANSPOSING
from keras_lap.graph.windows_of import windows_of
from keras_lap.utils.layout import sizes_and_channels

_KEEPING_STEPS = (layers.ZeroPadding2D, layers.Cropping2D, *TRANSPOSING)


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
        windows = windows_of(operation)
        steps = ratio if windows is None else windows.strides
        stride = tuple(a * b for a, b in zip(self.stride, steps, strict=True))
        if self.field is None or windows is None:
            return Reach(stride, self.field)
        axes = zip(self.field, self.stride, windows.size, windows.dilation, strict=True)
        return Reach(
            stride,
            tuple(field + (size - 1) * gap * step for field, step, size, gap in axes),
        )


def reach_behind(operation, maps, made, layout):
    """The reach of what an operation makes of maps.

    Where maps merge, the widest receptive field counts. One channel of a map, `(H, W)`,
    is a map too. What is none, such as the result of a global pooling, has no place in
    the image: a squeeze-excite gate, which lets every pixel see the whole image, does
    not count.

    Args:
        operation: A layer or operation.
        maps: Pairs of the shape and the `Reach` of the maps that it reads.
        made: Shape of what it makes of them.
        layout: Where the channels of maps lie.

    Returns:
        A `Reach`, or `None` for what is no map.
    """
    if not maps or not _stays_map(operation, maps[0][0], made, layout):
        return None
    keeps_steps = isinstance(operation, _KEEPING_STEPS)
    before, after = _sizes(maps[0][0], layout), _sizes(made, layout)
    ratio = (1.0, 1.0) if keeps_steps else _ratio(before, after)
    reach = _merged([reach for _, reach in maps]).behind(operation, ratio)
    return replace(reach, field=None) if None in made else reach


def whole_image(image, made, layout):
    """The reach of a map that was made of something else than maps.

    Args:
        image: Height and width of the image, or `None` if there is none.
        made: Shape of the map; of what is none, the field is unknown.
        layout: Where the channels of the map lie.
    """
    if image is None:
        return Reach()
    if None in made or len(made) != 3:
        return Reach(field=None)
    return Reach(_ratio(image, _sizes(made, layout)), tuple(map(float, image)))


def _merged(found):
    if any(reach.field is None for reach in found):
        known = [reach for reach in found if reach.field] or found
        return Reach(known[0].stride, None)
    fields = zip(*(reach.field for reach in found), strict=True)
    return Reach(found[0].stride, tuple(max(axis) for axis in fields))


def _stays_map(operation, before, after, layout):
    """Whether what was a map did not become one vector for the whole image."""
    if len(after) == 2:
        return after == _sizes(before, layout)
    if len(after) != 3 or windows_of(operation) is not None:
        return len(after) == 3
    pairs = zip(_sizes(before, layout), _sizes(after, layout), strict=True)
    return any(new != 1 or old == 1 for old, new in pairs)


def _ratio(before, after):
    """Sizes of a map over those of a later one; 1 where either is unknown."""
    if None in (*before, *after):
        return 1.0, 1.0
    return tuple(old / new for old, new in zip(before, after, strict=True))


def _sizes(shape, layout):
    return shape if len(shape) == 2 else sizes_and_channels(shape, layout)[0]
