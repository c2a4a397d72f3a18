"""Areas: the least and the largest share of the image that a concept covers."""

from keras import ops

from keras_lap.injection.knowledge.check_concepts import check_concepts
from keras_lap.injection.knowledge.doubt import Doubt, no_shares
from keras_lap.injection.knowledge.kind import Kind


def _fit(area, layer):
    """Bounds `(N, K, 2)`, -1 where unknown."""
    known = ops.where(area >= 0, area, -1.0)
    if layer.concepts == 1 != known.shape[1]:
        # Concepts may overlap, so what they cover together is not known.
        return ops.full_like(known[:, :1], -1)
    check_concepts("area", known.shape[1], layer)
    return known


_SWAPPED = Doubt(
    flags=lambda area: (area[..., 1] >= 0) & (area[..., 0] > area[..., 1]),
    message=lambda count: (
        "Expected targets 'area' as the least and the largest share of the image. "
        f"Received {count} pairs whose least is above their largest, which nothing can "
        "satisfy: put them in this order; -1 is for a bound that is not known."
    ),
)

AREA = Kind(
    name="area",
    shapes=(("N", "K", 2),),
    unknown=-1,
    fit=_fit,
    is_known=lambda area: ops.any(area >= 0, axis=(1, 2)),
    doubts=(
        no_shares(
            "area",
            "Nothing covers more than the image: divide numbers of pixels by that of "
            "the image, and percentages by 100.",
        ),
        _SWAPPED,
    ),
)
