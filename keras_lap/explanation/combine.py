"""Fusion of the concept scores of several LAP layers into one map per concept.

Each way of `COMBINATIONS` takes a non-empty list of `Reading` in the order of the
forward pass, with equal numbers of concepts `K`, or a single one in those that serve
them all, and the `ReceptiveGrid` of the image. It returns a float32 array
`(N, *image.size, K)`.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.graph.receptive_grids import IMAGE
from keras_lap.ops import windows


@dataclass(frozen=True)
class Reading:
    """What one call of a LAP layer computed for a batch of images.

    Attributes:
        layer: The LAP layer.
        sharpness: Its alpha.
        scores: Concept scores, float32 array `(N, h, w, K)`.
        attention: Attention scores, float32 array `(N, h, w, 1)`.
        grid: The `ReceptiveGrid` of the map that the layer read.
        sources: Set of the positions, in the list of readings, of those that feed this
            one, and `IMAGE` if the image itself does.
        certainty: How sure the scores of a ramp are, see `ScoreHead.certainty`, of
            their shape; `None` for other scores.
    """

    layer: Any
    sharpness: float
    scores: np.ndarray
    attention: np.ndarray
    grid: ReceptiveGrid
    sources: frozenset
    certainty: np.ndarray | None = None


def fused(readings, image, combine):
    """Maps of the concepts, higher where the layers are surer.

    They are the scores, combined, times the geometric mean of the certainties of all
    readings that have one: a ramp is 1 wherever all gets through, so that many pixels
    would tie for the maximum of a map. It is one factor whatever way leads through the
    layers, and zeros stay zeros. The factor is this library's own.

    Args:
        readings: Non-empty list of `Reading`.
        image: The `ReceptiveGrid` of the image.
        combine: A key of `COMBINATIONS`.

    Returns:
        Float32 array `(N, *image.size, K)` in `[0, 1]`.
    """
    maps = COMBINATIONS[combine](readings, image)
    sure = [reading for reading in readings if reading.certainty is not None]
    return functools.reduce(np.multiply, _roots(sure, image, "certainty"), maps)


def last(readings, image):
    """The scores of the deepest reading alone."""
    return readings[-1].grid.sample(readings[-1].scores, image)


def mean(readings, image):
    """Arithmetic mean of the scores."""
    return functools.reduce(np.add, _placed(readings, image, "scores")) / len(readings)


def product(readings, image):
    """Geometric mean of the scores."""
    return functools.reduce(np.multiply, _roots(readings, image, "scores"))


def _roots(readings, image, name):
    """The factors of a geometric mean."""
    # Roots first: a product of many small scores would be rounded to zero.
    for values in _placed(readings, image, name):
        yield values ** (1 / len(readings))


def _placed(readings, image, name):
    """The scores or certainties of one reading after the other: no two are kept."""
    for reading in readings:
        yield reading.grid.sample(getattr(reading, name), image)


def flow(readings, image):
    """From the last layers backward: how much of each pixel gets through.

    With the relevances `R_j` behind the windows `O_u` of a layer, unnormalised window
    weights `w` and scores `S`,

        R(p) = S(p) max_{u : p in O_u} w_{u,p} max_j R_j(u),

    and `R = S` where no further LAP layer follows.
    """
    relevance = [None] * len(readings)
    for index in reversed(range(len(readings))):
        reading = readings[index]
        passed = _join(readings, relevance, index, _output_grid(reading))
        relevance[index] = reading.scores
        if passed is not None:
            relevance[index] = reading.scores * _back_through_windows(reading, passed)
    return _join(readings, relevance, IMAGE, image)


def _join(readings, relevance, source, grid):
    """The largest relevance behind a source, `None` if nothing follows.

    It is read on `grid`, or, if that is `None`, as the maximum over all pixels.
    """
    ways = [
        values.max(axis=(1, 2), keepdims=True)
        if grid is None
        else reading.grid.sample(values, grid)
        for reading, values in zip(readings, relevance, strict=True)
        if source in reading.sources
    ]
    return functools.reduce(np.maximum, ways) if ways else None


def _output_grid(reading):
    """The grid of what a layer passes on, `None` if one pixel speaks for all."""
    layer = reading.layer
    if layer.pool_size is None:
        return None
    return reading.grid.behind_windows(layer.pool_size, layer.strides, layer.padding)


def _back_through_windows(reading, passed):
    """`max_u w_{u,p} passed(u)` over the windows `u` that hold a pixel `p`.

    Args:
        reading: The `Reading` of the layer.
        passed: Float array with one pixel per window, `(N, h', w', K)`.

    Returns:
        Float array `(N, h, w, K)`; zero at pixels that no window holds.
    """
    layer, attention = reading.layer, reading.attention
    if layer.pool_size is None:
        best = attention.max(axis=(1, 2), keepdims=True)
        return _weight(reading, best - attention) * passed
    height, width = attention.shape[1:3]
    widths = windows.pad_widths(
        (height, width), layer.pool_size, layer.strides, layer.padding
    )
    # Below every score, so that padding is no window's best pixel.
    padded = np.pad(attention, [(0, 0), *widths, (0, 0)], constant_values=-1)
    result = np.zeros((*padded.shape[:3], passed.shape[-1]), passed.dtype)
    taps = [
        tuple(
            windows.slice_tap(array, tap, layer.pool_size, layer.strides)
            for array in (padded, result)
        )
        for tap in windows.taps(layer.pool_size)
    ]
    best = functools.reduce(np.maximum, (scores for scores, _ in taps))
    for scores, reached in taps:
        weighted = _weight(reading, best - scores) * passed
        np.maximum(reached, weighted, out=reached)
    (top, _), (left, _) = widths
    return result[:, top : top + height, left : left + width]


def _weight(reading, distance):
    """Unnormalised weight of a pixel whose score is `distance` below the best."""
    scaled = np.float32(reading.sharpness) * distance
    if reading.layer.weighting == "gaussian":
        return np.exp(-np.square(scaled))
    return np.exp(-scaled)


COMBINATIONS = {"flow": flow, "mean": mean, "product": product, "layer": last}
