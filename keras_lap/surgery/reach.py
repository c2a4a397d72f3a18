"""How much of the image every pixel of a feature map has seen, and how coarse it is."""

import math
from dataclasses import dataclass, replace

from keras import layers

from keras_lap.graph.axes_behind import map_axes_behind
from keras_lap.graph.grid_rules import grid_behind_call
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.graph.windows_of import windows_of


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

    def behind(self, operation, steps=(1.0, 1.0)):
        """The reach behind an operation.

        Args:
            operation: A layer or operation.
            steps: Pixels of the map it reads from one pixel of the map it makes to the
                next, per axis; they count where the operation itself has no windows.
        """
        windows = windows_of(operation)
        steps = steps if windows is None else windows.strides
        stride = tuple(a * b for a, b in zip(self.stride, steps, strict=True))
        if self.field is None or windows is None:
            return Reach(stride, self.field)
        axes = zip(self.field, self.stride, windows.size, windows.dilation, strict=True)
        return Reach(
            stride,
            tuple(field + (size - 1) * gap * step for field, step, size, gap in axes),
        )


def reach_behind(call, maps, axes, made):
    """The reach of what a call makes of maps, and where its rows and columns are.

    Where maps merge, the widest receptive field counts. One channel of a map, `(H, W)`,
    is a map too. What is none, such as the result of a global pooling, has no place in
    the image: a squeeze-excite gate, which lets every pixel see the whole image, does
    not count.

    Args:
        call: A `Call`.
        maps: Pairs of the shape and the `Reach` of the maps that it reads.
        axes: The axes of the rows and columns of the first one.
        made: Shape of what it makes of them.

    Returns:
        A `Reach` and a pair of axes; `None` twice for what is no map.
    """
    if not maps:
        return None, None
    operation, (before, _) = call.operation, maps[0]
    new_axes = map_axes_behind(operation, axes, before, made)
    if new_axes is None:
        return None, None
    sizes, new_sizes = sizes_along(axes, before), sizes_along(new_axes, made)
    if windows_of(operation) is None and _is_collapsed(sizes, new_sizes):
        return None, None
    steps = _steps(call, new_axes, sizes, new_sizes)
    reach = _merged([reach for _, reach in maps]).behind(operation, steps)
    return replace(reach, field=None) if None in new_sizes else reach, new_axes


def whole_image(image, made, axes):
    """The reach of a map that was made of something else than maps.

    Args:
        image: Height and width of the image, or `None` if there is none.
        made: Shape of the map; of what is none, the field is unknown.
        axes: The axes of the map's rows and columns.
    """
    if image is None:
        return Reach()
    if None in made[1:] or len(made) != 4:
        return Reach(field=None)
    return Reach(_ratio(image, sizes_along(axes, made)), tuple(map(float, image)))


def sizes_along(axes, shape):
    """Height and width of a map of a shape."""
    return tuple(shape[axis] for axis in axes)


def _merged(found):
    if any(reach.field is None for reach in found):
        known = [reach for reach in found if reach.field] or found
        return Reach(known[0].stride, None)
    fields = zip(*(reach.field for reach in found), strict=True)
    return Reach(found[0].stride, tuple(max(axis) for axis in fields))


def _is_collapsed(before, after):
    """Whether a map became one vector for the whole image."""
    pairs = zip(before, after, strict=True)
    return all(new == 1 and old != 1 for old, new in pairs)


def _steps(call, axes, before, after):
    """Steps of the map of a size that a call makes of another, in pixels of that."""
    # At inference it keeps all pixels, whatever size it says.
    is_kept = isinstance(call.operation, layers.RandomCrop)
    if is_kept or before == after or None in (*before, *after):
        return 1.0, 1.0
    grid = grid_behind_call(call, axes, ReceptiveGrid(before), after)
    if grid is not None:
        return grid.stride
    # What crops or pads in a way of its own is taken to leave more than two thirds of a
    # map, and to add less than as much again.
    return tuple(
        float(round(old / new)) if old > new else 1 / (new // old)
        for old, new in zip(before, after, strict=True)
    )


def _ratio(before, after):
    """Sizes of a map over those of a later one."""
    return tuple(old / new for old, new in zip(before, after, strict=True))
