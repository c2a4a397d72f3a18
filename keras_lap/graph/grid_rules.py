"""What single operations do to the grid of a map.

There is one rule for all that has windows and one for each other kind of operation,
which takes the operation, the `ReceptiveGrid` of the map that it reads and the size of
the map that it makes, and returns that map's grid; one for padding along any axes; one
for slices; and one that tells which operations move pixels.
"""

from keras import layers
from keras.src.ops import image, nn, numpy
from keras.src.ops.einops import Rearrange

from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.graph.windows_of import windows_of


def grid_behind(operation, axes, grid, size):
    """The grid of the map of a given size that an operation makes of another.

    An operation without a rule that keeps the size of the map is trusted to keep its
    pixels in place, and so it is along axes of one pixel, which is pooled from or
    spread over all others.

    Args:
        operation: A layer, or another operation of Keras.
        axes: The axes along which both are maps.
        grid: The `ReceptiveGrid` of the map that it reads.
        size: Height and width of the map that it makes.

    Returns:
        A `ReceptiveGrid`, or `None` where it is not known.
    """
    if isinstance(operation, layers.SpectralNormalization):
        return grid_behind(operation.layer, axes, grid, size)
    if isinstance(operation, numpy.Pad):
        return _padded_along(operation, axes, grid, size)
    if moves_along(operation, axes, rank=4):
        return None
    windows = windows_of(operation)
    if windows is not None:
        return grid.behind_windows(*windows)
    for kind, rule in _RULES.items():
        if isinstance(operation, kind):
            return rule(operation, grid, size)
    return _kept(grid, size)


def grid_behind_call(call, axes, grid, size):
    """As `grid_behind`, of a `Call`, whose arguments tell which slice it takes."""
    if isinstance(call.operation, numpy.GetItem):
        rank = len(call.inputs[0].shape)
        return _sliced(_key_of(*call.args, **call.kwargs), axes, rank, grid, size)
    return grid_behind(call.operation, axes, grid, size)


def moves_along(operation, axes, rank):
    """Whether an operation moves what is in a tensor of a rank along given axes."""
    if not isinstance(operation, _MOVING):
        return False
    moved = getattr(operation, "axis", getattr(operation, "axes", None))
    if moved is None:
        return True
    moved = [moved] if isinstance(moved, int) else moved
    return any(axis % rank in axes for axis in moved)


def _sliced(key, axes, rank, grid, size):
    """The grid of a map that is a slice `x[key]` of another, a tensor of a rank."""
    keys = list(key) if isinstance(key, tuple | list) else [key]
    if not all(each is Ellipsis or isinstance(each, slice) for each in keys):
        return _kept(grid, size)
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    at = keys.index(Ellipsis)
    keys[at : at + 1] = [slice(None)] * (rank - len(keys) + 1)
    starts, _, steps = zip(
        *(
            keys[axis].indices(length)
            for axis, length in zip(axes, grid.size, strict=True)
        ),
        strict=True,
    )
    # Pixels in reverse order have no grid.
    return grid.behind(size, starts, steps) if min(steps) > 0 else None


def _key_of(x, key):
    """The key of a slice `x[key]`."""
    return key


def _kept(grid, size):
    pairs = zip(grid.size, size, strict=True)
    is_kept = all(old == new or 1 in (old, new) for old, new in pairs)
    return grid.resized(size) if is_kept else None


def _padded_along(operation, axes, grid, size):
    widths = operation.pad_width
    widths = [*widths] * (max(axes) + 1) if len(widths) == 1 else widths
    return grid.behind(size, [-widths[axis][0] for axis in axes], (1, 1))


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


def _padded(layer, grid, size):
    return grid.behind(size, [-before for before, _ in layer.padding], (1, 1))


def _cropped(layer, grid, size):
    return grid.behind(size, [before for before, _ in layer.cropping], (1, 1))


def _padded_image(operation, grid, size):
    added = [new - old for old, new in zip(grid.size, size, strict=True)]
    top = _given(operation.top_padding, operation.bottom_padding, added[0])
    left = _given(operation.left_padding, operation.right_padding, added[1])
    return grid.behind(size, (-top, -left), (1, 1))


def _cropped_image(operation, grid, size):
    removed = [old - new for old, new in zip(grid.size, size, strict=True)]
    top = _given(operation.top_cropping, operation.bottom_cropping, removed[0])
    left = _given(operation.left_cropping, operation.right_cropping, removed[1])
    return grid.behind(size, (top, left), (1, 1))


def _given(before, behind, both):
    """How much there is before, of which one of two may be left out."""
    return both - behind if before is None else before


def _centre_cropped(layer, grid, size):
    if all(old >= new for old, new in zip(grid.size, size, strict=True)):
        return _centred(grid, size)
    # A smaller image is resized.
    return _centred(grid, _cropped_size(grid.size, size)).resized(size)


def _stretched(operation, grid, size):
    return grid.resized(size)


def _repeated(operation, grid, size):
    is_even = isinstance(operation.repeats, int)
    return grid.resized(size) if is_even else _kept(grid, size)


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
    layers.Conv2DTranspose: _transposed,
    layers.ZeroPadding2D: _padded,
    layers.Cropping2D: _cropped,
    layers.CenterCrop: _centre_cropped,
    layers.Resizing: _resized,
    layers.UpSampling2D: _stretched,
    layers.AdaptiveAveragePooling2D: _stretched,
    layers.AdaptiveMaxPooling2D: _stretched,
    nn.AdaptiveMaxPool: _stretched,
    nn.AdaptiveAveragePool: _stretched,
    nn.DepthToSpace: _stretched,
    nn.SpaceToDepth: _stretched,
    numpy.Repeat: _repeated,
    image.Resize: _resized,
    image.PadImages: _padded_image,
    image.CropImages: _cropped_image,
}
# Those that have `axis` or `axes` move pixels along these, the others along any.
_MOVING = (
    Rearrange,
    image.AffineTransform,
    image.ElasticTransform,
    image.MapCoordinates,
    image.PerspectiveTransform,
    image.ScaleAndTranslate,
    numpy.Flip,
    numpy.Fliplr,
    numpy.Flipud,
    numpy.Roll,
    numpy.Rot90,
    numpy.Sort,
    numpy.Take,
    numpy.TakeAlongAxis,
)
