"""What single operations do to the grid of a map.

There is one rule for each kind of layer, which takes the layer, the `ReceptiveGrid` of
the map that it reads and the size of the map that it makes, and returns that map's
grid; and one for slices.
"""

from keras import layers

from keras_lap.layers.la_pooling2d import LAPooling2D
from keras_lap.layers.receptive_grid import ReceptiveGrid


def grid_behind(operation, grid, size):
    """The grid of the map of a given size that an operation makes of another.

    Of an operation without a rule it has the extent of the other.

    Args:
        operation: A layer, or another operation of Keras.
        grid: The `ReceptiveGrid` of the map that it reads.
        size: Height and width of the map that it makes.
    """
    for kind, rule in _RULES.items():
        if isinstance(operation, kind):
            return rule(operation, grid, size)
    return grid.resized(size)


def grid_of_slice(key, axes, grid, size):
    """The grid of a map that is a slice `x[key]` of another.

    Args:
        key: The key, or tuple of keys.
        axes: The two axes along which `x` and the slice are maps.
        grid: The `ReceptiveGrid` of `x`.
        size: Height and width of the slice.
    """
    keys = list(key) if isinstance(key, tuple | list) else [key]
    if not all(each is Ellipsis or isinstance(each, slice) for each in keys):
        return grid.resized(size)
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    at = keys.index(Ellipsis)
    keys[at : at + 1] = [slice(None)] * (4 - len(keys) + 1)
    starts, _, steps = zip(
        *(
            keys[axis].indices(length)
            for axis, length in zip(axes, grid.size, strict=True)
        ),
        strict=True,
    )
    # Pixels in reverse order have no grid.
    return grid.behind(size, starts, steps) if min(steps) > 0 else grid.resized(size)


def _convolved(layer, grid, size):
    return grid.behind_windows(
        layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate
    )


def _transposed(layer, grid, size):
    if layer.output_padding is not None:
        return grid.resized(size)
    # Its output pixels are to its input pixels what a convolution reads and writes.
    read = ReceptiveGrid(size).behind_windows(
        layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate
    )
    starts = [
        -first / step for first, step in zip(read.offset, read.stride, strict=True)
    ]
    return grid.behind(size, starts, [1 / step for step in read.stride])


def _pooled(layer, grid, size):
    return grid.behind_windows(layer.pool_size, layer.strides, layer.padding)


def _padded(layer, grid, size):
    return grid.behind(size, [-before for before, _ in layer.padding], (1, 1))


def _cropped(layer, grid, size):
    return grid.behind(size, [before for before, _ in layer.cropping], (1, 1))


def _centre_cropped(layer, grid, size):
    if all(old >= new for old, new in zip(grid.size, size, strict=True)):
        return _centred(grid, size)
    # A smaller image is resized.
    return _centred(grid, _cropped_size(grid.size, size)).resized(size)


def _resized(layer, grid, size):
    if layer.crop_to_aspect_ratio:
        return _centred(grid, _cropped_size(grid.size, size)).resized(size)
    if layer.pad_to_aspect_ratio:
        return _centred(grid, _padded_size(grid.size, size)).resized(size)
    return grid.resized(size)


def _centred(grid, size):
    """The grid of a map of another size around the same centre."""
    starts = [int((old - new) / 2) for old, new in zip(grid.size, size, strict=True)]
    return grid.behind(size, starts, (1, 1))


def _of_the_aspect(size, wanted):
    """Height for the width, and width for the height, of the wanted aspect ratio."""
    (height, width), (wanted_height, wanted_width) = size, wanted
    return int(width * wanted_height / wanted_width), int(
        height * wanted_width / wanted_height
    )


def _cropped_size(size, wanted):
    """Size of the largest part of a map with an aspect ratio, as Keras rounds it."""
    fitting = _of_the_aspect(size, wanted)
    return tuple(max(min(pair), 1) for pair in zip(size, fitting, strict=True))


def _padded_size(size, wanted):
    """Size of a map that is padded, as much on both sides, towards an aspect ratio."""
    fitting = _of_the_aspect(size, wanted)
    return tuple(
        old + 2 * (max(new - old, 0) // 2)
        for old, new in zip(size, fitting, strict=True)
    )


_RULES = {
    layers.Conv2D: _convolved,
    layers.DepthwiseConv2D: _convolved,
    layers.SeparableConv2D: _convolved,
    layers.Conv2DTranspose: _transposed,
    layers.MaxPooling2D: _pooled,
    layers.AveragePooling2D: _pooled,
    LAPooling2D: _pooled,
    layers.ZeroPadding2D: _padded,
    layers.Cropping2D: _cropped,
    layers.CenterCrop: _centre_cropped,
    layers.Resizing: _resized,
}
