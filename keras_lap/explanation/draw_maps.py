"""A figure of maps of several kinds beside each other."""

import os

import numpy as np

from keras_lap.explanation.displayable import displayable
from keras_lap.explanation.grey import grey
from keras_lap.explanation.maps_to_draw import maps_to_draw
from keras_lap.explanation.matplotlib_module import matplotlib_module
from keras_lap.explanation.scaled_by_peak import scaled_by_peak
from keras_lap.utils.names import check_choice
from keras_lap.utils.whole_file import path_to_write

# Inches of the figure beside the images.
_CAPTION_WIDTH = 1.2
_TITLE_HEIGHT = 0.35
_BAR_HEIGHT = 0.5

_POINTS = 72  # in an inch
# Points that the line around a mask is wide, and the dark one below it.
_LINE, _HALO = 1.2, 2.4

# How far maps of a common scale may leave [0, 1], as they do after resizing or float16.
_ROUNDING = 1e-3


def draw_maps(
    images,
    columns,
    *,
    captions=None,
    masks=None,
    scale="own",
    opacity=0.5,
    colormap="inferno",
    cell_width=1.8,
    path=None,
):
    r"""Draws maps over their images, one row per image and one column per set of maps.

    The first column shows the image alone. Every further column shows the image in
    grey under a translucent heat map. **Each map is scaled by its own maximum**, with
    negative values set to zero, so colours compare the pixels of one map and not the
    strength of two maps, unless `scale="unit"`. The maximum, without which a map of
    next to nothing looks like one that is sure, stands in the corner. A map without a
    positive value is drawn in the colour of zero.

    Args:
        images: array of shape `(N, H, W)` or `(N, H, W, C)`, of any range, shown as by
            `keras_lap.explanation.displayable`.
        columns: dict from the name of a set of maps, shown above its column, to a float
            array of shape `(N, H, W)` or `(N, H, W, 1)`, all finite.
        captions: list of `N` strings shown to the left of the rows, such as
            `"label 3\npredicted 7"`. Defaults to `None`: no captions.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones, outlined along
            the edges of its pixels in every column or, where these are so small that
            lines would cover some, around them. Defaults to `None`: no outlines.
        scale: `"own"` for colours from 0 to each map's own maximum, or `"unit"` for
            colours from 0 to 1 in all of them, so that maps in `[0, 1]` can be compared
            with each other, also those of other figures. Defaults to `"own"`.
        opacity: float in `[0, 1]`, the opacity of the heat maps. Defaults to `0.5`.
        colormap: name of a matplotlib colormap, best a perceptually uniform one such as
            `"viridis"`. Defaults to `"inferno"`.
        cell_width: float, the width of a drawn image in inches. Defaults to `1.8`.
        path: str or path, the file to save the figure in, in the format of its ending;
            PNG if it has none. Defaults to `None`: nothing is saved.

    Returns:
        A `matplotlib.figure.Figure`. It is not registered with `matplotlib.pyplot`, so
        no display is needed and nothing has to be closed.

    Raises:
        FileNotFoundError: If the folder of `path` is missing.
        ImportError: If matplotlib is not installed.
        ValueError: If an array has another shape or other values, or `opacity` or
            `cell_width` is out of range, or `scale` is an unknown one.

    Example:
    >>> import numpy as np
    >>> from keras_lap.explanation.draw_maps import draw_maps
    >>> images = np.random.default_rng(0).random((2, 32, 32, 3))
    >>> figure = draw_maps(images, {"mean channel": images.mean(axis=-1)})
    >>> len(figure.axes)
    5
    """
    figure_class = matplotlib_module("matplotlib.figure").Figure
    if isinstance(path, str | os.PathLike):
        path = path_to_write(path)
    images = _standardize_images(images)
    if not isinstance(columns, dict):
        raise ValueError(
            'Expected `columns` to be a dict from names to maps, as {"LAP": maps}. '
            f"Received: a {type(columns).__name__}"
        )
    check_choice("scale", scale, ("own", "unit"))
    columns = {
        name: _standardize_maps(name, maps, images, scale)
        for name, maps in columns.items()
    }
    if not columns:
        raise ValueError("Expected at least one set of maps. Received: columns={}")
    if captions is not None and len(captions) != len(images):
        raise ValueError(
            f"Expected one caption per image, {len(images)}. "
            f"Received: {len(captions)} captions"
        )
    masks = None if masks is None else _standardize_masks(masks, images)
    if not 0 <= opacity <= 1:
        raise ValueError(f"Expected an opacity from 0 to 1. Received: {opacity=}")
    if not cell_width > 0:
        raise ValueError(
            f"Expected a cell width above 0 inches. Received: {cell_width=}"
        )

    if masks is not None:
        pixel = _POINTS * cell_width / images.shape[2]
        masks = _grown(masks, round(_HALO / 2 / pixel))
    cell_height = cell_width * images.shape[1] / images.shape[2]
    grid_width = cell_width * (len(columns) + 1)
    figure = figure_class(
        figsize=(
            grid_width + (0 if captions is None else _CAPTION_WIDTH),
            cell_height * len(images) + _TITLE_HEIGHT + _BAR_HEIGHT,
        ),
        layout="compressed",
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    axes = figure.subplots(len(images), len(columns) + 1, squeeze=False)
    for ax, title in zip(axes[0], ["input", *columns], strict=True):
        ax.set_title(title, fontsize="medium")
    for row, image in enumerate(images):
        axes[row, 0].imshow(image, interpolation="nearest")
        for ax, maps in zip(axes[row, 1:], columns.values(), strict=True):
            heat = _add_map(ax, image, maps[row], scale, opacity, colormap)
        for ax in axes[row]:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
            if masks is not None:
                _add_outline(ax, masks[row])
        if captions is not None:
            axes[row, 0].set_ylabel(
                captions[row], rotation=0, ha="right", va="center", fontsize="medium"
            )
    _add_bar(figure, axes, heat, grid_width, "1" if scale == "unit" else "max")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _standardize_images(images):
    images = displayable(images)
    if not images.size:
        raise ValueError(
            "Expected at least one image of at least one pixel. "
            f"Received: images of shape {images.shape[:3]}"
        )
    return images / 255


def _standardize_maps(name, maps, images, scale):
    maps = maps_to_draw(maps, images, f"columns[{name!r}]")
    if scale == "unit" and (maps.min() < -_ROUNDING or maps.max() > 1 + _ROUNDING):
        raise ValueError(
            'Expected maps in [0, 1] for scale="unit". Received: '
            f"columns[{name!r}] with values from {maps.min():.4g} to {maps.max():.4g}"
        )
    return maps.astype(np.float64)


def _standardize_masks(masks, images):
    masks = np.asarray(masks)
    if masks.shape != images.shape[:3] or not np.isin(masks, (0, 1)).all():
        raise ValueError(
            f"Expected masks of shape {images.shape[:3]} that are boolean or hold "
            f"zeros and ones only. Received: masks of shape {masks.shape} and dtype "
            f"{masks.dtype}"
        )
    return masks.astype(bool)


def _grown(masks, margin):
    """Masks with so many pixels more on every side."""
    for axis in (1, 2):
        pads = [(margin, margin) if each == axis else (0, 0) for each in range(3)]
        padded, size = np.pad(masks, pads), 2 * margin + 1
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis)
        masks = windows.any(axis=-1)
    return masks


def _add_map(ax, image, map_, scale, opacity, colormap):
    ax.imshow(grey(image), interpolation="nearest")
    heat = ax.imshow(
        map_ if scale == "unit" else scaled_by_peak(map_),
        cmap=colormap,
        vmin=0,
        vmax=1,
        alpha=opacity,
        interpolation="nearest",
    )
    if scale == "own":
        _add_peak(ax, map_.max())
    return heat


def _add_peak(ax, peak):
    """Writes what the brightest colour of a map stands for into its corner."""
    from matplotlib.patheffects import withStroke

    ax.text(
        0.97,
        0.04,
        f"max {max(peak, 0):.2g}",
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize="xx-small",
        color="white",
        path_effects=[withStroke(linewidth=1.5, foreground="black")],
    )


def _add_outline(ax, mask):
    from matplotlib.collections import LineCollection

    for color, width in (("black", _HALO), ("white", _LINE)):
        # Without antialiasing, which would show where the segments meet.
        lines = LineCollection(
            _pixel_edges(mask),
            colors=color,
            linewidths=width,
            capstyle="projecting",
            antialiaseds=False,
        )
        ax.add_collection(lines)


def _pixel_edges(mask):
    """Line segments between the pixels of the mask and the others, as (x, y) pairs."""
    padded = np.pad(mask, 1)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    horizontal = np.stack([[x - 0.5, y - 0.5], [x + 0.5, y - 0.5]])
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    vertical = np.stack([[x - 0.5, y - 0.5], [x - 0.5, y + 0.5]])
    return np.concatenate([horizontal, vertical], axis=-1).transpose(2, 0, 1)


def _add_bar(figure, axes, heat, width, end):
    height = _BAR_HEIGHT / 3
    bar = figure.colorbar(
        heat,
        ax=axes,
        location="bottom",
        fraction=height / figure.get_figheight(),
        aspect=width / height,
        pad=0.01,
    )
    bar.outline.set_visible(False)
    bar.set_ticks([0, 1], labels=["0", end])
    bar.ax.tick_params(length=0)
    low, high = bar.ax.get_xticklabels()
    low.set_horizontalalignment("left")
    high.set_horizontalalignment("right")
