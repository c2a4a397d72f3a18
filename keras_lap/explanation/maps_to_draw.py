"""Maps that can be drawn over images."""

import numpy as np


def maps_to_draw(maps, images, name="maps"):
    """Maps as an array, if there is one of finite numbers for each image.

    Args:
        maps: Array `(N, H, W)` or `(N, H, W, 1)`.
        images: Array `(N, H, W, 3)`.
        name: What the maps are called in the message of an error.

    Returns:
        Array `(N, H, W)`.

    Raises:
        ValueError: If the shape does not fit or a map is not finite.
    """
    maps = np.asarray(maps)
    if maps.shape == (*images.shape[:3], 1):
        maps = maps[..., 0]
    if maps.shape != images.shape[:3]:
        raise ValueError(
            f"Expected maps of shape {images.shape[:3]}, one per image at its size. "
            f"Received: {name} of shape {maps.shape}. Of maps with several concepts "
            "draw one concept at a time: `maps[..., k]`. Resize smaller maps to the "
            "size of the images."
        )
    if not np.isfinite(maps).all():
        raise ValueError(
            f"Expected finite maps. Received: NaN or infinite values in {name}"
        )
    return maps
