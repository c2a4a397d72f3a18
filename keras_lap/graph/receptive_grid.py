"""Where the pixels of a feature map lie in the image."""

from dataclasses import dataclass

import numpy as np

from keras_lap.ops import windows
from keras_lap.utils.linear_interpolation import linear_interpolation


@dataclass(frozen=True)
class ReceptiveGrid:
    """The positions of the pixels of a feature map, in pixels of the image.

    Pixel `(i, j)` of the map has its receptive field centred at
    `(offset[0] + stride[0] * i, offset[1] + stride[1] * j)`, where the first pixel of
    the image has its centre at `(0, 0)`.

    Attributes:
        size: Height and width of the map.
        offset: Position of the map's first pixel, row and column.
        stride: Step between neighbouring pixels of the map.

    Example:
    >>> import numpy as np
    >>> from keras_lap.graph.receptive_grid import ReceptiveGrid
    >>> image = ReceptiveGrid((4, 4))
    >>> halved = image.resized((2, 2))
    >>> halved.offset, halved.stride
    ((0.5, 0.5), (2.0, 2.0))
    >>> scores = np.array([[0.0, 1.0], [0.0, 1.0]]).reshape(1, 2, 2, 1)
    >>> halved.sample(scores, image)[0, 0, :, 0]
    array([0.  , 0.25, 0.75, 1.  ])
    """

    size: tuple[int, int]
    offset: tuple[float, float] = (0.0, 0.0)
    stride: tuple[float, float] = (1.0, 1.0)

    def behind(self, size, starts, steps):
        """The grid of a map computed from this one.

        Args:
            size: Height and width of the new map.
            starts: Index, in pixels of this map, at which the new map starts.
            steps: Step of the new map, in pixels of this map.
        """
        axes = zip(self.offset, self.stride, starts, steps, strict=True)
        offset, stride = zip(
            *((first + gap * start, gap * step) for first, gap, start, step in axes),
            strict=True,
        )
        return ReceptiveGrid(tuple(size), offset, stride)

    def behind_windows(self, window, strides, padding, dilation=(1, 1)):
        """The grid of a map with one pixel per window over this one.

        Args:
            window: Height and width of the windows.
            strides: Steps between the windows.
            padding: `"valid"`, `"same"` or one pair of integers per axis.
            dilation: Distances between the pixels of a window.
        """
        extents = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
        widths = windows.pad_widths(self.size, extents, strides, padding)
        starts = [
            (extent - 1) / 2 - before
            for extent, (before, _) in zip(extents, widths, strict=True)
        ]
        size = windows.output_sizes(self.size, extents, strides, padding)
        return self.behind(size, starts, strides)

    def resized(self, size):
        """The grid of a map of another size that covers the same extent."""
        size = tuple(size)
        steps = [old / new for old, new in zip(self.size, size, strict=True)]
        return self.behind(size, [(step - 1) / 2 for step in steps], steps)

    def cells(self, axis, length):
        """The ground that each pixel stands for: half a stride to either side.

        Args:
            axis: 0 for rows, 1 for columns.
            length: Height or width of the image.

        Returns:
            Array `(pixels, 2)` with the beginning and the end of each, as shares of
            the image's length.
        """
        centres = np.arange(self.size[axis]) + np.array([[-0.5], [0.5]])
        edges = self.offset[axis] + self.stride[axis] * centres
        return ((edges + 0.5) / length).T

    def sample(self, maps, positions):
        """Reads maps at the pixels of another grid, bilinearly.

        Beyond its outermost pixels a map goes on with their values.

        Args:
            maps: Float array `(N, *self.size, K)`.
            positions: A `ReceptiveGrid` for the same image.

        Returns:
            Float array `(N, *positions.size, K)`.
        """
        if positions == self:
            return maps
        rows, columns = (
            self._interpolation(axis, positions).astype(maps.dtype) for axis in (0, 1)
        )
        return np.einsum("ph,nhwk,qw->npqk", rows, maps, columns, optimize=True)

    def _interpolation(self, axis, positions):
        """Matrix `(positions, pixels)` of linear interpolation along one axis."""
        places = np.arange(positions.size[axis])
        places = positions.offset[axis] + positions.stride[axis] * places
        index = (places - self.offset[axis]) / self.stride[axis]
        return linear_interpolation(index, self.size[axis])
