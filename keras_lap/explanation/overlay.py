"""Images under translucent heat maps, as arrays."""

import numpy as np

from keras_lap.explanation.displayable import displayable
from keras_lap.explanation.grey import grey
from keras_lap.explanation.maps_to_draw import maps_to_draw
from keras_lap.explanation.matplotlib_module import matplotlib_module
from keras_lap.explanation.scaled_by_peak import scaled_by_peak


def overlay(images, maps, *, opacity=0.5, colormap="inferno"):
    """Lays heat maps over their images, in grey.

    Each map is scaled by its own maximum, with negative values set to zero, as in
    `draw_maps`.

    Args:
        images: Array `(N, H, W, C)` of any range, see `displayable`.
        maps: Float array `(N, H, W)`, all finite.
        opacity: Opacity of the heat maps, in `[0, 1]`.
        colormap: Name of a matplotlib colormap.

    Returns:
        Uint8 array `(N, H, W, 3)`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the shapes do not fit, a map is not finite, or `opacity` is out
            of range.

    Example:

    >>> import numpy as np
    >>> from keras_lap.explanation.overlay import overlay
    >>> maps = np.array([[[0.0, 2.0]]])
    >>> overlay(np.ones((1, 1, 2, 3)), maps, opacity=0.5, colormap="gray")[0, 0, :, 0]
    array([128, 255], dtype=uint8)
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"Expected an opacity from 0 to 1. Received: {opacity=}")
    shown = displayable(images)
    maps = maps_to_draw(maps, shown)
    colors = matplotlib_module("matplotlib").colormaps[colormap]
    for image, map_ in zip(shown, maps, strict=True):
        heat = colors(scaled_by_peak(map_))[..., :3] * 255
        image[:] = np.rint((1 - opacity) * grey(image) + opacity * heat)
    return shown
