"""What a report shows of maps."""

import math

import numpy as np

from keras_lap.explanation.scaled_by_peak import scaled_by_peak
from keras_lap.report.finite import finite
from keras_lap.report.pictures import encoded, shrunk

# Pixels along an edge of a map in the file.
_SIDE = 96
# WebP of this quality hardly moves a pixel by a twentieth of the maximum.
_QUALITY = 90


def map_evidence(name, explanation, index, labels, mask):
    """A picture of the maps of one image, and figures that are read from them.

    Args:
        name: Name of the explanation, for errors.
        explanation: The explanation.
        index: Index of the image.
        labels: List of its labels.
        mask: Boolean array `(H, W)`, not empty, or None.

    Returns:
        A dict: `picture` has the maps of all concepts side by side, each scaled by its
        own maximum; `concepts` has one dict per concept in the same order;
        `disagreement` is what `keras_lap.report` says, or None.

    Raises:
        ValueError: If a map is not finite.
    """
    if not np.isfinite(explanation.maps[index]).all():
        raise ValueError(
            "Expected finite maps. "
            f"Received: NaN or infinite values in those of {name!r}, image {index}."
        )
    # In float64 the sums of huge and tiny values stay in range.
    maps = np.moveaxis(np.maximum(explanation.maps[index], 0), -1, 0)
    maps = maps.astype(np.float64, order="C")
    evidence = {one.concept: one for one in explanation.evidence(index).concepts}
    of_labels = _maps_of(labels, maps, explanation)
    return {
        "picture": _side_by_side(maps),
        "concepts": [
            _facts(evidence[concept], map_, mask)
            for concept, map_ in zip(explanation.concepts, maps, strict=True)
        ],
        "disagreement": finite(_disagreement(of_labels, mask)),
    }


def tiles_across(count):
    """How many of so many maps stand side by side in their picture."""
    return math.ceil(math.sqrt(count))


def _side_by_side(maps):
    tiles = [
        shrunk(np.rint(scaled_by_peak(map_) * 255).astype(np.uint8), _SIDE)
        for map_ in maps
    ]
    across = tiles_across(len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % across)
    rows = [np.hstack(tiles[at : at + across]) for at in range(0, len(tiles), across)]
    return encoded(np.vstack(rows), quality=_QUALITY)


def _facts(concept, map_, mask):
    place = None
    if concept.peak is not None:
        # The middle of the pixel, as a share of the image.
        place = [
            finite((at + 0.5) / pixels)
            for at, pixels in zip(concept.peak, map_.shape, strict=True)
        ]
    return {
        "score": finite(concept.score),
        "strength": finite(concept.strength),
        "place": place,
        "area": finite(concept.area),
        "inside": finite(_inside(map_, mask)),
    }


def _maps_of(labels, maps, explanation):
    """The maps of labels: of the concepts that speak for one, the highest values."""
    if len(explanation.concepts) == 1:
        return maps
    speaks = explanation.class_concepts
    if speaks is None:
        return []
    chosen = (
        np.flatnonzero(speaks[label][explanation.concepts])
        for label in labels
        if label < len(speaks)
    )
    return [maps[positions].max(axis=0) for positions in chosen if len(positions)]


def _inside(map_, mask):
    """Share of a map's energy in the mask; 0 for a map of zeros, None for no mask."""
    if mask is None:
        return None
    total = map_.sum()
    return map_[mask].sum() / total if total else 0.0


def _disagreement(maps, mask):
    inside = _inside(np.sum(maps, axis=0), mask) if len(maps) else None
    return None if inside is None else 1 - inside
